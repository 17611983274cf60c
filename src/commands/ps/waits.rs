//! The places at which open requests wait as a table, and below it who holds up whom.

use std::time::Duration;

use holdup_model::{HumanDuration, Victim};
use holdup_probe::OpenWait;

use super::table::{Cell, Look, Tint};
use super::{place, unknown};

/// The most routes of a place that are named.
const NAMED: usize = 3;

/// How much of a terminal's width the routes may take.
const ROUTES: usize = 3;

/// How many columns the figures of who held up whom take up, with the gaps.
const FIGURES: usize = 32;

/// What the requests of a route lost to another one is shown if one of them lost this much. Every request loses a
/// few milliseconds on a busy machine: its worker serves others, too.
const LEAST: Duration = Duration::from_millis(10);

/// Both tables. `why_no_lines` is why the app does not know where its requests wait, if its console gave a reason.
pub(super) fn text(
    waits: &[OpenWait],
    held_up: &[Victim],
    why_no_lines: Option<&str>,
    look: Look,
) -> String {
    let mut text = if waits.is_empty() {
        look.line("no request waits")
    } else {
        let headings = ["REQUESTS", "LONGEST", "ROUTES", "WHERE"];
        look.table(headings, waits.iter().map(|wait| row(wait, look)).collect())
    };
    let is_unknown = |wait: &&OpenWait| wait.line.is_none() && wait.within.is_none();
    let unknown = waits.iter().filter(is_unknown);
    let unknown = unknown.map(|wait| wait.requests).sum();
    if let Some(sentence) = unknown::sentence(unknown, why_no_lines) {
        text += "\n";
        text += &look.paragraph(&sentence);
    }
    let is_shown = |victim: &&Victim| victim.longest >= LEAST;
    let held_up: Vec<_> = held_up
        .iter()
        .filter(is_shown)
        .map(|pair| victim(pair, look))
        .collect();
    if !held_up.is_empty() {
        text += "\n";
        text += &look.line("Who held up whom, of the requests that are over:");
        let headings = ["HELD UP", "BY", "REQUESTS", "LONGEST", "TIME"];
        text += &look.table(headings, held_up);
    }
    text
}

fn row(wait: &OpenWait, look: Look) -> [Cell; 4] {
    let routes = routes(&wait.routes);
    let routes = match look.width {
        Some(width) => look.cut(&routes, width / ROUTES),
        None => routes,
    };
    [
        wait.requests.to_string().into(),
        HumanDuration(wait.longest).to_string().into(),
        routes.into(),
        place::cell(wait.to_string(), file(wait), wait.within.as_deref()),
    ]
}

/// The line without its function: `src/report.rs:12`.
fn file(wait: &OpenWait) -> Option<&str> {
    let (_, line) = wait.line.as_ref()?.rsplit_once(" (")?;
    line.strip_suffix(')').filter(|line| line.contains(':'))
}

/// `GET /a`, or `GET /a 3, GET /b 1 and 2 more` with how many requests of each route wait.
fn routes(routes: &[(String, usize)]) -> String {
    if let [(route, _)] = routes {
        return route.clone();
    }
    let named = routes.iter().take(NAMED);
    let named: Vec<_> = named
        .map(|(route, requests)| format!("{route} {requests}"))
        .collect();
    match routes.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// A row of who held up whom. On a terminal, the routes are cut so that the figures have room.
fn victim(victim: &Victim, look: Look) -> [Cell; 5] {
    let by = victim.by.as_ref();
    let by = by.map_or_else(|| "(something else)".to_owned(), ToString::to_string);
    let cut = |route: String| match look.width {
        Some(width) => look.cut(&route, width.saturating_sub(FIGURES) / 2),
        None => route,
    };
    [
        cut(victim.route.to_string()).into(),
        Cell::new(cut(by), Tint::Bad),
        victim.requests.to_string().into(),
        HumanDuration(victim.longest).to_string().into(),
        HumanDuration(victim.held_up).to_string().into(),
    ]
}

#[cfg(test)]
mod tests {
    use holdup_model::RouteName;

    use super::*;

    const LOOK: Look = Look {
        width: None,
        color: false,
        ascii: false,
    };

    fn wait(line: Option<&str>, within: Option<&str>, routes: &[(&str, usize)]) -> OpenWait {
        let place = (line.map(str::to_owned), within.map(str::to_owned));
        let requests = routes.iter().map(|(_, requests)| requests).sum();
        let routes = routes
            .iter()
            .map(|(route, n)| ((*route).to_owned(), *n))
            .collect();
        OpenWait::new(place, requests, Duration::from_millis(1250), routes)
    }

    /// So many requests of a route that lost time to another one: the longest time, and all of it.
    fn victim(route: &str, by: Option<&str>, requests: u64, (longest, all): (u64, u64)) -> Victim {
        let name = |route: &str| RouteName::new("GET", route);
        let all = Duration::from_millis(all);
        let mut victim = Victim::new(name(route), by.map(name), requests, all);
        victim.longest = Duration::from_millis(longest);
        victim
    }

    #[test]
    fn each_place_is_a_line_with_how_many_wait_there_and_their_routes() {
        let many = [("GET /a", 4), ("GET /b", 2), ("GET /c", 1), ("GET /d", 1)];
        let line = Some("app::report (src/report.rs:12)");
        let waits = [
            wait(line, Some("tokio::sync::Mutex::lock"), &many),
            wait(line, None, &[("GET /a", 3)]),
            wait(None, None, &[("GET /a", 1)]),
        ];
        let victims = [
            victim("/quick", Some("/blocking"), 12, (2500, 6000)),
            victim("/", None, 1, (120, 120)),
            // No request of them lost more than any request does.
            victim("/busy", Some("/quick"), 1000, (9, 9000)),
            // Most of them lost next to nothing, and one waited for seconds.
            victim("/hello", Some("/blocking"), 1000, (3000, 4000)),
        ];
        let lines = [
            "REQUESTS  LONGEST  ROUTES                                   WHERE",
            "8         1.25 s   GET /a 4, GET /b 2, GET /c 1 and 1 more  app::report (src/report.rs:12), in \
             tokio::sync::Mutex::lock",
            "3         1.25 s   GET /a                                   app::report (src/report.rs:12)",
            "1         1.25 s   GET /a                                   at an unknown place",
            "",
            "It is not known where 1 request waits: the program is stripped.",
            "",
            "Who held up whom, of the requests that are over:",
            "HELD UP     BY                REQUESTS  LONGEST  TIME",
            "GET /quick  GET /blocking     12        2.50 s   6.00 s",
            "GET /       (something else)  1         120 ms   120 ms",
            "GET /hello  GET /blocking     1000      3.00 s   4.00 s",
        ];
        let table = text(&waits, &victims, Some("the program is stripped"), LOOK);
        assert_eq!(table.lines().collect::<Vec<_>>(), lines);
        let narrow = Look {
            width: Some(80),
            ..LOOK
        };
        let short = text(&waits[..2], &[], None, narrow);
        let place = |text: &str| text.lines().any(|row| row.contains(text));
        assert!(place("…  report.rs:12, in tokio::sync::"), "{short}");
        assert_eq!(text(&[], &[], None, LOOK), "no request waits\n");
    }

    #[test]
    fn long_routes_leave_room_for_the_figures_on_a_terminal() {
        let long = "/long".repeat(30);
        let pairs = [
            victim(&long, Some(&long), 12_345_678, (999_000, 86_400_000)),
            victim("/", None, 1, (120, 120)),
        ];
        let look = Look {
            width: Some(80),
            ..LOOK
        };
        let cut = text(&[], &pairs, None, look);
        let lines = [
            "HELD UP                   BY                        REQUESTS  LONGEST  TIME",
            "GET /long/long/long/lon…  GET /long/long/long/lon…  12345678  999 s    86400 s",
            "GET /                     (something else)          1         120 ms   120 ms",
        ];
        let table: Vec<_> = cut.lines().skip(3).collect();
        assert_eq!(table, lines);
        let whole = text(&[], &pairs, None, LOOK);
        assert_eq!(whole.matches(&long).count(), 2, "{whole}");
    }
}
