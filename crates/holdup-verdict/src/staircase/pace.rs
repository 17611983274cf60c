//! What all rules for staircases share: what one request takes alone, the pace of a queue, and the tolerances
//! for both.

/// Added to every tolerance, in seconds: a machine's own delays do not shrink with the pace. In
/// paces, it never adds more than [`MAX_NOISE`].
pub(super) const NOISE: f64 = 0.010;
pub(super) const MAX_NOISE: f64 = 0.08;

/// The pace of a queue may differ from the solo time by this factor either way: several requests at
/// once have caches to share and cores to fight for.
pub(super) const PACE_DRIFT: f64 = 1.35;

/// An answer that takes less than this fraction of the solo time came from somewhere else. Work that varies
/// by a quarter does not come near it.
pub(super) const FASTER: f64 = 0.6;

/// Up to this factor of the solo time a request is as fast as alone: work that varies by a tenth either way
/// and a busy machine stay below it; waiting half a step does not.
pub(super) const PROMPT: f64 = 1.35;

/// How far the number of cores that requests share may be from a whole number: as a fraction of it, and at
/// most.
pub(super) const SHARE_TOLERANCE: f64 = 0.15;
pub(super) const MAX_SHARE_TOLERANCE: f64 = 0.25;

/// What one request takes alone: the shorter and the longer measurement, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Solo {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The pace that brings `turns` closest to `times` (least squares).
pub(super) fn pace(times: &[f64], turns: &[usize]) -> f64 {
    let turns = || turns.iter().map(|turn| *turn as f64);
    let both: f64 = times.iter().zip(turns()).map(|(t, turn)| t * turn).sum();
    both / turns().map(|turn| turn * turn).sum::<f64>()
}

/// The longest time of a request that did not wait.
pub(super) fn prompt(solo: Solo) -> f64 {
    PROMPT * solo.high + noise(solo.high)
}

pub(super) fn noise(pace: f64) -> f64 {
    NOISE.min(MAX_NOISE * pace)
}
