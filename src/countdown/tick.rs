//! The schedule: when each tick is due, and how late it was.

use std::time::Duration;

use tokio::time::Instant;

/// The ticks of one countdown after which it waits: `from`, …, 2, 1.
///
/// Tick *k* is due `k × period` after the first tick, no matter how late earlier ticks were, so
/// lateness does not accumulate. The first tick is due when it is asked for. The last tick, 0, is
/// not followed by a wait, so it is not among these; [`Tick::following`] of the tick before creates
/// it.
///
/// It keeps no tick, so that it is small: each stream holds two of these for as long as it lasts, the
/// one that its loop was given and the one that the loop goes through.
#[derive(Debug, Clone)]
pub struct Ticks {
    from: u16,
    /// How many there were so far.
    number: u16,
    period: Duration,
    /// Once there was a first one.
    first_at: Option<Instant>,
}

impl Ticks {
    /// Counts down from `from`, one tick every `period`.
    pub fn new(from: u16, period: Duration) -> Self {
        Self {
            from,
            number: 0,
            period,
            first_at: None,
        }
    }
}

impl Iterator for Ticks {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        let number = self.number;
        if number == self.from {
            return None;
        }
        self.number += 1;
        Some(Tick::new(
            self.from - number,
            number,
            self.period,
            *self.first_at.get_or_insert_with(Instant::now),
        ))
    }
}

/// One tick, with the time at which it was created. Each stream holds several, so a tick contains
/// nothing that follows from the rest, such as when it was due.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    remaining: u16,
    /// How many there were before it.
    number: u16,
    period: Duration,
    first_at: Instant,
    /// When it was created, from the first tick on.
    at: Duration,
}

impl Tick {
    /// A tick that is created now.
    fn new(remaining: u16, number: u16, period: Duration, first_at: Instant) -> Self {
        Self {
            remaining,
            number,
            period,
            first_at,
            // The first one is on time by definition.
            at: if number == 0 {
                Duration::ZERO
            } else {
                first_at.elapsed()
            },
        }
    }

    /// The next tick, created now.
    #[must_use]
    pub fn following(self) -> Self {
        let remaining = self.remaining.saturating_sub(1);
        Self::new(
            remaining,
            self.number.saturating_add(1),
            self.period,
            self.first_at,
        )
    }

    /// The number of ticks that follow it.
    pub fn remaining(self) -> u16 {
        self.remaining
    }

    /// The time until the next tick is due, or zero if it is overdue.
    pub fn pause(self) -> Duration {
        let next = self.due() + self.period;
        next.saturating_sub(self.first_at.elapsed())
    }

    /// The time from the first tick to this one.
    pub fn elapsed(self) -> Duration {
        self.at
    }

    /// How late this tick was created.
    pub fn late(self) -> Duration {
        self.at.saturating_sub(self.due())
    }

    /// When it was due, from the first tick on.
    fn due(self) -> Duration {
        self.period * u32::from(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_late_tick_does_not_delay_the_schedule() {
        let period = Duration::from_secs(1);
        let mut seen = Vec::new();
        let mut last = None;
        for tick in Ticks::new(3, period) {
            seen.push((
                tick.remaining(),
                tick.elapsed().as_millis(),
                tick.late().as_millis(),
            ));
            // Only the work of the second tick overruns, by 400 ms.
            let overrun = if tick.remaining() == 2 { 400 } else { 0 };
            tokio::time::sleep(tick.pause() + Duration::from_millis(overrun)).await;
            last = Some(tick);
        }
        let end = last.expect("three ticks were seen").following();
        seen.push((
            end.remaining(),
            end.elapsed().as_millis(),
            end.late().as_millis(),
        ));

        assert_eq!(
            seen,
            [(3, 0, 0), (2, 1000, 0), (1, 2400, 400), (0, 3000, 0)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_pause_before_an_overdue_tick() {
        let tick = Ticks::new(1, Duration::from_millis(10))
            .next()
            .expect("one tick");
        tokio::time::advance(Duration::from_millis(25)).await;
        assert_eq!(tick.pause(), Duration::ZERO);
    }
}
