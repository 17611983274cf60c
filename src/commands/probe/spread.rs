//! `--spread`: over how many workers and replicas connections fall.

mod flags;
mod text;
mod usage;

use std::error::Error;
use std::io::{self, IsTerminal as _};

use holdup_probe::{Event, Request, SpreadReport, SpreadSettings, Target, spread};
use holdup_verdict::SpreadKind;
use tokio::runtime;

use super::{ask, exit, live};
use crate::cli::{Connections, Expectation, Probe};
use crate::commands::{self, terminal};

/// Measures, prints what was found, and returns the exit code.
pub(super) fn run(options: &Probe, connections: Connections) -> u8 {
    let (target, request, settings) = match asked(options, connections) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("holdup: {error}");
            return exit::USAGE;
        }
    };
    // With --json and without a terminal, only a program reads the output.
    if !options.json || io::stderr().is_terminal() {
        eprint!("{}", usage::announced(&target, &settings));
    }
    match measured(options, &target, &request, &settings) {
        Ok(report) => code(&report, &options.expect),
        Err(error) => {
            eprintln!("holdup: {error}");
            exit::NO
        }
    }
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
) -> Result<SpreadReport, Box<dyn Error>> {
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
    let report = flags::named(report);
    let text = if options.json {
        serde_json::to_string_pretty(&report.document())? + "\n"
    } else {
        text::text(&report, &terminal::style(&io::stdout(), options.color))
    };
    commands::print(&text)?;
    Ok(report)
}

fn code(report: &SpreadReport, expected: &[Expectation]) -> u8 {
    let found = report.spread.kind;
    if expected.is_empty() {
        return match found {
            SpreadKind::Even => 0,
            SpreadKind::Uneven => exit::NO,
            _ => exit::INCONCLUSIVE,
        };
    }
    if report.is_elsewhere() {
        eprintln!(
            "holdup: {} redirects to another page, {}, but --expect judges the page that was given. Give the URL \
             of that other page, or send what keeps the server from redirecting",
            report.redirected_from[0], report.url
        );
        return exit::INCONCLUSIVE;
    }
    // Several can only be the same one.
    let Some(expected) = expected.first() else {
        return 0;
    };
    match expected {
        Expectation::Spread(kind) if *kind == found => 0,
        _ if found == SpreadKind::Inconclusive => {
            let reason = report.spread.reason.as_ref();
            let why = reason.map(ToString::to_string).unwrap_or_default();
            eprintln!("holdup: expected {expected}, which cannot be told: {why}");
            exit::INCONCLUSIVE
        }
        _ => {
            let sentence = report.spread.sentence.trim_end_matches('.');
            eprintln!("holdup: expected {expected}, but the spread is {found}: {sentence}");
            exit::NO
        }
    }
}
