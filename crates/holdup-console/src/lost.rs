//! What requests lost to others, from the watch's sums to the console's own counters.

use std::collections::HashMap;
use std::time::Duration;

use holdup_model::{Blame, RouteName, Victim};

/// How often the sums are read.
const EVERY: Duration = Duration::from_secs(1);

/// The sums that are counted already.
#[derive(Debug, Default)]
pub(super) struct Lost {
    counted: HashMap<(RouteName, Option<RouteName>), Duration>,
    read_at: Option<Duration>,
}

impl Lost {
    /// Whether the sums are to be read at `now`.
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        let is_due = |at: Duration| now.saturating_sub(at) >= EVERY;
        let due = self.read_at.is_none_or(is_due);
        if due {
            self.read_at = Some(now);
        }
        due
    }

    /// What was lost since the last call: the route that lost it, and to whom.
    pub(super) fn news(&mut self, victims: Vec<Victim>) -> Vec<(RouteName, Blame)> {
        let mut news = Vec::new();
        for victim in victims {
            let pair = (victim.route, victim.by);
            let before = self.counted.get(&pair).copied().unwrap_or_default();
            let more = victim.held_up.saturating_sub(before);
            if !more.is_zero() {
                let (route, by) = pair.clone();
                news.push((route, Blame::new(by, more)));
                self.counted.insert(pair, victim.held_up);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_counted_once() {
        let ms = Duration::from_millis;
        let route = |path: &str| RouteName::new("GET", path);
        let victim =
            |by: Option<&str>, held_up| Victim::new(route("/a"), by.map(route), 1, ms(held_up));
        let mut lost = Lost::default();
        let mut news = |victims| {
            let news = lost.news(victims).into_iter();
            news.map(|(of, blame)| {
                assert_eq!(of, route("/a"));
                (blame.by.map(|by| by.route), blame.held_up)
            })
            .collect::<Vec<_>>()
        };
        let b = Some("/b".to_owned());
        assert_eq!(news(vec![victim(Some("/b"), 300)]), [(b.clone(), ms(300))]);
        assert_eq!(news(vec![victim(Some("/b"), 300)]), []);
        assert_eq!(
            news(vec![victim(Some("/b"), 450), victim(None, 50)]),
            [(b, ms(150)), (None, ms(50))]
        );
        let due = [0, 999, 1000, 1500, 2000].map(|now| lost.is_due(ms(now)));
        assert_eq!(due, [true, false, true, false, true]);
    }
}
