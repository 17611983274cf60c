//! Made-up measurements, and simulated ones.

mod began;
mod beside;
mod bystanders;
mod connection;
mod contrasts;
mod dice;
mod experiment;
mod hurry;
mod identical;
mod limit;
mod rules;
pub(super) mod server;
mod simulated;
mod spread;

use std::time::Duration;

use holdup_model::Lane;

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A lane asked at zero and answered well after so many milliseconds.
pub(super) fn answered(after: u64) -> Lane {
    with_body(after, "the same for all")
}

pub(super) fn with_body(after: u64, body: &str) -> Lane {
    let mut lane = Lane::start("/", ms(0));
    lane.record_head(ms(after), 200);
    lane.record_chunk(ms(after), body.as_bytes());
    lane.finish(ms(after));
    lane
}

pub(super) fn lanes(times: &[u64]) -> Vec<Lane> {
    times.iter().map(|after| answered(*after)).collect()
}
