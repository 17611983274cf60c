//! The settings of a watch.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holdup_model::Hold;

/// A hold lasts at least this long, unless the watch has another threshold.
///
/// Long enough that scheduling noise on a busy machine rarely reaches it (50 ms thresholds gave
/// false alarms of 58 to 71 ms in other projects' CI), and as long as a person takes for "at once"
/// (J. Nielsen, *Usability Engineering*, 1993). Python's asyncio warns at the same 100 ms.
pub const THRESHOLD: Duration = Duration::from_millis(100);

/// How severe the log's lines about holds are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// Errors.
    Error,
    /// Warnings, as it is by default.
    Warn,
    /// Information.
    Info,
    /// For debugging.
    Debug,
    /// The most detailed.
    Trace,
}

/// What is called with each hold.
pub(crate) type Callback = Arc<dyn Fn(&Hold) + Send + Sync>;

/// How long holds by one route may last without being logged and asserted on.
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
    /// Allows a route, written as its method and pattern, to hold a worker that long. False if that is
    /// not how a route is written.
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

    /// Whether the hold is allowed: each request that held the worker is of a route that may take so long,
    /// and what else happened in it would not be a hold by itself.
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
    fn a_hold_is_allowed_when_all_of_it_is() {
        let mut settings = Settings::default();
        assert!(settings.allow("GET /report", Duration::from_millis(300)));
        for (hold, allowed) in [
            (hold(250, &[("/report", 250)]), true),
            (hold(301, &[("/report", 301)]), false),
            // Two of them in one loop iteration.
            (hold(500, &[("/report", 250), ("/report", 250)]), true),
            (hold(300, &[("/report", 250), ("/other", 50)]), false),
            // Something else took long as well.
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
