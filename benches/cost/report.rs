//! What came of it, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use crate::figures::Middle;
use crate::plan::{Kind, Mode};
use crate::rounds::Blocks;
use crate::server::Block;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) rounds: u16,
    /// How long each server was loaded in each round.
    pub(crate) slice_ms: u16,
    pub(crate) modes: Vec<OfMode>,
}

#[derive(Debug, Serialize)]
pub(crate) struct OfMode {
    #[serde(flatten)]
    mode: Mode,
    /// Whether the server's workers have a core each, and the load another one.
    apart: bool,
    read_bytes: u64,
    times_connected: u64,
    kinds: Vec<OfKind>,
}

#[derive(Debug, Serialize)]
struct OfKind {
    kind: Kind,
    per_second: Middle,
    cpu_us: Middle,
    /// Divided by those of the bare app in the same round.
    throughput_ratio: Middle,
    cpu_ratio: Middle,
    /// Everything, round by round.
    blocks: Vec<Block>,
}

pub(crate) fn of_mode(mode: &Mode, blocks: &Blocks) -> OfMode {
    let bare = &blocks.of_kind[0];
    let kinds = Kind::ALL.into_iter().zip(&blocks.of_kind);
    let kinds = kinds.map(|(kind, its)| OfKind {
        kind,
        per_second: Middle::of(its.iter().map(|block| block.per_second).collect()),
        cpu_us: Middle::of(its.iter().map(|block| block.cpu_us).collect()),
        throughput_ratio: ratio(its, bare, |block| block.per_second),
        cpu_ratio: ratio(its, bare, |block| block.cpu_us),
        blocks: its.clone(),
    });
    OfMode {
        mode: *mode,
        apart: blocks.apart,
        read_bytes: blocks.read_bytes,
        times_connected: blocks.times_connected,
        kinds: kinds.collect(),
    }
}

fn ratio(these: &[Block], bare: &[Block], figure: impl Fn(&Block) -> f64) -> Middle {
    let rounds = these.iter().zip(bare);
    Middle::of(
        rounds
            .map(|(this, bare)| figure(this) / figure(bare))
            .collect(),
    )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds, slice_ms, ..
        } = self;
        writeln!(
            f,
            "{rounds} rounds, {slice_ms} ms for each app in each; medians, ± half of the 95 % interval"
        )?;
        for mode in &self.modes {
            write!(f, "\n{mode}")?;
        }
        Ok(())
    }
}

impl fmt::Display for OfMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mode {
            workers,
            connections,
            ..
        } = self.mode;
        let workers = match workers {
            1 => "1 worker".to_owned(),
            more => format!("{more} workers"),
        };
        let cores = if self.apart {
            "the load has a core of its own"
        } else {
            "the load shares the cores"
        };
        writeln!(f, "{workers}, {connections} connections; {cores}")?;
        writeln!(
            f,
            "{:<21}{:>12}{:>16}{:>24}{:>24}",
            "", "requests/s", "CPU µs/request", "requests/s ÷ bare", "CPU/request ÷ bare"
        )?;
        for its in &self.kinds {
            writeln!(
                f,
                "{:<21}{:>12.0}{:>16.3}{:>24}{:>24}",
                its.kind.shown(),
                its.per_second.median,
                its.cpu_us.median,
                shown(its.throughput_ratio),
                shown(its.cpu_ratio)
            )?;
        }
        let (megabytes, times) = (self.read_bytes as f64 / 1e6, self.times_connected);
        writeln!(
            f,
            "the console's reader got {megabytes:.1} MB and was connected {times} times"
        )
    }
}

fn shown(ratio: Middle) -> String {
    match ratio.noise() {
        Some(noise) => format!("{:.4} ± {noise:.4}", ratio.median),
        None => format!("{:.4}", ratio.median),
    }
}
