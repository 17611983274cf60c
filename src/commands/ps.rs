//! `holdup ps`: which requests are open in an app, and where they wait, as its console tells it.

mod place;
mod requests;
mod screen;
mod table;
mod unknown;
mod waits;

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use actix_rt::signal::unix::{SignalKind, signal};
use holdup_model::Failure;
use holdup_probe::{BadConsole, BadUrl, ConsoleReader, Target};
use rustix::termios::tcgetwinsize;
use tokio::runtime;
use tokio::time::{MissedTickBehavior, interval};

use super::terminal;
use crate::cli::Ps;
use screen::Screen;
use table::Look;

/// The exit code for an error that has nothing to do with the console, such as a full disk.
const EXIT_FAILED: u8 = 1;

/// The exit code for wrong usage, and for a URL at which no console can be read.
const EXIT_USAGE: u8 = 2;

/// How long the console may take to answer, unless the options say otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The height of a terminal that does not report its own.
const HEIGHT: usize = 24;

pub(crate) fn run(options: &Ps) -> ExitCode {
    let console = match Target::parse(&options.url) {
        Ok(console) => console,
        Err(error) => {
            super::warn(bad_url(&error));
            return EXIT_USAGE.into();
        }
    };
    let Err(error) = listed(options, &console) else {
        return ExitCode::SUCCESS;
    };
    if let Some(bad) = error.downcast_ref() {
        super::warn(bad_console(bad));
        return EXIT_USAGE.into();
    }
    super::warn(error);
    EXIT_FAILED.into()
}

fn listed(options: &Ps, console: &Target) -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listed = runtime.block_on(async {
        match options.watch {
            None => {
                super::print(&ask(options, &mut find(options, console).await?).await?)?;
                Ok(())
            }
            Some(every) => {
                let mut interrupt = signal(SignalKind::interrupt())?;
                tokio::select! {
                    biased;
                    _ = interrupt.recv() => Ok(leave()?),
                    watched = watch(options, console, every) => watched,
                }
            }
        }
    });
    // Dropping the runtime would wait for a name lookup that is still running.
    runtime.shutdown_background();
    listed
}

/// Shows the console's answers, one after the other, until it cannot be read or nobody reads what is shown.
async fn watch(options: &Ps, console: &Target, every: Duration) -> Result<(), Box<dyn Error>> {
    let mut console = find(options, console).await?;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut screen = is_redrawn(options).then(Screen::default);
    let mut is_first = true;
    loop {
        ticks.tick().await;
        let text = ask(options, &mut console).await?;
        let text = match &mut screen {
            Some(screen) => {
                let (width, height) = size();
                screen.redraw(&text, width, height)
            }
            // A program reads one document a line.
            None if is_first || options.json => text,
            None => format!("\n{text}"),
        };
        if !super::is_read(&text)? {
            return Ok(());
        }
        is_first = false;
    }
}

/// Whether each answer is drawn in the place of the one before.
fn is_redrawn(options: &Ps) -> bool {
    !options.json && io::stdout().is_terminal() && !terminal::is_dumb()
}

/// Ends the line on which the terminal has shown `^C`.
fn leave() -> io::Result<()> {
    if io::stdout().is_terminal() {
        return super::print("\n");
    }
    Ok(())
}

async fn find(options: &Ps, console: &Target) -> Result<ConsoleReader, BadConsole> {
    let longest = options.timeout.unwrap_or(TIMEOUT);
    ConsoleReader::find(console, options.insecure, longest).await
}

/// What the console answers, as it is to be shown.
async fn ask(options: &Ps, console: &mut ConsoleReader) -> Result<String, BadConsole> {
    let style = terminal::style(&io::stdout(), options.color);
    let look = Look {
        width: io::stdout().is_terminal().then_some(style.width),
        color: style.color,
        ascii: style.ascii,
    };
    if options.group {
        let open = console.waits().await?;
        if options.json {
            return Ok(line(&open.text));
        }
        let why = open.why_no_lines.as_deref();
        return Ok(waits::text(&open.waits, &open.held_up, why, look));
    }
    let open = console.requests().await?;
    if options.json {
        return Ok(line(&open.text));
    }
    let why = open.why_no_lines.as_deref();
    Ok(requests::text(&open.requests, open.more, why, look))
}

/// The document, and a line break after it.
fn line(document: &str) -> String {
    document.trim_end().to_owned() + "\n"
}

fn size() -> (usize, usize) {
    let width = terminal::style(&io::stdout(), crate::cli::Color::Never).width;
    let height = match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 => usize::from(size.ws_row),
        _ => HEIGHT,
    };
    (width, height)
}

/// A URL that cannot be that of a console.
fn bad_url(error: &BadUrl) -> String {
    match error {
        BadUrl::Credentials => "the URL has a user name or a password, which no console asks for; \
                                leave them out"
            .to_owned(),
        _ => error.to_string(),
    }
}

/// A console that cannot be read, with the option that is the remedy.
fn bad_console(error: &BadConsole) -> String {
    match error {
        BadConsole::Unverified { .. } => format!("{error} (--insecure accepts it)"),
        BadConsole::Unreachable {
            why: Failure::TimedOut,
            ..
        } => format!("{error} (--timeout allows it more time)"),
        BadConsole::Record { .. } => {
            format!("{error} (`holdup replay PATH --summary` prints what was recorded)")
        }
        _ => error.to_string(),
    }
}
