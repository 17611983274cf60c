//! The table of what is in the file.

use std::fmt::Write as _;

use crate::outcome::Outcome;
use crate::record::Run;
use crate::rows::{ROWS, Row};

/// How sure a bound is.
const CONFIDENCE: f64 = 0.95;

/// What was counted for a row at one load.
struct Counts {
    busy: usize,
    /// The median of the load averages.
    load: Option<f64>,
    runs: usize,
    /// The check ended red.
    red: usize,
    undecided: usize,
    /// The check ended green.
    green: usize,
}

/// Two tables: healthy servers, and servers that block.
pub(crate) fn markdown(runs: &[Run]) -> String {
    let mut text = String::new();
    for (blocks, title, wrong) in [
        (false, "a healthy server", "false alarms (red)"),
        (true, "a server that blocks", "missed (green)"),
    ] {
        let _ = writeln!(
            text,
            "| {title} is checked by | busy beside | load average | runs | {wrong} | at most, with 95 % confidence | undecided |\n\
             |---|---:|---:|---:|---:|---:|---:|"
        );
        for row in ROWS.iter().filter(|row| row.blocks == blocks) {
            for counts in counts(row, runs) {
                line(&mut text, row, &counts);
            }
        }
        text.push('\n');
    }
    text
}

fn line(text: &mut String, row: &Row, counts: &Counts) {
    let wrong = if row.blocks { counts.green } else { counts.red };
    let load = counts
        .load
        .map_or("—".to_owned(), |load| format!("{load:.1}"));
    let bound = upper_bound(wrong, counts.runs) * 100.0;
    let _ = writeln!(
        text,
        "| {} | {} | {load} | {} | {wrong} | {bound:.2} % | {} |",
        row.name, counts.busy, counts.runs, counts.undecided
    );
}

/// What was counted for a row, at each load.
fn counts(row: &Row, runs: &[Run]) -> Vec<Counts> {
    let of_row = || runs.iter().filter(|run| run.row == row.name);
    let mut loads: Vec<_> = of_row().map(|run| run.busy).collect();
    loads.sort_unstable();
    loads.dedup();
    let counts = loads.into_iter().map(|busy| {
        let at_load = || of_row().filter(|run| run.busy == busy);
        let count = |outcome| at_load().filter(|run| run.outcome == outcome).count();
        let undecided = count(Outcome::Undecided);
        let fails = if row.undecided_fails { undecided } else { 0 };
        Counts {
            busy,
            load: median(at_load().filter_map(|run| run.load).collect()),
            runs: at_load().count(),
            red: count(Outcome::Failed) + fails,
            undecided,
            green: count(Outcome::Passed),
        }
    });
    counts.collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The highest share that still explains so few cases in so many runs (Clopper and Pearson's bound, one-sided):
/// with a higher one, so few would happen in less than 5 % of all experiments. For none, it is about 3 ÷ runs.
fn upper_bound(cases: usize, runs: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    if cases >= runs {
        return high;
    }
    // Each step halves the interval.
    for _ in 0..60 {
        let share = f64::midpoint(low, high);
        if at_most(cases, runs, share) > 1.0 - CONFIDENCE {
            low = share;
        } else {
            high = share;
        }
    }
    high
}

/// The probability of at most `cases` in `runs`, if each run is one with the probability `share`.
#[expect(clippy::cast_precision_loss, reason = "counts of runs")]
fn at_most(cases: usize, runs: usize, share: f64) -> f64 {
    // In logarithms, because the first terms may be too small to be represented.
    let (hit, miss) = (share.ln(), (-share).ln_1p());
    let mut term = runs as f64 * miss;
    let mut sum = term.exp();
    for case in 1..=cases {
        term += ((runs - case + 1) as f64 / case as f64).ln() + hit - miss;
        sum += term.exp();
    }
    sum
}
