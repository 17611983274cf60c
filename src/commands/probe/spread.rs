//! `--spread`: over how many workers and replicas connections fall.

mod flags;
mod text;
mod usage;

use std::error::Error;
use std::io::{self, IsTerminal as _};

use holdup_probe::{Event, Request, SpreadReport, SpreadSettings, Target, spread};
use holdup_verdict::SpreadKind;
use tokio::runtime;

use super::exit::Failed;
use super::expect::Held;
use super::judge::{self, Elsewhere, Found};
use super::write::{self, Forms, Outputs};
use super::{ask, junit, live};
use crate::cli::{Connections, Expectation, Probe};
use crate::commands::{self, terminal};

/// Measures, and prints and writes the report.
pub(super) fn found(options: &Probe, connections: Connections) -> Result<Found, Failed> {
    let asked = asked(options, connections);
    let (target, request, settings) = asked.map_err(|error| Failed::usage(&*error))?;
    let outputs = Outputs::open(options).map_err(|error| Failed::usage(&error))?;
    // With --json and without a terminal, only a program reads the output.
    if !options.prints_json() || io::stderr().is_terminal() {
        commands::say(&usage::announced(&target, &settings));
    }
    let report = measured(options, &target, &request, &settings);
    let report = report.map_err(|error| Failed::measuring(&error))?;
    let forms = forms(options, &report).map_err(|error| Failed::measuring(&error))?;
    let is_written = outputs.write(&forms);
    Ok(Found {
        is_written,
        ..judged(options, &report)
    })
}

/// Judges a report. Without an expectation, the spread should be even.
fn judged(options: &Probe, report: &SpreadReport) -> Found {
    let text = text::text(report, &junit::STYLE);
    let expected = (Expectation::Spread(SpreadKind::Even), &options.expect[..]);
    let elsewhere = report.is_elsewhere().then(|| Elsewhere {
        from: &report.redirected_from[0],
        to: &report.url,
    });
    judge::judge(expected, elsewhere, text, |expected| held(report, expected))
}

fn asked(
    options: &Probe,
    connections: Connections,
) -> Result<(Target, Request, SpreadSettings), Box<dyn Error>> {
    usage::check(options)?;
    let settings = usage::settings(options, connections)?;
    let (target, request) = ask::request(options)?;
    usage::check_beside(&target, &settings)?;
    Ok((target, request, settings))
}

fn measured(
    options: &Probe,
    target: &Target,
    request: &Request,
    settings: &SpreadSettings,
) -> io::Result<SpreadReport> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        let mut live = live::Live::start(options.color, Vec::new());
        let mut observe = |event: Event<'_>| live.on(&event);
        spread(target, request, settings, &mut observe).await
    });
    // Dropping the runtime would wait for a name lookup that is still running.
    runtime.shutdown_background();
    Ok(flags::named(report))
}

fn forms(options: &Probe, report: &SpreadReport) -> serde_json::Result<Forms> {
    let json = write::json(&report.document())?;
    let text = if options.prints_json() {
        json.clone()
    } else {
        text::text(report, &terminal::style(&io::stdout(), options.color))
    };
    // A spread has no picture.
    let svg = String::new();
    Ok(Forms { text, json, svg })
}

/// Whether the spread is as expected.
fn held(report: &SpreadReport, expected: Expectation) -> Held {
    let found = &report.spread;
    if expected == Expectation::Spread(found.kind) {
        return Held::Yes;
    }
    if found.kind == SpreadKind::Inconclusive {
        let why = found.reason.as_ref().map(ToString::to_string);
        return Held::Unknown(why.unwrap_or_default());
    }
    let sentence = found.sentence.trim_end_matches('.');
    Held::No(format!("the spread is {}: {sentence}", found.kind))
}
