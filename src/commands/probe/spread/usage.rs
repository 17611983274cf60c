//! The settings of a spread, and options that do not fit to it.

use std::error::Error;

use holdup_probe::{AnswerId, FROZEN_ROUNDS, MOST_FROZEN, REQUESTS_EACH, SpreadSettings, Target};

use crate::cli::{Connections, Expectation, Probe};
use crate::commands::open_files;
use crate::commands::probe::ask;
use crate::commands::probe::usage::page;

/// Checks that nothing else is to be measured.
///
/// # Errors
///
/// One sentence that names the option, and what is allowed.
pub(super) fn check(options: &Probe) -> Result<(), String> {
    let others = [
        ("--limit", options.limit),
        ("--max", options.max.is_some()),
        ("--http2", options.http2),
        ("--cookie-contrast", options.cookie_contrast),
        ("--versus", options.versus.is_some()),
        ("--console", options.console.is_some()),
        ("--svg", options.svg.is_some()),
    ];
    if let Some((other, _)) = others.iter().find(|(_, given)| *given) {
        return Err(format!(
            "--spread measures nothing but how connections are spread, so {other} cannot be used with it"
        ));
    }
    let is_other = |expected: &&Expectation| !matches!(expected, Expectation::Spread(_));
    if let Some(other) = options.expect.iter().find(is_other) {
        return Err(format!(
            "--expect {other} cannot be used with --spread, which measures nothing else; allowed: spread=even, \
             spread=uneven"
        ));
    }
    let mut expected = options.expect.iter();
    if let Some(first) = expected.next()
        && let Some(other) = expected.find(|other| first.contradicts(**other))
    {
        return Err(format!(
            "--expect: {first} and {other} cannot both hold; leave one of them out"
        ));
    }
    Ok(())
}

/// The settings that the options ask for.
pub(super) fn settings(
    options: &Probe,
    connections: Connections,
) -> Result<SpreadSettings, Box<dyn Error>> {
    let mut settings = SpreadSettings::default();
    settings.connections = connections.count;
    settings.expected = connections.workers;
    settings.at_once = options.requests;
    settings.timeout = options.timeout;
    settings.insecure = options.insecure;
    settings.end.first = options.first;
    settings.end.lasting = options.lasting;
    settings.id = id(options)?;
    let open_files = open_files::raise();
    match options.beside.as_slice() {
        [] => open_files::check_requests(open_files, 0, "-n", options.requests)?,
        [url] => {
            settings.beside = Some(ask::other("--beside", url)?);
            check_frozen(options, connections)?;
            let part = connections.count.div_ceil(FROZEN_ROUNDS);
            let option = "a fifth of --spread, which is open at a time,";
            open_files::check_requests(open_files, 1, option, part)?;
        }
        several => {
            return Err(format!(
                "--beside is given {} times; with --spread, it is allowed once",
                several.len()
            )
            .into());
        }
    }
    Ok(settings)
}

fn id(options: &Probe) -> Result<Option<AnswerId>, String> {
    match (&options.id_header, &options.id_json) {
        (Some(_), Some(_)) => Err(
            "--id-header and --id-json both say what names the worker; leave one of them out"
                .to_owned(),
        ),
        (Some(name), None) => AnswerId::header(name)
            .map(Some)
            .map_err(|error| format!("--id-header: {error}")),
        (None, Some(pointer)) => {
            if options.first.is_some() || options.lasting.is_some() {
                return Err(
                    "--id-json needs the whole answer, so --first and --for cannot be used with it"
                        .to_owned(),
                );
            }
            AnswerId::json(pointer)
                .map(Some)
                .map_err(|error| format!("--id-json: {error}"))
        }
        (None, None) => Ok(None),
    }
}

fn check_frozen(options: &Probe, connections: Connections) -> Result<(), String> {
    let named = [
        ("--id-header", options.id_header.is_some()),
        ("--id-json", options.id_json.is_some()),
    ];
    if let Some((id, _)) = named.iter().find(|(_, given)| *given) {
        return Err(format!(
            "--beside is for servers that do not say which worker answers, so it cannot be used with {id}"
        ));
    }
    if connections.workers.is_some() {
        return Err(
            "--beside does not show which worker got nothing, so the number of workers cannot be used with it; \
             write --spread M"
                .to_owned(),
        );
    }
    if connections.count > MOST_FROZEN {
        return Err(format!(
            "--spread is {}, but with --beside at most {MOST_FROZEN} are allowed, because a fifth of them is open at \
             a time",
            connections.count
        ));
    }
    Ok(())
}

/// Checks that the other route is another one.
pub(super) fn check_beside(target: &Target, settings: &SpreadSettings) -> Result<(), String> {
    match &settings.beside {
        Some(beside) if page(beside) == page(target) => Err(format!(
            "--beside {} is the URL that is to hold a worker; give a fast route of the same server, such as a \
             health check",
            beside.url()
        )),
        _ => Ok(()),
    }
}

/// What is about to be sent, in words.
pub(super) fn announced(target: &Target, settings: &SpreadSettings) -> String {
    let (count, url) = (settings.connections, target.url());
    if let Some(beside) = &settings.beside {
        return format!(
            "About to send {} requests to {url}, and {} to {}, on a connection each (--spread).\n",
            3 + FROZEN_ROUNDS,
            2 + count,
            beside.url()
        );
    }
    let on_kept = match settings.kept() {
        0 => String::new(),
        kept => {
            let requests = kept * REQUESTS_EACH;
            format!(", and {requests} on {kept} connections that are kept")
        }
    };
    format!(
        "About to send 1 request to {url}, then {count} on a connection each{on_kept}, {} at a time (--spread).\n",
        settings.at_once
    )
}
