//! Who answered: the name of this replica and the number of the worker, in headers of every answer.

use std::fmt;
use std::str::FromStr;

use actix_web::http::header::HeaderValue;
use actix_web::middleware::DefaultHeaders;
use rustix::system::uname;

/// The header with the name of the replica that answered.
pub const REPLICA_HEADER: &str = "x-holdup-replica";

/// The header with the number of the worker that answered, counted from 0.
pub const WORKER_HEADER: &str = "x-holdup-worker";

/// The longest name of a replica, in bytes. A host name has at most 64 on Linux.
const LONGEST: usize = 100;

/// The name of one of several labs that serve the same clients: 1 to 100 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica(String);

/// A name that a replica cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name {given:?} cannot be sent as a header; use 1 to {LONGEST} visible ASCII characters without spaces, \
     such as lab-1"
)]
pub struct BadReplica {
    given: String,
}

impl Replica {
    /// The name of a lab on this machine that has no other name: its host name and port, such as `web-3:8080`.
    /// Characters that a name cannot have are replaced by `-`.
    pub fn of_host(port: u16) -> Self {
        let host = uname().nodename().to_string_lossy().into_owned();
        let allowed = |c: char| if c.is_ascii_graphic() { c } else { '-' };
        let most = LONGEST - ":65535".len();
        let host: String = host.chars().map(allowed).take(most).collect();
        Self(format!("{host}:{port}"))
    }

    /// The headers of every answer of a worker.
    pub(crate) fn headers(&self, worker: usize) -> DefaultHeaders {
        let mut headers = DefaultHeaders::new().add((WORKER_HEADER, HeaderValue::from(worker)));
        // Its characters were checked when it was made.
        if let Ok(name) = HeaderValue::from_str(&self.0) {
            headers = headers.add((REPLICA_HEADER, name));
        }
        headers
    }
}

impl FromStr for Replica {
    type Err = BadReplica;

    /// Reads a name.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or has other characters than visible ASCII.
    fn from_str(given: &str) -> Result<Self, BadReplica> {
        let fits = (1..=LONGEST).contains(&given.len());
        if fits && given.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(Self(given.to_owned()));
        }
        let given = given.chars().take(LONGEST).collect();
        Err(BadReplica { given })
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_header_can_carry() {
        for name in ["lab-1", "web-3:8080", &"a".repeat(100)] {
            let read: Replica = name.parse().expect(name);
            assert_eq!(read.to_string(), name);
        }
        for name in ["", "a b", " a", "a\n", "é", &"a".repeat(101)] {
            let error = name.parse::<Replica>().expect_err(name).to_string();
            assert!(error.contains("use 1 to 100 visible ASCII"), "{error}");
        }
    }

    #[test]
    fn a_lab_without_a_name_is_called_by_its_host_and_port() {
        let name = Replica::of_host(8080).to_string();
        assert!(name.ends_with(":8080") && name.len() > 5, "{name}");
        assert_eq!(name.parse(), Ok(Replica::of_host(8080)));
    }
}
