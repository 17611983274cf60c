//! How to measure.

use std::num::NonZeroU64;
use std::time::Duration;

use super::target::Target;
use holdup_verdict::experiment::Http2;

/// How to measure.
///
/// ```
/// use std::time::Duration;
/// use holdup_probe::Settings;
///
/// let mut settings = Settings::default();
/// settings.requests = 8;
/// settings.timeout = Some(Duration::from_secs(5));
/// assert!(!settings.insecure);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// How many requests at once.
    pub requests: usize,
    /// How long one request may take, including connecting. `None` means one minute. For concurrent requests
    /// it means as long as they would need one after the other, up to ten minutes: otherwise the verdict on a
    /// slow server that serializes them would be inconclusive.
    pub timeout: Option<Duration>,
    /// Whether to accept any certificate.
    pub insecure: bool,
    /// When to count an answer that has no end as ended.
    pub end: End,
    /// Other routes that are asked while the measured one runs, with GET. The headers of the request are sent to
    /// them only if they are on the same server. At most four are useful: each needs rounds of its own.
    pub beside: Vec<Target>,
    /// Whether to find out how many requests run at a time at most, and the most that may be sent at once.
    pub limit: Option<usize>,
    /// Whether to compare one HTTP/2 connection with one connection for each request. If it is offered only,
    /// methods that may change something on the server (POST, for example) are not sent more often for it.
    pub http2: Http2,
    /// Whether to compare requests with and without the cookies and credentials of the request.
    pub cookie_contrast: bool,
    /// A second URL that gets the same requests, such as the server behind a proxy. It gets all headers, cookies
    /// and credentials as well, even if it is on another server.
    pub versus: Option<Target>,
}

/// When an answer counts as ended if it does not end by itself, as for streams of events. The request is
/// abandoned at the earlier of the two limits. By default there is no limit.
///
/// Both limits start at the body's first chunk, not at the head, which may be sent before a handler runs. So
/// a request that has to wait begins and ends later by the time that it waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct End {
    /// End after this many chunks of the body.
    pub first: Option<NonZeroU64>,
    /// End this long after the first chunk of the body.
    pub lasting: Option<Duration>,
}

impl Default for Settings {
    /// Four at once, certificates verified, answers to their end.
    fn default() -> Self {
        Self {
            requests: 4,
            timeout: None,
            insecure: false,
            end: End::default(),
            beside: Vec::new(),
            limit: None,
            http2: Http2::default(),
            cookie_contrast: false,
            versus: None,
        }
    }
}
