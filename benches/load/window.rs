//! The run in periods of one length, so that a change of the surroundings during the run shows.

use serde::Serialize;

use crate::late::{Quantiles, after_best_tick};
use crate::ourselves::Ourselves;
use crate::stream::{Observed, ms};
use crate::target::Target;

/// What arrived in one period.
#[derive(Debug, Serialize)]
pub(crate) struct Window {
    /// Times on this machine's monotonic clock, for tools that change or measure something meanwhile.
    from_s: f64,
    to_s: f64,
    /// How many ticks arrived, without the first of each stream, which is on time by definition.
    ticks: usize,
    /// How many streams had their first tick.
    opened: usize,
    /// The ticks' lateness, each measured from its stream's best tick in the whole run.
    after_best_tick: Option<Quantiles>,
    /// The lateness that the server itself measured.
    server_says: Option<Quantiles>,
    /// How late the client's own timers fired.
    client_gap_ms: Option<Quantiles>,
}

/// What is known of a period before it is summed up.
#[derive(Debug, Default, Clone)]
struct Gathered {
    opened: usize,
    late_ms: Vec<f64>,
    server_late_ms: Vec<f64>,
    gaps_ms: Vec<f64>,
}

/// Cuts the run into periods. What is left over at the end is not reported.
pub(crate) fn windows(
    length_ms: f64,
    makespan_ms: f64,
    target: &Target,
    observed: &[Observed],
    ourselves: &Ourselves,
) -> Vec<Window> {
    #[expect(
        clippy::cast_sign_loss,
        reason = "times count from the beginning, so none is negative"
    )]
    let index = |at_ms: f64| (at_ms / length_ms) as usize;
    let mut all = vec![Gathered::default(); index(makespan_ms)];
    for Observed { ticks, .. } in observed {
        let Some(first) = ticks.first() else { continue };
        if let Some(window) = all.get_mut(index(first.at_ms)) {
            window.opened += 1;
        }
        let late_ms = after_best_tick(ticks, ms(target.period));
        for (tick, late_ms) in ticks.iter().skip(1).zip(late_ms) {
            if let Some(window) = all.get_mut(index(tick.at_ms)) {
                window.late_ms.push(late_ms);
                window.server_late_ms.push(tick.server_late_ms);
            }
        }
    }
    for gap in &ourselves.gaps {
        if let Some(window) = all.get_mut(index(gap.at_ms)) {
            window.gaps_ms.push(gap.late_ms);
        }
    }
    let start_s = ourselves.started.as_secs_f64();
    let sum_up = |(number, window): (u32, Gathered)| Window {
        from_s: start_s + f64::from(number) * length_ms / 1e3,
        to_s: start_s + f64::from(number + 1) * length_ms / 1e3,
        ticks: window.late_ms.len(),
        opened: window.opened,
        after_best_tick: Quantiles::of(window.late_ms),
        server_says: Quantiles::of(window.server_late_ms),
        client_gap_ms: Quantiles::of(window.gaps_ms),
    };
    (0..).zip(all).map(sum_up).collect()
}
