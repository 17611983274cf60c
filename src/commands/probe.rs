//! `holdup probe`: measures a URL, and shows the requests and the verdict.

mod announce;
mod ask;
mod exit;
mod expect;
mod flags;
mod inside;
mod live;
mod picture;
mod screen;
mod show;
mod spread;
mod usage;

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use holdup_probe::{BadConsole, Event, Inside, Report, Request, Settings, Target, probe};
use holdup_verdict::Kind;
use tokio::runtime;

use super::{open_files, terminal};
use crate::cli::{Expectation, Probe};
use expect::{Facts, Held};

pub(crate) fn run(options: &Probe) -> ExitCode {
    if let Some(connections) = options.spread {
        return spread::run(options, connections).into();
    }
    let asked = asked(options).and_then(|asked| Ok((asked, console(options)?)));
    let ((target, request, settings), console) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("holdup: {error}");
            return exit::USAGE.into();
        }
    };
    // With --json and without a terminal, only a program reads the output.
    if let Some(text) = announce::text(&target, &settings, console.as_ref())
        && (!options.json || io::stderr().is_terminal())
    {
        eprint!("{text}");
    }
    match measured(options, &target, &request, settings, console.as_ref()) {
        Ok(report) => code(&report, &options.expect).into(),
        Err(error) => {
            if let Some(bad) = error.downcast_ref() {
                eprintln!("holdup: {}", flags::bad_console(bad));
                return exit::USAGE.into();
            }
            eprintln!("holdup: {error}");
            exit::NO.into()
        }
    }
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
        eprintln!("holdup: {why}");
    }
    let report = flags::named(report);
    // Dropping the runtime would wait for a name lookup that is still running.
    runtime.shutdown_background();

    if let Some(file) = &options.svg {
        let lead = show::lead(&report);
        fs::write(file, picture::svg(&report, lead.as_deref()))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    super::print(&text(options, &report)?)?;
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

fn text(options: &Probe, report: &Report) -> Result<String, Box<dyn Error>> {
    if options.json {
        return Ok(serde_json::to_string_pretty(&report.document())? + "\n");
    }
    let style = terminal::style(&io::stdout(), options.color);
    Ok(show::text(report, &style))
}

fn code(report: &Report, expected: &[Expectation]) -> u8 {
    if expected.is_empty() {
        return match report.found.verdict.kind {
            Kind::Concurrent => 0,
            Kind::Serialized | Kind::Limited => exit::NO,
            _ => exit::INCONCLUSIVE,
        };
    }
    if report.is_elsewhere() {
        eprintln!(
            "holdup: {} redirects to another page, {}, but --expect judges the page that was given. \
             Give the URL of that other page, or send what keeps the server from redirecting (for \
             example, the cookie of a log-in with -H)",
            report.redirected_from[0], report.url
        );
        return exit::INCONCLUSIVE;
    }
    let facts = Facts::of(report);
    let mut code = 0;
    for expected in expected {
        match facts.hold(*expected) {
            Held::Yes => {}
            Held::No(found) => {
                eprintln!("holdup: expected {expected}, but {found}");
                code = exit::NO;
            }
            Held::Unknown(why) => {
                eprintln!("holdup: expected {expected}, which cannot be told: {why}");
                if code == 0 {
                    code = exit::INCONCLUSIVE;
                }
            }
        }
    }
    code
}
