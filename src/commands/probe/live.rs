//! The lanes as they grow, on stderr. Nothing is shown when stderr is not a terminal.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use holdup_model::{HumanDuration, Lane, Timeline};
use holdup_probe::Event;
use holdup_render::Style;
use holdup_verdict::experiment::{Connections, Round, RoundKind, To};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::screen::Screen;
use crate::cli::Color;
use crate::commands::terminal;

/// Rows that are not lanes: the heading, the axis, up to two for the legend, and the cursor's.
const OTHER_LINES: usize = 5;

/// How many lanes are shown when the terminal's height is unknown.
const LANES: usize = 16;

pub(super) struct Live(Option<View>);

/// Draws on a thread of its own: it takes milliseconds, in which the prober would read what arrives late.
struct View {
    bar: ProgressBar,
    drawing: Option<(Sender<Picture>, JoinHandle<()>)>,
    /// Whether lanes are being drawn. Others are left out meanwhile.
    busy: Arc<AtomicBool>,
    lanes: usize,
    heading: String,
    bystanders: Vec<String>,
}

/// What is to be drawn.
enum Picture {
    Text(String),
    Lanes {
        heading: String,
        timeline: Timeline,
        now: Duration,
    },
}

impl Live {
    /// `bystanders` are the names of the routes that are asked beside the measured one.
    pub(super) fn start(color: Color, bystanders: Vec<String>) -> Self {
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return Self(None);
        }
        let screen = Box::new(Screen::default());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(screen));
        if let Ok(template) = ProgressStyle::with_template("{msg}") {
            bar.set_style(template);
        }
        let lanes = match tcgetwinsize(&stderr) {
            Ok(size) if size.ws_row > 0 => usize::from(size.ws_row).saturating_sub(OTHER_LINES),
            _ => LANES,
        };
        clear_when_stopped(bar.clone());
        bar.set_message("warming up: one request");
        let busy = Arc::default();
        let style = terminal::style(&stderr, color);
        Self(Some(View {
            drawing: draw(bar.clone(), style, Arc::clone(&busy)),
            bar,
            busy,
            lanes: lanes.max(1),
            heading: String::new(),
            bystanders,
        }))
    }

    pub(super) fn on(&mut self, event: &Event<'_>) {
        let Some(view) = &mut self.0 else { return };
        match event {
            Event::Redirected { to } => view.show(format!("redirected to {to}")),
            Event::LongStream { chunks } => view.show(format!(
                "the response has not ended after {chunks} chunks; use --first N or --for 3s to measure \
                 its beginning"
            )),
            Event::Pause(pause) => view.show(format!(
                "pausing for {}, so that earlier requests leave nothing behind",
                HumanDuration(*pause)
            )),
            Event::Round(round) => {
                view.heading = heading(round, &view.bystanders);
                view.show(view.heading.clone());
            }
            Event::Connections { done, of } => view.show(format!("{done} of {of} connections")),
            Event::Progress { timeline, now } => {
                if view.busy.swap(true, Ordering::AcqRel) {
                    return;
                }
                let some: Vec<Lane> = timeline.lanes.iter().take(view.lanes).cloned().collect();
                view.send(Picture::Lanes {
                    heading: view.heading.clone(),
                    timeline: some.into(),
                    now: *now,
                });
            }
            _ => {}
        }
    }
}

impl View {
    fn show(&self, text: String) {
        self.send(Picture::Text(text));
    }

    fn send(&self, picture: Picture) {
        if let Some((pictures, _)) = &self.drawing {
            // If the thread has ended, nothing is drawn any more.
            pictures.send(picture).ok();
        }
    }
}

/// Starts the thread that draws. If it cannot start, nothing is drawn.
fn draw(
    bar: ProgressBar,
    style: Style,
    busy: Arc<AtomicBool>,
) -> Option<(Sender<Picture>, JoinHandle<()>)> {
    let (send, pictures) = mpsc::channel();
    let draw = move || {
        for picture in pictures {
            match picture {
                Picture::Text(text) => bar.set_message(text),
                Picture::Lanes {
                    heading,
                    timeline,
                    now,
                } => {
                    let now = Some(now);
                    let picture = holdup_render::text(&timeline, &Style { now, ..style });
                    bar.set_message(format!("{heading}\n{picture}"));
                    busy.store(false, Ordering::Release);
                }
            }
        }
    };
    let thread = thread::Builder::new().name("screen".to_owned()).spawn(draw);
    thread.ok().map(|thread| (send, thread))
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(view) = &mut self.0 {
            if let Some((pictures, thread)) = view.drawing.take() {
                drop(pictures);
                thread.join().ok();
            }
            view.bar.finish_and_clear();
        }
    }
}

/// Clears the lanes on Ctrl-C. The signal then ends the process as it would without this handler,
/// so that a shell that runs the command in a loop ends the loop, too.
fn clear_when_stopped(bar: ProgressBar) {
    let wait = move || {
        // The handler is installed on this thread, because a signal that is caught but not waited
        // for would be lost.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
            return;
        };
        if let Some(signal) = signals.forever().next() {
            if !bar.is_finished() {
                bar.finish_and_clear();
            }
            emulate_default_handler(signal).ok();
        }
    };
    // If the thread cannot start, the lanes are not cleared.
    thread::Builder::new().spawn(wait).ok();
}

/// The round that begins, and how long it may take.
fn heading(round: &Round, bystanders: &[String]) -> String {
    let requests = round.requests();
    let beside = match round.asks.len() - requests {
        0 => String::new(),
        beside => format!(" ({beside} more beside them)"),
    };
    let what = match round.kind {
        RoundKind::Unique => format!("{requests} at once, unique URLs{beside}"),
        RoundKind::Identical => format!("{requests} at once, the same URL{beside}"),
        RoundKind::Session => format!("{}, without cookies and credentials", at_once(requests)),
        RoundKind::Versus => format!("{}, to the second URL", at_once(requests)),
        RoundKind::BesideAlone => format!("{} alone", bystander(round, bystanders)),
        RoundKind::Beside => {
            let (them, name) = (
                if requests == 1 { "it" } else { "them" },
                bystander(round, bystanders),
            );
            format!("{}, and {name} beside {them}", counted(requests))
        }
        RoundKind::Limit => format!("{}, to find the limit", at_once(requests)),
        RoundKind::Connection => match round.connections {
            Connections::OneHttp2 if requests == 1 => "one request alone over HTTP/2".to_owned(),
            Connections::OneHttp2 => format!("{requests} at once on one HTTP/2 connection"),
            _ => format!("{requests} at once on {requests} HTTP/2 connections"),
        },
        _ => at_once(1),
    };
    match (requests, round.concurrent, round.serialized) {
        (1, Some(solo), _) => format!("{what}: about {}", HumanDuration(solo)),
        (_, Some(solo), Some(serialized)) if serialized <= round.timeout => format!(
            "{what}: {} if concurrent, {} if serialized",
            HumanDuration(solo),
            HumanDuration(serialized),
        ),
        _ => format!(
            "{what}: up to {}, the time-out",
            HumanDuration(round.timeout)
        ),
    }
}

/// The name of the bystander that is asked in this round.
fn bystander<'a>(round: &Round, names: &'a [String]) -> &'a str {
    let of_schedule = round.bystander.map(|bystander| bystander.which);
    let which = of_schedule.or_else(|| match round.asks.first()?.to {
        To::Bystander(which) => Some(which),
        _ => None,
    });
    let name = which.and_then(|which| names.get(which));
    name.map_or("the other route", String::as_str)
}

fn counted(requests: usize) -> String {
    match requests {
        1 => "1 request".to_owned(),
        _ => format!("{requests} requests"),
    }
}

fn at_once(requests: usize) -> String {
    match requests {
        1 => "one request alone".to_owned(),
        _ => format!("{requests} at once"),
    }
}
