//! Limits how many holds of one route are logged: a few at once, then one a second. The others are counted.
//! This code reads no clock: the caller passes the time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::record::HoldId;

/// How many holds of a route are logged at once.
const BURST: u32 = 3;

/// After that, one more is logged in each period of this length.
const REFILL: Duration = Duration::from_secs(1);

/// How long the other holds are counted before their number is logged.
const SUMMARY: Duration = Duration::from_secs(10);

/// The most routes that are distinguished. Apps have fewer.
const ROUTES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Limit {
    routes: HashMap<String, Budget>,
    /// The ongoing holds that were logged. Their later log lines are written, too.
    admitted: HashSet<HoldId>,
}

#[derive(Debug)]
struct Budget {
    left: u32,
    refilled: Duration,
    /// The holds that were not logged since `since`.
    left_out: HashSet<HoldId>,
    since: Duration,
}

/// How many holds of a route were not logged, and in what time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) route: String,
    pub(super) holds: usize,
    pub(super) within: Duration,
}

impl Limit {
    /// Whether a log line about this hold of a route is written.
    pub(super) fn admits(&mut self, route: &str, id: HoldId, now: Duration) -> bool {
        if self.admitted.contains(&id) {
            return true;
        }
        if !self.routes.contains_key(route) {
            if self.routes.len() >= ROUTES {
                self.routes.retain(|_, budget| !budget.left_out.is_empty());
            }
            self.routes.insert(
                route.to_owned(),
                Budget {
                    left: BURST,
                    refilled: now,
                    left_out: HashSet::new(),
                    since: now,
                },
            );
        }
        let Some(budget) = self.routes.get_mut(route) else {
            return false;
        };
        let refills = now.saturating_sub(budget.refilled).as_secs() / REFILL.as_secs();
        if refills > 0 {
            let more = u32::try_from(refills).unwrap_or(BURST);
            budget.left = budget.left.saturating_add(more).min(BURST);
            budget.refilled += REFILL * more;
        }
        if budget.left == 0 {
            if budget.left_out.is_empty() {
                budget.since = now;
            }
            budget.left_out.insert(id);
            return false;
        }
        budget.left -= 1;
        budget.left_out.remove(&id);
        self.admitted.insert(id);
        true
    }

    /// Forgets a hold that has no more log lines.
    pub(super) fn forget(&mut self, id: HoldId) {
        self.admitted.remove(&id);
    }

    /// Forgets a withdrawn hold, and does not count it.
    pub(super) fn withdraw(&mut self, id: HoldId) {
        self.forget(id);
        for budget in self.routes.values_mut() {
            budget.left_out.remove(&id);
        }
    }

    /// Returns the summaries that are due.
    pub(super) fn summaries(&mut self, now: Duration) -> Vec<Summary> {
        let mut summaries = Vec::new();
        for (route, budget) in &mut self.routes {
            let within = now.saturating_sub(budget.since);
            if !budget.left_out.is_empty() && within >= SUMMARY {
                summaries.push(Summary {
                    route: route.clone(),
                    holds: budget.left_out.len(),
                    within,
                });
                budget.left_out.clear();
            }
        }
        summaries.sort_by(|one, other| one.route.cmp(&other.route));
        summaries
    }

    /// How long until the next summary is due, if there is one.
    pub(super) fn next_summary(&self, now: Duration) -> Option<Duration> {
        let counting = self.routes.values();
        let counting = counting.filter(|budget| !budget.left_out.is_empty());
        let due = counting.map(|budget| budget.since + SUMMARY).min()?;
        Some(due.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn id(started: u32) -> HoldId {
        HoldId {
            worker: 0,
            started: MS * started,
        }
    }

    #[test]
    fn a_few_holds_of_a_route_are_logged_then_one_a_second_and_the_others_are_counted() {
        let mut limit = Limit::default();
        let mut logged = Vec::new();
        // One hold every tenth of a second, each with two log lines.
        for n in 0..100 {
            let (id, now) = (id(n * 100), MS * n * 100);
            let is_logged = limit.admits("GET /report", id, now);
            assert_eq!(limit.admits("GET /report", id, now + MS * 99), is_logged);
            limit.forget(id);
            if is_logged {
                logged.push(n);
            }
            assert_eq!(limit.summaries(now), [], "not yet");
        }
        assert_eq!(logged, [0, 1, 2, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
        assert_eq!(limit.next_summary(MS * 9_900), Some(MS * 400));
        let summary = Summary {
            route: "GET /report".to_owned(),
            holds: 88,
            within: MS * 10_000,
        };
        assert_eq!(limit.summaries(MS * 10_300), [summary]);
        assert_eq!(limit.next_summary(MS * 10_300), None);
        assert!(limit.summaries(MS * 60_000).is_empty(), "logged once");
    }

    #[test]
    fn routes_are_limited_separately_and_an_ongoing_hold_is_logged_later() {
        let mut limit = Limit::default();
        for n in 0..9 {
            limit.admits("GET /report", id(n), MS * 100);
        }
        assert!(limit.admits("GET /other", id(99), MS * 100));
        assert!(!limit.admits("GET /report", id(8), MS * 999));
        assert!(limit.admits("GET /report", id(8), MS * 1_100));
        // A withdrawn hold is not counted.
        limit.withdraw(id(7));
        let counted = limit.summaries(MS * 60_000);
        assert_eq!(counted[0].holds, 4, "{counted:?}");
    }

    #[test]
    fn memory_stays_bounded_with_unlimited_routes() {
        let mut limit = Limit::default();
        for n in 0..10_000 {
            limit.admits(&format!("GET /{n}"), id(n), MS * n);
            limit.forget(id(n));
        }
        assert!(limit.routes.len() <= ROUTES && limit.admitted.is_empty());
    }
}
