//! How late the ticks were.

use serde::Serialize;

use crate::stream::{Arrival, Observed, ms};
use crate::target::Target;

/// Lateness excludes each stream's first tick, which is on time by definition.
#[derive(Debug, Serialize)]
pub(crate) struct Late {
    /// The time from the stream's first tick to tick *k*, minus *k* periods. It is negative when
    /// the first tick was later than tick *k*.
    pub(crate) after_first_tick: Option<Quantiles>,
    /// The same, measured from the tick that kept best to the schedule. A first tick that was late,
    /// because of the network or this client, does not hide lateness here. It is never negative.
    pub(crate) after_best_tick: Option<Quantiles>,
    /// `late_ms` in the ticks' lines: the lateness that the server itself measured.
    pub(crate) server_says: Option<Quantiles>,
    /// The tick with the greatest p99 of all streams, measured from each one's best tick. This is
    /// the last tick, for example, when closing the streams costs the server more than a tick does.
    pub(crate) worst_tick: Option<WorstTick>,
}

#[derive(Debug, Serialize)]
pub(crate) struct WorstTick {
    /// The tick's number; the first is 0.
    pub(crate) k: usize,
    pub(crate) after_best_tick: Quantiles,
}

impl Late {
    pub(crate) fn of(target: &Target, observed: &[Observed]) -> Self {
        let period_ms = ms(target.period);
        let streams = || observed.iter().map(|seen| seen.ticks.as_slice());
        let first = streams().flat_map(|ticks| after_first_tick(ticks, period_ms));
        let best = streams().flat_map(|ticks| after_best_tick(ticks, period_ms));
        let said = streams().flat_map(|ticks| ticks.iter().skip(1).map(|tick| tick.server_late_ms));
        Self {
            after_first_tick: Quantiles::of(first),
            after_best_tick: Quantiles::of(best),
            server_says: Quantiles::of(said),
            worst_tick: WorstTick::of(target, observed),
        }
    }
}

impl WorstTick {
    fn of(target: &Target, observed: &[Observed]) -> Option<Self> {
        let period_ms = ms(target.period);
        let mut ticks = vec![Vec::new(); target.ticks()];
        for seen in observed {
            for (k, late_ms) in (1..).zip(after_best_tick(&seen.ticks, period_ms)) {
                ticks[k].push(late_ms);
            }
        }
        let ticks = ticks.into_iter().enumerate().filter_map(|(k, late_ms)| {
            let after_best_tick = Quantiles::of(late_ms)?;
            Some(Self { k, after_best_tick })
        });
        ticks.max_by(|a, b| a.after_best_tick.p99.total_cmp(&b.after_best_tick.p99))
    }
}

fn after_first_tick(ticks: &[Arrival], period_ms: f64) -> impl Iterator<Item = f64> {
    let schedule = offsets(ticks, period_ms).next().unwrap_or(0.0);
    offsets(ticks, period_ms)
        .skip(1)
        .map(move |offset| offset - schedule)
}

/// How late each tick but the first was, measured from the tick that kept best to the schedule.
pub(crate) fn after_best_tick(ticks: &[Arrival], period_ms: f64) -> impl Iterator<Item = f64> {
    let schedule = offsets(ticks, period_ms).fold(f64::INFINITY, f64::min);
    offsets(ticks, period_ms)
        .skip(1)
        .map(move |offset| offset - schedule)
}

/// Each tick's arrival minus its place in the schedule. All are equal if no tick is late.
fn offsets(ticks: &[Arrival], period_ms: f64) -> impl Iterator<Item = f64> {
    let places = (0u16..).map(f64::from);
    ticks
        .iter()
        .zip(places)
        .map(move |(tick, k)| tick.at_ms - k * period_ms)
}

/// Quantiles of all values, without sampling or buckets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Quantiles {
    /// `None` if there are no values. A quantile is the smallest value that this share of all
    /// values does not exceed.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |per_mille: usize| {
            let rank = (values.len() * per_mille).div_ceil(1000);
            values.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            p50: at(500)?,
            p99: at(990)?,
            p999: at(999)?,
            max: at(1000)?,
        })
    }
}
