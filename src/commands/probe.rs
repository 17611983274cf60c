//! `holdup probe`: measures a URL, and shows the requests and the verdict.

mod flags;
mod inside;
mod live;
mod screen;
mod show;

use std::error::Error;
use std::fs;
use std::io;
use std::process::ExitCode;

use holdup_model::HumanDuration;
use holdup_probe::{BadConsole, Event, Inside, Report, Request, Settings, Target, probe};
use holdup_verdict::Kind;
use tokio::runtime;

use super::open_files;
use crate::cli::Probe;

/// The exit code for serialized or limited requests, an unexpected verdict, or a probe that failed.
const EXIT_NO: u8 = 1;
const EXIT_USAGE: u8 = 2;
const EXIT_INCONCLUSIVE: u8 = 3;

pub(crate) fn run(options: &Probe) -> ExitCode {
    let asked = asked(options).and_then(|asked| Ok((asked, console(options)?)));
    let ((target, request), console) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("holdup: {error}");
            return EXIT_USAGE.into();
        }
    };
    match measured(options, &target, &request, console.as_ref()) {
        Ok(report) => code(&report, options.expect).into(),
        Err(error) => {
            if let Some(bad) = error.downcast_ref() {
                eprintln!("holdup: {}", flags::bad_console(bad));
                return EXIT_USAGE.into();
            }
            eprintln!("holdup: {error}");
            EXIT_NO.into()
        }
    }
}

fn asked(options: &Probe) -> Result<(Target, Request), Box<dyn Error>> {
    open_files::check_requests(open_files::raise(), options.requests)?;
    let (lasting, timeout) = (options.lasting, options.timeout);
    if let Some((lasting, timeout)) = lasting.zip(timeout).filter(|(long, most)| long >= most) {
        let error = format!(
            "--for is {}, but must be shorter than the longest time for one request, {} (--timeout)",
            HumanDuration(lasting),
            HumanDuration(timeout)
        );
        return Err(error.into());
    }
    let target = Target::parse(&options.url).map_err(|error| flags::bad_url(&error))?;
    let mut request = Request::default();
    if let Some(body) = &options.body {
        request = request.method("POST")?.body(body.as_str());
    }
    if let Some(method) = &options.method {
        request = request.method(method)?;
    }
    for header in &options.headers {
        request = request.header(header)?;
    }
    Ok((target, request))
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
    console: Option<&Target>,
) -> Result<Report, Box<dyn Error>> {
    let mut settings = Settings::default();
    settings.requests = options.requests;
    settings.timeout = options.timeout;
    settings.insecure = options.insecure;
    settings.end.first = options.first;
    settings.end.lasting = options.lasting;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        let watching = match console {
            Some(console) => Some(Inside::connect(console, options.insecure).await?),
            None => None,
        };
        let mut live = live::Live::start(options.color);
        let mut observe = |event: Event<'_>| live.on(&event);
        let mut report = probe(target, request, settings, &mut observe).await;
        if let Some(watching) = watching {
            report.inside = Some(watching.finish().await);
        }
        Ok::<_, BadConsole>(report)
    })?;
    if let Some(why) = report
        .inside
        .as_ref()
        .and_then(|inside| inside.cut_off.as_ref())
    {
        eprintln!("holdup: {why}");
    }
    let report = flags::named(report);
    // Dropping the runtime would wait for a name lookup that is still running.
    runtime.shutdown_background();

    if let Some(file) = &options.svg {
        let picture = holdup_render::svg(&show::timeline(&report), &report.verdict.sentence);
        fs::write(file, picture)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    super::print(&text(options, &report)?)?;
    Ok(report)
}

fn text(options: &Probe, report: &Report) -> Result<String, Box<dyn Error>> {
    if options.json {
        return Ok(serde_json::to_string_pretty(&report.document())? + "\n");
    }
    let style = show::style(&io::stdout(), options.color);
    Ok(show::text(report, &style))
}

fn code(report: &Report, expected: Option<Kind>) -> u8 {
    if expected.is_some() && report.is_elsewhere() {
        eprintln!(
            "holdup: {} redirects to another page, {}, but --expect judges the page that was given. \
             Give the URL of that other page, or send what keeps the server from redirecting (for \
             example, the cookie of a log-in with -H)",
            report.redirected_from[0], report.url
        );
        return EXIT_INCONCLUSIVE;
    }
    match (expected, report.verdict.kind) {
        (Some(expected), kind) if expected == kind => 0,
        (Some(_), _) | (None, Kind::Serialized | Kind::Limited) => EXIT_NO,
        (None, Kind::Concurrent) => 0,
        (None, _) => EXIT_INCONCLUSIVE,
    }
}
