//! A server that is not holdup: a process that a test starts, on a free port.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{PATIENCE, pause};

pub struct External {
    child: Child,
    pub address: SocketAddr,
    /// The only place where it writes.
    pub folder: Option<PathBuf>,
}

/// Creates a folder for one test, below the build's folder.
pub fn folder() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = format!("probe-{}-{number}", process::id());
    let folder = crate::target().join("tmp").join(folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Starts one of the servers in `tests/servers`, by its name in `start.py`, with these environment variables.
pub fn server(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> External {
    let folder = folder();
    let mut command = Command::new("python3");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/servers/start.py"
        ))
        .arg(name)
        .args(arguments)
        .env("CARGO_TARGET_DIR", crate::target())
        .env("FOLDER", &folder)
        .envs(environment.iter().copied());
    External::saying(command, &["://127.0.0.1:"], Some(folder))
}

pub fn tornado() -> External {
    server("tornado", &[], &[])
}

/// Starts a server of Python's standard library: this class, with these arguments.
pub fn http_server(arguments: &[&str]) -> External {
    server("http_server", arguments, &[])
}

pub fn gunicorn(arguments: &[&str]) -> External {
    server("gunicorn", arguments, &[])
}

pub fn node() -> External {
    server("node", &[], &[])
}

/// Starts one of the unusual servers in `shapes.js`, which describes them.
pub fn shapes() -> External {
    server("shapes", &[], &[])
}

/// Starts the server of `contrasts.js`, which describes its paths.
pub fn contrasts() -> External {
    server("contrasts", &[], &[])
}

/// Starts nginx as a reverse proxy for a server.
pub fn nginx(upstream: SocketAddr) -> External {
    server("nginx", &[&upstream.to_string()], &[])
}

/// Reads the output to its end, so that the server never blocks on a full pipe.
fn pass_on(output: impl Read + Send + 'static, to: mpsc::Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Once the address is known, the lines have no receiver.
            to.send(line).ok();
        }
    });
}

impl External {
    /// Starts the server and waits for a line that contains these texts in this order, followed by
    /// its port. The folder is removed together with the server.
    pub fn saying(command: Command, before: &[&str], folder: Option<PathBuf>) -> Self {
        let what = format!("{command:?}");
        let server = Self::try_saying(command, before, folder);
        server.unwrap_or_else(|said| {
            panic!(
                "{what} does not say where it is; scripts/test installs what it needs: {said:#?}"
            )
        })
    }

    /// Returns the output as an error when the server ends, or stays silent for too long.
    pub fn try_saying(
        command: Command,
        before: &[&str],
        folder: Option<PathBuf>,
    ) -> Result<Self, Vec<String>> {
        let (mut server, told) = Self::spawn(command, folder);
        let mut said = Vec::new();
        while let Ok(line) = told.recv_timeout(PATIENCE) {
            let rest = before.iter().try_fold(line.as_str(), |rest, text| {
                rest.split_once(text).map(|(_, rest)| rest)
            });
            let port = rest.and_then(|rest| {
                rest.split(|c: char| !c.is_ascii_digit())
                    .next()?
                    .parse()
                    .ok()
            });
            if let Some(port) = port {
                server.address.set_port(port);
                return Ok(server);
            }
            said.push(line);
        }
        Err(said)
    }

    /// Starts the process, and returns it with its lines of output.
    fn spawn(mut command: Command, folder: Option<PathBuf>) -> (Self, mpsc::Receiver<String>) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own, so that the server's workers end with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it"));
        let (tell, told) = mpsc::channel();
        pass_on(child.stdout.take().expect("piped"), tell.clone());
        pass_on(child.stderr.take().expect("piped"), tell);
        let address = ([127, 0, 0, 1], 0).into();
        let server = Self {
            child,
            address,
            folder,
        };
        (server, told)
    }
}

impl Drop for External {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).expect("process ids fit");
        kill_process_group(Pid::from_raw(id).expect("not zero"), Signal::KILL).ok();
        self.child.wait().ok();
        let Some(folder) = &self.folder else { return };
        // Children of the server may still write for a moment.
        for _ in 0..20 {
            if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
                break;
            }
            pause(Duration::from_millis(50));
        }
    }
}
