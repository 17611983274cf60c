//! Whether the hub rests: nobody reads, and nothing happens. It then waits for an event or a question, and keeps no
//! beat. This code reads no clock.

use std::time::Duration;

/// How long nothing has to happen before the hub rests. The sums of what requests lost are read once a second, so all
/// of them are read before.
const AFTER: Duration = Duration::from_secs(2);

/// Since when nothing has happened.
#[derive(Debug, Default)]
pub(super) struct Rest {
    active: Duration,
    rests: bool,
}

impl Rest {
    /// Notes at the end of a turn whether something happened in it, or may happen without an event.
    pub(super) fn note(&mut self, is_active: bool, now: Duration) {
        if is_active {
            self.active = now;
        }
        self.rests = now.saturating_sub(self.active) >= AFTER;
    }

    /// Whether the hub rests until something happens.
    pub(super) fn is_on(&self) -> bool {
        self.rests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_when_nothing_has_happened_for_two_seconds() {
        let mut rest = Rest::default();
        let mut rests = Vec::new();
        for beat in 1..100 {
            let now = Duration::from_millis(50 * beat);
            rest.note(matches!(beat, 20 | 70), now);
            rests.push(rest.is_on());
        }
        let begins = rests.windows(2).filter(|two| two == &[false, true]).count();
        assert_eq!(begins, 1);
        assert_eq!(rests.iter().position(|&rests| rests), Some(59));
        assert_eq!(rests.iter().rposition(|&rests| rests), Some(68));
    }
}
