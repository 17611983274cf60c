//! The open requests as a table, the oldest first.

use holdup_model::{AwaitPoint, HumanDuration, OpenRequest, RequestState};

use super::table::{Cell, Look, Tint};
use super::{place, unknown};

/// How much of a terminal's width the routes may take.
const ROUTES: usize = 3;

/// The table, and that so many `more` are open. `why_no_lines` is why the app does not know where its requests
/// wait, if its console gave a reason.
pub(super) fn text(
    requests: &[OpenRequest],
    more: usize,
    why_no_lines: Option<&str>,
    look: Look,
) -> String {
    if requests.is_empty() && more == 0 {
        return look.line("no request is open");
    }
    let rows = requests.iter().flat_map(|request| rows(request, look));
    let headings = ["AGE", "STATE", "WORKER", "ROUTE", "WHERE"];
    let mut text = look.table(headings, rows.collect());
    if more > 0 {
        text += &look.line(&format!("and {more} more"));
    }
    let unknown = requests.iter().filter(|request| waits_somewhere(request));
    if let Some(sentence) = unknown::sentence(unknown.count(), why_no_lines) {
        text += "\n";
        text += &look.paragraph(&sentence);
    }
    text
}

/// Whether it waits, and nothing says where.
fn waits_somewhere(request: &OpenRequest) -> bool {
    let waits = matches!(&request.state, RequestState::Waiting { at, .. } if at.is_empty());
    waits && request.behind.is_none()
}

/// A line for each place at which the request waits, and at least one.
fn rows(request: &OpenRequest, look: Look) -> Vec<[Cell; 5]> {
    let (state, tint) = match request.state {
        RequestState::Running { .. } => ("running", Tint::Good),
        RequestState::Woken { .. } => ("ready", Tint::Bad),
        RequestState::Waiting { .. } => ("waiting", Tint::Plain),
        RequestState::Sending { .. } => ("sending", Tint::Plain),
        _ => ("unknown", Tint::Plain),
    };
    let route = request.route_name().to_string();
    let route = match look.width {
        Some(width) => look.cut(&route, width / ROUTES),
        None => route,
    };
    let mut places = places(request).into_iter();
    let first = [
        HumanDuration(request.age).to_string().into(),
        Cell::new(state, tint),
        request.worker.to_string().into(),
        route.into(),
        places.next().unwrap_or_default(),
    ];
    let further = places.map(|place| {
        let [age, state, worker, route] = Default::default();
        [age, state, worker, route, place]
    });
    std::iter::once(first).chain(further).collect()
}

fn places(request: &OpenRequest) -> Vec<Cell> {
    let mut places = Vec::new();
    if let Some(route) = &request.behind {
        places.push(Cell::new(format!("held up by {route}"), Tint::Bad));
    }
    match &request.state {
        RequestState::Waiting { at, .. } => {
            places.extend(at.iter().map(place));
            if waits_somewhere(request) {
                places.push("?".into());
            }
        }
        RequestState::Woken { .. } if places.is_empty() => {
            places.push("its worker has not come to it".into());
        }
        RequestState::Sending { .. } => places.push("its client has not read what was sent".into()),
        _ => {}
    }
    places
}

fn place(point: &AwaitPoint) -> Cell {
    let line = point.line.as_ref();
    let line = line.and_then(|line| Some(format!("{}:{}", line.file.as_ref()?, line.line?)));
    place::cell(point.to_string(), line.as_deref(), point.within.as_deref())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdup_model::{Line, RouteName};

    use super::*;

    const LOOK: Look = Look {
        width: None,
        color: false,
        ascii: false,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn request(number: u64, route: &str, age: u64, state: RequestState) -> OpenRequest {
        let route = RouteName::new("GET", route);
        OpenRequest::new(number, 0, route, ms(age), state)
    }

    fn waiting(at: &[(u32, &str)]) -> RequestState {
        let point = |&(number, within): &(u32, &str)| {
            let mut line = Line::new("app::report");
            (line.file, line.line) = (Some("src/report.rs".to_owned()), Some(number));
            AwaitPoint::new(Some(line), Some(within.to_owned()), Vec::new())
        };
        let at = at.iter().map(point).collect();
        RequestState::Waiting { since: ms(0), at }
    }

    #[test]
    fn each_request_is_a_line_with_what_it_does_and_where() {
        let mut behind = request(2, "/quick", 6000, RequestState::Woken { since: ms(0) });
        behind.behind = Some(RouteName::new("GET", "/blocking"));
        let mut both = request(3, "/report", 5000, waiting(&[(12, "tokio::time::sleep")]));
        (both.behind, both.worker) = (behind.behind.clone(), 11);
        let several = waiting(&[(14, "tokio::sync::Mutex::lock"), (15, "tokio::time::sleep")]);
        let requests = [
            request(
                1,
                "/blocking",
                61_500,
                RequestState::Running { since: ms(0) },
            ),
            behind,
            both,
            request(4, "/report", 1500, several),
            request(5, "/file", 900, RequestState::Sending { since: ms(0) }),
            request(6, "/file", 90, RequestState::Woken { since: ms(0) }),
            request(7, "/", 9, RequestState::Unknown),
        ];
        let lines = [
            "AGE     STATE    WORKER  ROUTE          WHERE",
            "61.5 s  running  0       GET /blocking",
            "6.00 s  ready    0       GET /quick     held up by GET /blocking",
            "5.00 s  waiting  11      GET /report    held up by GET /blocking",
            "                                        app::report (src/report.rs:12), in tokio::time::sleep",
            "1.50 s  waiting  0       GET /report    app::report (src/report.rs:14), in tokio::sync::Mutex::lock",
            "                                        app::report (src/report.rs:15), in tokio::time::sleep",
            "900 ms  sending  0       GET /file      its client has not read what was sent",
            "90 ms   ready    0       GET /file      its worker has not come to it",
            "9.0 ms  unknown  0       GET /",
            "and 3 more",
        ];
        let table = text(&requests, 3, None, LOOK);
        assert_eq!(table.lines().collect::<Vec<_>>(), lines);
        assert_eq!(text(&[], 0, Some("…"), LOOK), "no request is open\n");
    }

    #[test]
    fn what_is_not_known_is_said_below_the_table() {
        let unknown = request(1, "/a", 10, waiting(&[]));
        let known = request(2, "/a", 10, waiting(&[(12, "tokio::sync::Mutex::lock")]));
        let told = |requests: &[OpenRequest]| {
            let look = Look {
                width: Some(60),
                ..LOOK
            };
            let text = text(requests, 0, Some("the program is stripped"), look);
            let (_, told) = text.split_once("\n\n")?;
            Some(told.to_owned())
        };
        // It is never cut.
        let sentence = "It is not known where 1 request waits: the program is\nstripped.\n";
        assert_eq!(
            told(&[unknown.clone(), known.clone()]).as_deref(),
            Some(sentence)
        );
        assert_eq!(told(&[known]), None);
        let mut behind = unknown;
        behind.behind = Some(RouteName::new("GET", "/blocking"));
        assert_eq!(told(&[behind]), None, "it is held up");
    }

    #[test]
    fn a_long_route_leaves_room_for_where_on_a_terminal() {
        let requests = [request(
            1,
            &"/long".repeat(30),
            10,
            waiting(&[(12, "tokio::time::sleep")]),
        )];
        let look = Look {
            width: Some(80),
            ..LOOK
        };
        let cut = text(&requests, 0, None, look);
        // The file's folders are left out, and the line's number is not.
        assert!(cut.contains("…  report.rs:12, in tokio::"), "{cut}");
        let whole = text(&requests, 0, None, LOOK);
        assert!(whole.contains(&"/long".repeat(30)), "{whole}");
    }
}
