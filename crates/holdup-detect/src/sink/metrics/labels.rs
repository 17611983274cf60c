//! The values of the label `route`. Their number is bounded, however many routes an app has.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use holdup_model::{Culprit, Hold, RouteName};

use crate::routes::OTHER_ROUTES;

/// The label for what no watched request did.
pub(super) const UNATTRIBUTED: &str = "unattributed";

/// The most routes that are told apart. A worker tells as many apart.
const ROUTES: usize = 512;

/// The label of a route, such as `GET /report`.
pub(super) fn label(route: &RouteName) -> String {
    if route.route == OTHER_ROUTES {
        OTHER_ROUTES.to_owned()
    } else {
        route.to_string()
    }
}

/// The label of a culprit's route.
pub(super) fn of(culprit: &Culprit) -> String {
    label(&RouteName::new(&culprit.method, &culprit.route))
}

/// How long each route held the worker in a hold, by its label. What no watched request did is in it, so that the sum
/// is the hold's duration.
pub(super) fn shares(hold: &Hold) -> BTreeMap<String, Duration> {
    let mut shares = BTreeMap::new();
    for culprit in &hold.culprits {
        *shares.entry(of(culprit)).or_default() += culprit.busy;
    }
    let known: Duration = shares.values().sum();
    let rest = hold.duration.saturating_sub(known);
    if !rest.is_zero() {
        shares.insert(UNATTRIBUTED.to_owned(), rest);
    }
    shares
}

/// The labels that were used so far.
#[derive(Debug, Default)]
pub(super) struct Labels(HashSet<String>);

impl Labels {
    /// The label to use for this one: `other routes` if there are too many.
    pub(super) fn bounded(&mut self, label: String) -> String {
        if label == UNATTRIBUTED || self.0.contains(&label) {
            return label;
        }
        if self.0.len() >= ROUTES {
            return OTHER_ROUTES.to_owned();
        }
        self.0.insert(label.clone());
        label
    }
}

#[cfg(test)]
mod tests {
    use holdup_model::{HoldKind, Part};

    use super::*;

    #[test]
    fn the_shares_of_a_hold_add_up_to_its_duration() {
        let ms = Duration::from_millis;
        let mut hold = Hold::new(HoldKind::Blocked, 0, ms(10), ms(500));
        let shares_of = |hold: &Hold| {
            let shares = shares(hold).into_iter();
            shares
                .map(|(label, time)| (label, time.as_millis()))
                .collect::<Vec<_>>()
        };
        assert_eq!(shares_of(&hold), [("unattributed".to_owned(), 500)]);
        for (route, part, busy) in [
            ("/a<b", Part::Future, 300),
            ("/c", Part::Body, 100),
            ("/a<b", Part::Body, 80),
        ] {
            hold.culprits
                .push(Culprit::new("GET", route, part, ms(busy)));
        }
        let expected = [("GET /a<b", 380), ("GET /c", 100), ("unattributed", 20)];
        assert_eq!(
            shares_of(&hold),
            expected.map(|(label, ms)| (label.to_owned(), ms))
        );
        // Each of the times is read from a clock of its own, so they may exceed the duration by a little.
        hold.duration = ms(479);
        assert_eq!(shares_of(&hold).len(), 2);
    }

    #[test]
    fn labels_beyond_the_bound_share_one() {
        let mut labels = Labels::default();
        for number in 0..ROUTES + 100 {
            let label = format!("GET /{number}");
            let expected = if number < ROUTES {
                label.as_str()
            } else {
                "other routes"
            };
            assert_eq!(labels.bounded(label.clone()), expected);
        }
        assert_eq!(labels.bounded("GET /3".to_owned()), "GET /3");
        assert_eq!(labels.bounded(UNATTRIBUTED.to_owned()), UNATTRIBUTED);
        assert_eq!(
            label(&RouteName::new("OTHER", OTHER_ROUTES)),
            "other routes"
        );
    }
}
