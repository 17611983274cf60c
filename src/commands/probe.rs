//! `holdup probe`: measures a URL, and shows the requests and the verdict.

mod announce;
mod ask;
mod exit;
mod expect;
mod flags;
mod inside;
mod judge;
mod junit;
mod live;
mod picture;
mod screen;
mod show;
mod spread;
mod usage;
mod write;

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Instant;

use holdup_probe::{BadConsole, Event, Inside, Report, Request, Settings, Target, probe};
use tokio::runtime;

use super::{open_files, terminal};
use crate::cli::Probe;
use exit::Failed;
use judge::Found;
use write::{Forms, Output, Outputs};

pub(crate) fn run(options: &Probe) -> ExitCode {
    let begun = Instant::now();
    let junit = options.junit.as_deref();
    let junit = match junit.map(|path| Output::open("--junit", path)).transpose() {
        Ok(junit) => junit,
        Err(error) => {
            super::warn(error);
            return exit::USAGE.into();
        }
    };
    let found = match options.spread {
        Some(connections) => spread::found(options, connections),
        None => found(options),
    };
    if let Err(failed) = &found {
        super::warn(&failed.message);
    }
    let mut is_written = true;
    if let Some(file) = junit {
        let document = match &found {
            Ok(found) => junit::document(options, found, begun.elapsed()),
            Err(failed) => junit::broken(options, &failed.message, begun.elapsed()),
        };
        is_written = file.write(&document);
    }
    match found {
        Ok(found) if !(is_written && found.is_written) => exit::FAILED.into(),
        Ok(found) => found.code.into(),
        Err(failed) => failed.code.into(),
    }
}

/// Measures, and prints and writes the report.
fn found(options: &Probe) -> Result<Found, Failed> {
    let (target, request, settings) = asked(options).map_err(|error| Failed::usage(&*error))?;
    let console = console(options).map_err(|error| Failed::usage(&*error))?;
    let outputs = Outputs::open(options).map_err(|error| Failed::usage(&error))?;
    // With --json and without a terminal, only a program reads the output.
    if let Some(text) = announce::text(&target, &settings, console.as_ref())
        && (!options.prints_json() || io::stderr().is_terminal())
    {
        super::say(&text);
    }
    let measured = measured(options, &target, &request, settings, console.as_ref());
    let report = measured.map_err(|error| match error.downcast_ref() {
        Some(bad) => Failed::usage(&flags::bad_console(bad)),
        None => Failed::measuring(&*error),
    })?;
    let forms = forms(options, &report).map_err(|error| Failed::measuring(&error))?;
    let is_written = outputs.write(&forms);
    let text = show::text(&report, &junit::STYLE);
    let found = judge::judged(&report, &options.expect, text);
    Ok(Found {
        is_written,
        ..found
    })
}

fn asked(options: &Probe) -> Result<(Target, Request, Settings), Box<dyn Error>> {
    usage::check_ids(options.id_header.is_some(), options.id_json.is_some())?;
    let open_files = open_files::raise();
    let others = usage::connections_beside(options.beside.len());
    open_files::check_requests(open_files, others, "-n", options.requests)?;
    let (target, request) = ask::request(options)?;
    let settings = settings(options)?;
    if let Some(most) = settings.limit {
        open_files::check_requests(open_files, others, "--max", most)?;
    }
    usage::check(&target, &request, &settings, &options.expect)?;
    Ok((target, request, settings))
}

fn settings(options: &Probe) -> Result<Settings, Box<dyn Error>> {
    let mut settings = Settings::default();
    settings.requests = options.requests;
    settings.timeout = options.timeout;
    settings.insecure = options.insecure;
    settings.end.first = options.first;
    settings.end.lasting = options.lasting;
    contrasts(options, &mut settings)?;
    Ok(settings)
}

/// The console that is to be followed.
fn console(options: &Probe) -> Result<Option<Target>, Box<dyn Error>> {
    let console = options.console.as_deref().map(Target::parse).transpose();
    console.map_err(|error| flags::bad_console_url(&error).into())
}

fn measured(
    options: &Probe,
    target: &Target,
    request: &Request,
    settings: Settings,
    console: Option<&Target>,
) -> Result<Report, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        let watching = match console {
            Some(console) => Some(Inside::connect(console, options.insecure).await?),
            None => None,
        };
        let mut live = live::Live::start(options.color, settings.names(target).beside);
        let mut observe = |event: Event<'_>| live.on(&event);
        let report = probe(target, request, settings, &mut observe).await;
        Ok::<_, BadConsole>(match watching {
            Some(watching) => report.with_inside(watching.finish().await),
            None => report,
        })
    })?;
    if let Some(why) = report.inside().and_then(|inside| inside.cut_off.as_ref()) {
        super::warn(why);
    }
    let report = flags::named(report, options.http1);
    // Dropping the runtime would wait for a name lookup that is still running.
    runtime.shutdown_background();
    Ok(report)
}

/// The contrasts that the options ask for.
fn contrasts(options: &Probe, settings: &mut Settings) -> Result<(), Box<dyn Error>> {
    for url in &options.beside {
        settings.beside.push(ask::other("--beside", url)?);
    }
    if let Some(url) = &options.versus {
        settings.versus = Some(ask::other("--versus", url)?);
    }
    settings.limit = usage::most(options.limit, options.max, options.requests)?;
    settings.cookie_contrast = options.cookie_contrast;
    settings.http2 = usage::http2(options.http1, options.http2)?;
    Ok(())
}

fn forms(options: &Probe, report: &Report) -> serde_json::Result<Forms> {
    let json = write::json(&report.document())?;
    let text = if options.prints_json() {
        json.clone()
    } else {
        show::text(report, &terminal::style(&io::stdout(), options.color))
    };
    let svg = picture::svg(report, show::lead(report).as_deref());
    Ok(Forms { text, json, svg })
}
