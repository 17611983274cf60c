//! The settings of a watch.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holdup_model::Hold;

/// The default threshold: the least duration of a hold.
///
/// Long enough that scheduling noise on a busy machine rarely reaches it (50 ms thresholds gave
/// false alarms of 58 to 71 ms in other projects' CI), and as long as a person takes for "at once"
/// (J. Nielsen, *Usability Engineering*, 1993). Python's asyncio warns at the same 100 ms.
pub const THRESHOLD: Duration = Duration::from_millis(100);

/// The level of the log lines about holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// The level `ERROR`.
    Error,
    /// The level `WARN`, which is the default.
    Warn,
    /// The level `INFO`.
    Info,
    /// The level `DEBUG`.
    Debug,
    /// The level `TRACE`.
    Trace,
}

/// A function that is called with each hold.
pub(crate) type Callback = Arc<dyn Fn(&Hold) + Send + Sync>;

/// How long one route may hold a worker without a log line and without failing an assertion.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    method: String,
    route: String,
    most: Duration,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) threshold: Duration,
    pub(crate) records_query: bool,
    pub(crate) log: Option<LogLevel>,
    pub(crate) allowances: Vec<Allowance>,
    pub(crate) callbacks: Vec<Callback>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: THRESHOLD,
            records_query: false,
            log: Some(LogLevel::Warn),
            allowances: Vec::new(),
            callbacks: Vec::new(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("threshold", &self.threshold)
            .field("records_query", &self.records_query)
            .field("log", &self.log)
            .field("allowances", &self.allowances)
            .field("callbacks", &self.callbacks.len())
            .finish()
    }
}

impl Settings {
    /// Allows a route, written as its method and pattern, to hold a worker for up to `most`. Returns false if
    /// `route` is not written like this.
    pub(crate) fn allow(&mut self, route: &str, most: Duration) -> bool {
        let Some((method, pattern)) = route.split_once(' ') else {
            return false;
        };
        if method.is_empty() || pattern.is_empty() || pattern.contains(' ') {
            return false;
        }
        self.allowances.push(Allowance {
            method: method.to_owned(),
            route: pattern.to_owned(),
            most,
        });
        true
    }

    /// Whether the hold is allowed. It is if the route of each culprit may hold a worker for as long as it
    /// did, and if the rest of the hold is shorter than the threshold.
    pub(crate) fn allows(&self, hold: &Hold) -> bool {
        let is_allowed = |culprit: &holdup_model::Culprit| {
            self.allowances.iter().any(|allowance| {
                allowance.method == culprit.method
                    && allowance.route == culprit.route
                    && culprit.busy <= allowance.most
            })
        };
        let busy: Duration = hold.culprits.iter().map(|culprit| culprit.busy).sum();
        !hold.culprits.is_empty()
            && hold.culprits.iter().all(is_allowed)
            && hold.duration.saturating_sub(busy) < self.threshold
    }
}

#[cfg(test)]
mod tests {
    use holdup_model::{Culprit, HoldKind, Part};

    use super::*;

    fn hold(ms: u64, culprits: &[(&str, u64)]) -> Hold {
        let ms_of = Duration::from_millis;
        let mut hold = Hold::new(HoldKind::Blocked, 0, Duration::ZERO, ms_of(ms));
        let culprits = culprits.iter();
        let culprit =
            |&(route, busy): &(&str, u64)| Culprit::new("GET", route, Part::Future, ms_of(busy));
        hold.culprits = culprits.map(culprit).collect();
        hold
    }

    #[test]
    fn a_hold_is_allowed_if_all_its_culprits_and_the_rest_are() {
        let mut settings = Settings::default();
        assert!(settings.allow("GET /report", Duration::from_millis(300)));
        for (hold, allowed) in [
            (hold(250, &[("/report", 250)]), true),
            (hold(301, &[("/report", 301)]), false),
            // Two such requests in one loop iteration.
            (hold(500, &[("/report", 250), ("/report", 250)]), true),
            (hold(300, &[("/report", 250), ("/other", 50)]), false),
            // Something other than the request took 90 ms.
            (hold(340, &[("/report", 250)]), true),
            (hold(350, &[("/report", 250)]), false),
            (hold(250, &[]), false),
        ] {
            assert_eq!(settings.allows(&hold), allowed, "{hold}");
        }
    }

    #[test]
    fn a_route_is_a_method_and_a_pattern() {
        let mut settings = Settings::default();
        for route in ["", "/report", "GET", "GET ", " /report", "GET /a b"] {
            assert!(!settings.allow(route, Duration::from_secs(1)), "{route:?}");
        }
        assert!(settings.allow("GET /users/{id}", Duration::from_secs(1)));
    }
}
