//! Rules that people write by hand: the time of some requests at once, compared with that of one alone.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Said};

/// At most `times` the time of one alone for `at_once` requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) at_once: usize,
    pub(crate) times: f64,
}

impl Rule {
    /// The rule as most people write it: `elapsed < 2.5 × alone`.
    pub(crate) const NAIVE: Self = Self {
        at_once: 4,
        times: 2.5,
    };

    /// The rule of Google's [functions-framework-conformance], `sendConcurrentRequests` in `client/concurrency.go`:
    /// one request alone, then ten at once, and `conReqTime > 2*singleReqTime` is an error.
    ///
    /// [functions-framework-conformance]: https://github.com/GoogleCloudPlatform/functions-framework-conformance/blob/86ea75023bd1b906b55d89b64dbdf80b49b850cc/client/concurrency.go#L112
    pub(crate) const CONFORMANCE: Self = Self {
        at_once: 10,
        times: 2.0,
    };

    pub(crate) fn check(self, address: SocketAddr, path: &str) -> Said {
        match self.times_of(address, path) {
            Ok((alone, at_once)) => {
                let passed = at_once <= alone.mul_f64(self.times);
                let outcome = if passed {
                    Outcome::Passed
                } else {
                    Outcome::Failed
                };
                let (alone, at_once) = (alone.as_secs_f64() * 1e3, at_once.as_secs_f64() * 1e3);
                (
                    outcome,
                    format!("alone: {alone:.1} ms, at once: {at_once:.1} ms"),
                )
            }
            Err(error) => (Outcome::Undecided, error.to_string()),
        }
    }

    /// The time of one request alone, and that of all at once.
    fn times_of(self, address: SocketAddr, path: &str) -> io::Result<(Duration, Duration)> {
        let begun = Instant::now();
        ask(address, path)?;
        let alone = begun.elapsed();
        let begun = Instant::now();
        thread::scope(|scope| {
            let start = |_| scope.spawn(|| ask(address, path));
            let threads: Vec<_> = (0..self.at_once).map(start).collect();
            let mut asked = threads.into_iter().map(|thread| {
                let panicked = |_| Err(io::Error::other("a request panicked"));
                thread.join().unwrap_or_else(panicked)
            });
            asked.try_for_each(|asked| asked)
        })?;
        Ok((alone, begun.elapsed()))
    }
}

fn ask(address: SocketAddr, path: &str) -> io::Result<()> {
    let mut connection = TcpStream::connect(address)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let is_whole = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n0\r\n\r\n");
    let cut_off = || io::Error::other(format!("the answer is {answer:?}"));
    is_whole.then_some(()).ok_or_else(cut_off)
}
