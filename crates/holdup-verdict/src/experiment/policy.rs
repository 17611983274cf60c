//! What an experiment measures, and its limits.

use std::time::Duration;

/// From this solo time on, one measurement is enough, and no more of them are made than needed: noise of some
/// ten milliseconds is small by comparison, and further rounds would take long. It is just below one second
/// because a timer of one second may fire a little early.
pub const LONG_SOLO: Duration = Duration::from_millis(950);

/// The default time-out of a request. Proxies commonly give up after the same time.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Concurrent requests may take as long as they would one after the other, and half as much again because
/// times vary …
const AT_ONCE: f64 = 1.5;

/// … but at most this long, because nobody should have to wait longer without having asked for it.
const LONGEST: Duration = Duration::from_secs(600);

/// How many times a test measures in all, if noise may have spoilt the result. On two cores with eight busy processes
/// and several builds beside them, one measurement in four was spoilt. Those that follow each other are often spoilt
/// together, so that five were not enough for two of 60 healthy handlers. In simulations, a handler that blocks is never
/// judged to be concurrent, however often it is measured. A handler that runs three of four at a time, and whose work
/// varies by a factor of four, is called concurrent in 8 % of all tests; with five measurements it was 5 %.
const IN_PROCESS: usize = 10;

/// What an experiment measures, and within which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each one switches a part of the plan, whatever the others are"
)]
pub struct Policy {
    /// How many requests at once.
    pub requests: usize,
    /// The longest that one request may take. `None` means one minute. For concurrent requests it means as
    /// long as they would need one after the other, up to ten minutes: otherwise the verdict on a slow server
    /// that serializes them would be inconclusive.
    pub timeout: Option<Duration>,
    /// How much longer each request may take because the measurement of its answer ends this long after the
    /// answer began.
    pub lasting: Duration,
    /// Whether identical URLs are compared with unique ones.
    pub identical: bool,
    /// Whether to look for what requests leave behind that blocks the next ones.
    pub left_behind: bool,
    /// Whether a server that takes [long](LONG_SOLO) may be judged without a solo round, if the other rounds
    /// prove what a request takes alone. This requires [identical](Policy::identical).
    pub early: bool,
    /// How often the whole plan, except for the warm-up, is run as long as noise may be the reason for an
    /// inconclusive verdict.
    pub measurements: usize,
    /// Whether to send the concurrent requests even if the solo ones failed, so that there is a picture to
    /// show.
    pub despite_errors: bool,
    /// How many bystanders there are: other routes that are asked while the measured one runs.
    pub bystanders: usize,
    /// Whether to find out how many requests run at a time at most, and the most that may be sent at once.
    pub limit: Option<usize>,
    /// How many cores the server's machine has, if that is known: a limit of this number is named after them.
    pub cores: Option<usize>,
    /// Whether to compare one HTTP/2 connection with one connection for each request.
    pub http2: Http2,
    /// Whether to compare requests with and without cookies and credentials.
    pub session: bool,
    /// Whether to measure a second URL in the same way.
    pub versus: bool,
}

/// Whether to compare one HTTP/2 connection with one connection for each request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Http2 {
    /// If the URL is `https` and the server agrees to `h2`.
    #[default]
    IfOffered,
    /// Always: over TLS if the server agrees to `h2`, and otherwise by prior knowledge (RFC 9113, section
    /// 3.3).
    Wanted,
    /// Never.
    Off,
}

impl Policy {
    /// For a server that is measured over the network. Identical URLs are compared, because a proxy or a
    /// cache may be in front of it. Each round is run once, or twice if it needs confirmation.
    pub fn outside(requests: usize) -> Self {
        Self {
            requests,
            timeout: None,
            lasting: Duration::ZERO,
            identical: true,
            left_behind: true,
            early: true,
            measurements: 1,
            despite_errors: false,
            bystanders: 0,
            limit: None,
            cores: None,
            http2: Http2::Off,
            session: false,
            versus: false,
        }
    }

    /// For handlers that run in the measuring process, as in a test. Nothing is between client and server, so
    /// identical URLs are not compared. The machine that runs the test is often busy, so the measurement is
    /// repeated up to nine times if noise may have spoilt it.
    pub fn in_process(requests: usize) -> Self {
        Self {
            timeout: Some(TIMEOUT),
            identical: false,
            left_behind: false,
            early: false,
            measurements: IN_PROCESS,
            despite_errors: true,
            ..Self::outside(requests)
        }
    }

    /// The longest that one request may take, if all requests of its round take `serialized` one after the
    /// other.
    pub(super) fn bound(&self, serialized: Option<Duration>) -> Duration {
        self.timeout.unwrap_or_else(|| {
            let needed = serialized.unwrap_or_default().min(LONGEST).mul_f64(AT_ONCE);
            needed.clamp(TIMEOUT, LONGEST) + self.lasting
        })
    }
}
