//! `wrk`, which sends the requests.

use std::error::Error;
use std::io;
use std::process::Command;

/// What one run of `wrk` counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
}

/// Checks that there is a `wrk`.
///
/// # Errors
///
/// If it cannot be started: the error says what to install.
pub(crate) fn is_there() -> Result<(), Box<dyn Error>> {
    match Command::new("wrk").arg("-v").output() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(
            "wrk is missing, which sends the requests; to have it, on Debian as root: apt-get install wrk"
                .into(),
        ),
        Err(error) => Err(format!("wrk cannot be started: {error}").into()),
    }
}

/// Keeps so many connections to `url` busy for so many seconds, from one thread.
///
/// # Errors
///
/// If `wrk` fails, or if a single request failed: a figure with failed requests in it means nothing.
pub(crate) fn load(url: &str, connections: usize, seconds: u16) -> Result<Sent, Box<dyn Error>> {
    let connections = format!("-c{connections}");
    let output = Command::new("wrk")
        .args(["-t1", &connections, &format!("-d{seconds}s"), url])
        .output()
        .map_err(|error| format!("wrk cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    read(&text).ok_or_else(|| {
        let told = String::from_utf8_lossy(&output.stderr);
        format!("wrk ended with {}: {text}{told}", output.status).into()
    })
}

/// Reads what `wrk` prints. `None` if it is not what is expected, or tells of errors.
fn read(text: &str) -> Option<Sent> {
    let mut lines = text.lines().map(str::trim);
    if lines
        .clone()
        .any(|line| line.starts_with("Socket errors") || line.starts_with("Non-2xx"))
    {
        return None;
    }
    let requests = lines.clone().find_map(|line| {
        let (requests, _) = line.split_once(" requests in ")?;
        requests.parse().ok()
    })?;
    let per_second =
        lines.find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())?;
    Some(Sent {
        requests,
        per_second,
    })
}
