//! What is about to be sent, before it is sent: to which URL, how many requests, and how long at most.

use std::fmt::Write as _;

use holdup_model::HumanDuration;
use holdup_probe::{Inside, Settings, Target};
use holdup_verdict::experiment::{Http2, MOST_BESIDE_ROUNDS};

use super::usage::KEPT_BESIDE;

/// The requests on connections to a bystander that are opened to be kept, and on one that shows whether the server
/// has more. A server may close them after each round, so that they are opened again.
const BESIDE_KEPT: usize = KEPT_BESIDE + 1;

/// The most requests to a bystander in one round.
const BESIDE_ROUND: usize = 400 + BESIDE_KEPT;

/// The most requests to a bystander while it is alone: one at a time, and on two schedules, of which the second
/// one keeps no connections.
const BESIDE_ALONE: usize = 5 + 2 * 24 + BESIDE_KEPT;

/// The most rounds of `--limit`.
const LIMIT_ROUNDS: usize = 16;

/// The text, with a line for each URL and contrast. `None` if no contrast is asked for.
pub(super) fn text(
    target: &Target,
    settings: &Settings,
    console: Option<&Target>,
) -> Option<String> {
    let mut lines = contrasts(target, settings);
    if let Some(console) = console {
        lines.push(format!(
            "a few requests to {}, and one more each second, while its events are followed (--console); it has {} to \
             answer",
            console.url(),
            HumanDuration(Inside::CONNECTED_WITHIN)
        ));
    }
    if lines.is_empty() {
        return None;
    }
    let n = settings.requests;
    if settings.http2 == Http2::IfOffered && target.url().starts_with("https://") {
        lines.push(format!(
            "{} more requests to {}, over HTTP/2, if the server offers it (--http1 turns it off)",
            over_http2(n),
            target.url()
        ));
    }
    lines.insert(
        0,
        format!("{} to {}, {n} at once", requests(measured(n)), target.url()),
    );
    let mut text = "About to send at most:\n".to_owned();
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    text += &longest(settings, console.is_some());
    Some(text)
}

/// How long each request may take. Those to a console have a time of their own.
fn longest(settings: &Settings, has_console: bool) -> String {
    let each = if has_console {
        "Each request to the server"
    } else {
        "Each"
    };
    if let Some(timeout) = settings.timeout {
        return format!(
            "{each} takes up to {} (--timeout).\n",
            HumanDuration(timeout)
        );
    }
    let lasting = settings.end.lasting;
    let lasting = lasting.map(|lasting| format!(", and {} more (--for)", HumanDuration(lasting)));
    format!(
        "{each} takes up to one minute, or, at once with others, as long as all of them need one after the \
         other, but at most ten minutes (--timeout){}.\n",
        lasting.unwrap_or_default()
    )
}

/// What the contrasts that were asked for send.
fn contrasts(target: &Target, settings: &Settings) -> Vec<String> {
    let (n, url) = (settings.requests, target.url());
    let mut lines = Vec::new();
    // The first round is made once more if connections that are kept open occupy the server.
    let rounds = MOST_BESIDE_ROUNDS + 1;
    // With --limit, up to one more than the number that was found.
    let at_once = settings.limit.map_or(n, |most| most.max(n));
    for beside in &settings.beside {
        lines.push(format!(
            "{} to {}, and {BESIDE_ROUND} more in each of {rounds} rounds (--beside)",
            requests(BESIDE_ALONE),
            beside.url(),
        ));
        lines.push(format!(
            "{} more requests to {url} meanwhile, in rounds of 1 to {at_once} at once",
            rounds * at_once
        ));
    }
    if let Some(most) = settings.limit {
        lines.push(format!(
            "{} more requests to {url}, in {LIMIT_ROUNDS} rounds of up to {most} at once (--limit)",
            LIMIT_ROUNDS * most
        ));
    }
    if settings.http2 == Http2::Wanted {
        let count = over_http2(n);
        lines.push(format!(
            "{count} more requests to {url}, over HTTP/2 (--http2)"
        ));
    }
    if settings.cookie_contrast {
        lines.push(format!(
            "{} more requests to {url}, {} of them without cookies and credentials (--cookie-contrast)",
            varied(n) + compared(n),
            varied(n)
        ));
    }
    if let Some(versus) = &settings.versus {
        lines.push(format!(
            "{} to {}, {n} at once, and {} more to {url} (--versus)",
            requests(varied(n)),
            versus.url(),
            compared(n)
        ));
    }
    lines
}

/// The most requests for the verdict, if `n` are sent at once.
fn measured(n: usize) -> usize {
    18 * n + 22
}

/// The most requests over HTTP/2.
fn over_http2(n: usize) -> usize {
    8 * n + 2
}

/// The most requests in another way: without cookies and credentials, or to a second URL …
fn varied(n: usize) -> usize {
    21 * n + 27
}

/// … and the most of the measured ones that are repeated to compare them.
fn compared(n: usize) -> usize {
    7 * n
}

fn requests(count: usize) -> String {
    format!("{count} requests")
}

#[cfg(test)]
mod tests;
