//! The URL to request, and the source addresses of the connections.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

/// The number of connections from one source address. It is well below the 28,000 ports of an
/// address, so that `bind` finds a free port at once.
const STREAMS_PER_SOURCE: u32 = 2000;

/// The lab's defaults for parameters that the URL omits.
const FROM: u16 = 5;
const PERIOD: Duration = Duration::from_secs(1);

/// The URL of a countdown on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) server: SocketAddrV4,
    pub(crate) from: u16,
    pub(crate) period: Duration,
    path: String,
}

impl Target {
    /// How long the countdown takes if nothing is late.
    pub(crate) fn duration(&self) -> Duration {
        self.period * u32::from(self.from)
    }

    /// The number of ticks of a stream: `from`, …, 1, 0.
    pub(crate) fn ticks(&self) -> usize {
        usize::from(self.from) + 1
    }

    /// The request, ready to be sent.
    pub(crate) fn request(&self) -> String {
        let Self { path, server, .. } = self;
        format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nAccept: application/x-ndjson\r\n\r\n")
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("http://")
            .ok_or("it must start with http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if path.is_empty() {
            return Err("it has no path; allowed: such as /coroutine?from=20&period=1s".to_owned());
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("spaces and the like must be percent-encoded".to_owned());
        }
        let server = loopback(authority)?;

        let (mut from, mut period) = (FROM, PERIOD);
        let query = path.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "from" => from = value.parse().map_err(|error| format!("from: {error}"))?,
                "period" => {
                    period = humantime::parse_duration(value)
                        .map_err(|error| format!("period: {error}"))?;
                }
                _ => {}
            }
        }
        Ok(Self {
            url: url.to_owned(),
            server,
            from,
            period,
            path: path.to_owned(),
        })
    }
}

/// Parses the address in `authority`, which must be this machine: generate load only on your own
/// lab.
fn loopback(authority: &str) -> Result<SocketAddrV4, String> {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let host = match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST),
        _ => host.parse().ok().filter(Ipv4Addr::is_loopback),
    };
    let host = host.ok_or_else(|| {
        format!(
            "{authority} is not allowed, only 127.0.0.0/8 and localhost: load is for one's own lab"
        )
    })?;
    let port = port
        .parse()
        .map_err(|error| format!("port {port}: {error}"))?;
    Ok(SocketAddrV4::new(host, port))
}

/// Source addresses `127.a.b.c`, with new random `a` and `b` for each run.
/// A port stays reserved for a minute after its connection has closed (`TIME_WAIT`). A second run
/// from the same address would search long for free ports, and the server would seem to stall.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources {
    a: u8,
    b: u8,
}

impl Sources {
    pub(crate) fn fresh() -> Self {
        let [a, b, ..] = RandomState::new().hash_one(0).to_le_bytes();
        // Servers listen on 127.0, so `a` is not 0.
        Self { a: a.max(1), b }
    }

    /// The address for the stream with this index.
    pub(crate) fn of(self, index: u32) -> Ipv4Addr {
        let c = 1 + index / STREAMS_PER_SOURCE % 254;
        Ipv4Addr::new(127, self.a, self.b, c as u8)
    }

    /// The range of addresses that `streams` streams use.
    pub(crate) fn shown(self, streams: u32) -> String {
        let (first, last) = (self.of(0), self.of(streams - 1));
        format!("{first} to {last}")
    }
}
