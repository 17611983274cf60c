use super::*;
use holdup_model::{Culprit, Part, Spent};
use holdup_watch::HoldKind;

const LANES: usize = 100;

fn opened(lane: u64, at: Duration, peer: &str) -> Event {
    Event::Opened {
        lane,
        at,
        worker: 0,
        method: "GET".to_owned(),
        route: "/".to_owned(),
        path: "/".to_owned(),
        peer: Some(peer.parse().expect("an address")),
    }
}

#[test]
fn a_wait_is_found_by_either_form_of_its_address() {
    let ms = Duration::from_millis;
    for (kernel, app) in [
        ("127.0.0.1:50000", "127.0.0.1:50000"),
        ("127.0.0.1:50000", "[::ffff:127.0.0.1]:50000"),
        ("[fe80::1]:50000", "[fe80::1%2]:50000"),
    ] {
        let mut board = Board::new(0, LANES, Duration::from_millis(100));
        let peers = [kernel.parse().expect("an address")];
        board.set_unread(&peers, ms(100));
        board.set_unread(&peers, ms(200));
        assert_eq!(board.waiting().len(), 1, "{app}");
        board.apply(opened(1, ms(300), app));
        assert!(board.waiting().is_empty(), "{app}");
        let waited = board.lane(1).expect("it was opened").waited;
        assert_eq!(waited, Some(ms(200)), "{app}");
        // The rest of a request whose answer has begun does not count as a waiting request.
        board.set_unread(&peers, ms(400));
        board.set_unread(&peers, ms(500));
        assert!(board.waiting().is_empty(), "{app}");
    }
}

#[test]
fn a_path_that_is_left_out_gets_no_lanes_and_is_counted() {
    let ms = Duration::from_millis;
    let mut board = Board::new(0, LANES, Duration::from_millis(100));
    let apply = |board: &mut Board, lane| board.apply(opened(lane, ms(100), "127.0.0.1:1"));
    board.leave_out(Some("/"));
    apply(&mut board, 1);
    board.apply(Event::Ended {
        lane: 1,
        at: ms(150),
        finished: true,
        spent: Spent::default(),
    });
    board.leave_out(Some("/healthz"));
    apply(&mut board, 2);
    board.leave_out(None);
    apply(&mut board, 3);
    board.advance(0, ms(200));
    let lanes: Vec<_> = board.lanes().map(|lane| lane.number).collect();
    assert_eq!(lanes, [2, 3]);
    assert_eq!((board.totals().requests, board.totals().finished), (3, 1));
}

#[test]
fn all_waiting_connections_are_counted_and_the_first_are_listed() {
    let ms = Duration::from_millis;
    let mut board = Board::new(0, LANES, Duration::from_millis(100));
    let peers: Vec<_> = (1..=LANES + 50)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port as u16)))
        .collect();
    board.set_unread(&peers, ms(100));
    board.set_unread(&peers, ms(200));
    board.advance(0, ms(200));
    assert_eq!(board.waiting().len(), LANES);
    assert_eq!(board.totals().waiting, LANES + 50);
    board.set_unread(&peers[..3], ms(300));
    board.advance(0, ms(300));
    assert_eq!(board.totals().waiting, 3);
}

#[test]
fn a_request_without_a_lane_yet_does_not_count_as_hidden() {
    let ms = Duration::from_millis;
    let mut board = Board::new(0, LANES, Duration::from_millis(100));
    let hidden = |board: &mut Board, open, now| {
        board.advance(open, ms(now));
        board.totals().hidden
    };
    assert_eq!(hidden(&mut board, 1, 100), 0);
    board.apply(opened(1, ms(90), "127.0.0.1:1"));
    assert_eq!(hidden(&mut board, 1, 150), 0);
    // As if two requests came before the console started.
    assert_eq!(hidden(&mut board, 3, 200), 0);
    assert_eq!(hidden(&mut board, 3, 1149), 0);
    assert_eq!(hidden(&mut board, 3, 1150), 2);
    assert_eq!(hidden(&mut board, 2, 1200), 1);
    assert_eq!(hidden(&mut board, 1, 1250), 0);
}

#[test]
fn requests_are_counted_from_the_start_of_the_console() {
    let mut board = Board::new(40, LANES, Duration::from_millis(100));
    board.apply(opened(41, Duration::ZERO, "127.0.0.1:1"));
    board.apply(opened(42, Duration::ZERO, "127.0.0.1:2"));
    assert_eq!(board.totals().requests, 2);
}

/// Opens the requests with these numbers, one a millisecond, and lets a batch pass in every fifty.
fn flood(board: &mut Board, numbers: std::ops::Range<u64>) -> Vec<Vec<u64>> {
    let mut batches = Vec::new();
    for number in numbers {
        let at = Duration::from_millis(number);
        board.apply(opened(number, at, "127.0.0.1:1"));
        if number % 50 == 0 {
            board.advance(number as usize, at);
            let mut drawn = Vec::new();
            board.drain_changes(&mut |change| {
                if let Change::Opened { lane, .. } = change {
                    drawn.push(lane);
                }
            });
            batches.push(drawn);
        }
    }
    batches
}

#[test]
fn when_too_many_come_some_are_drawn_for_a_while_and_all_are_counted() {
    let mut board = Board::new(0, LANES, Duration::from_millis(100));
    let batches = flood(&mut board, 1..10_001);
    // Two batches fill the board, and two replace it with what was saved up.
    let first: Vec<_> = batches[..4].iter().map(Vec::len).collect();
    assert_eq!(first.iter().sum::<usize>(), 2 * LANES, "{first:?}");
    assert!(
        batches[4..].iter().all(|drawn| drawn.len() <= 2),
        "{batches:?}"
    );
    let drawn: Vec<_> = board.lanes().map(|lane| lane.number).collect();
    assert_eq!(drawn.len(), LANES);
    assert!(
        drawn[0] < 5100,
        "the oldest was drawn five seconds ago: {}",
        drawn[0]
    );
    let totals = board.totals();
    assert_eq!((totals.requests, totals.hidden), (10_000, 10_000 - LANES));
    let ever_drawn: usize = batches.iter().map(Vec::len).sum();
    let waits = board.undrawn.len();
    assert_eq!(totals.undrawn as usize + ever_drawn + waits, 10_000);
    // When no more come, the newest are drawn within five seconds.
    for beat in 1..=100 {
        board.advance(10_000, Duration::from_millis(10_000 + 50 * beat));
    }
    let drawn: Vec<_> = board.lanes().map(|lane| lane.number).collect();
    assert_eq!(drawn, (9901..=10_000).collect::<Vec<_>>());
}

#[test]
fn a_lane_that_waited_for_its_place_is_whole() {
    let mut board = Board::new(0, 1, Duration::from_millis(100));
    flood(&mut board, 1..101);
    let at = Duration::from_millis(120);
    board.apply(opened(101, at, "127.0.0.1:1"));
    board.apply(Event::Answered {
        lane: 101,
        at,
        status: 200,
    });
    board.apply(Event::Chunk {
        lane: 101,
        at,
        bytes: 7,
    });
    board.advance(1, at);
    assert!(board.lanes().all(|lane| lane.number != 101), "it waits");
    let mut sent = Vec::new();
    board.advance(1, Duration::from_secs(6));
    board.drain_changes(&mut |change| {
        let message = serde_json::to_value(change).expect("JSON");
        sent.push(message["event"].as_str().expect("a name").to_owned());
    });
    assert_eq!(sent, ["dropped", "opened", "answered", "chunks"]);
}

#[test]
fn a_request_that_holds_a_worker_is_drawn_at_once() {
    let mut board = Board::new(0, LANES, Duration::from_millis(100));
    flood(&mut board, 1..10_001);
    // It came half a second ago.
    let culprit = 9520;
    assert!(board.lanes().all(|lane| lane.number != culprit), "it waits");
    let ms = Duration::from_millis;
    let mut hold = Hold::new(HoldKind::Blocked, 0, ms(10_000), ms(100));
    let mut by = Culprit::new("GET", "/", Part::Body, ms(100));
    by.lane = Some(culprit);
    hold.culprits = vec![by];
    board.draw_culprits(&hold);
    assert!(board.lanes().any(|lane| lane.number == culprit));
    assert_eq!(board.lanes().count(), LANES);
    // It stays as long as it is open.
    for number in 10_001..=20_000 {
        board.apply(opened(number, ms(number), "127.0.0.1:1"));
        if number % 50 == 0 {
            board.advance(20_000, ms(number));
        }
    }
    assert_eq!(board.lanes().next().map(|lane| lane.number), Some(culprit));
}

#[test]
fn requests_that_are_followed_are_drawn_whatever_else_comes() {
    let ms = Duration::from_millis;
    let mut board = Board::new(0, LANES, Duration::from_millis(100));
    board.follow(vec!["x=mine-".to_owned()]);
    let mut drawn = Vec::new();
    for number in 1..=10_000 {
        let mut event = opened(number, ms(number), "127.0.0.1:1");
        // Eight at once, and all others have a path of their own as well.
        let is_mine = (7001..=7008).contains(&number);
        if let Event::Opened { path, .. } = &mut event {
            *path = format!("/?x={}-{number}", if is_mine { "mine" } else { "other" });
        }
        board.apply(event);
        if number % 50 == 0 {
            board.advance(number as usize, ms(number));
            board.drain_changes(&mut |change| {
                if let Change::Opened { lane, .. } = change
                    && (7001..=7008).contains(&lane)
                {
                    drawn.push((lane, number));
                }
            });
        }
    }
    drawn.sort_unstable();
    let numbers: Vec<_> = drawn.iter().map(|&(lane, _)| lane).collect();
    assert_eq!(numbers, (7001..=7008).collect::<Vec<_>>());
    assert!(drawn.iter().all(|&(_, at)| at <= 7500), "{drawn:?}");
    let kept = board.lanes().filter(|lane| numbers.contains(&lane.number));
    assert_eq!(kept.count(), 8, "as long as they are open");
}

#[test]
fn a_burst_of_any_size_is_counted_and_its_newest_requests_are_drawn() {
    let mut board = Board::new(0, LANES, Duration::from_millis(100));
    let at = Duration::from_secs(1);
    let most = (MOST_KEPT + 500) as u64;
    for number in 1..=most {
        board.apply(opened(number, at, "127.0.0.1:1"));
    }
    assert_eq!(board.undrawn.len(), MOST_KEPT);
    board.advance(0, at);
    assert_eq!(
        board.lanes().next().map(|lane| lane.number),
        Some(most - 99)
    );
    board.advance(0, at + 2 * KEPT);
    assert_eq!(board.totals().undrawn, most - 2 * LANES as u64);
}
