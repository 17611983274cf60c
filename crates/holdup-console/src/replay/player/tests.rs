use holdup_model::{Culprit, HoldKind, Part, Spent};
use holdup_record::{Header, Load, Missing, VERSION, segment};
use holdup_watch::WorkerStatus;

use super::*;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn opened(lane: u64, at: u64) -> Entry {
    Entry::Event(Event::Opened {
        lane,
        at: ms(at),
        worker: 0,
        method: "GET".to_owned(),
        route: "/".to_owned(),
        path: format!("/?x={lane}"),
        peer: None,
    })
}

fn ended(lane: u64, at: u64) -> Entry {
    Entry::Event(Event::Ended {
        lane,
        at: ms(at),
        finished: true,
        spent: Spent::default(),
    })
}

fn hold(started: u64, lasted: u64, lane: u64) -> Hold {
    let mut hold = Hold::new(HoldKind::Blocked, 0, ms(started), ms(lasted));
    let mut culprit = Culprit::new("GET", "/", Part::Body, ms(lasted));
    culprit.lane = Some(lane);
    hold.culprits = vec![culprit];
    hold
}

fn load(at: u64, open: usize, requests: u64) -> Entry {
    Entry::Load(Load {
        at: ms(at),
        workers: vec![WorkerStatus::new(0, open)],
        requests,
        finished: requests - open as u64,
        unfinished: 0,
        left_out: 0,
    })
}

/// The record of these entries, in the order of time.
fn player(entries: &[Entry]) -> Player {
    let header = Header {
        version: VERSION,
        holdup: "0.1.0".to_owned(),
        pid: 1,
        segment: 1,
        origin_unix_ms: 0,
        at: ms(1000),
        threshold: ms(100),
        why_no_lines: None,
    };
    let lines: String = entries.iter().map(Entry::to_line).collect();
    let text = header.to_line() + &lines;
    let read = segment(text.as_bytes()).expect("a segment");
    assert_eq!(read.damaged, 0);
    let record = Record::of(vec![read]).expect("a segment");
    Player::new(record, 100)
}

/// A hold of three seconds at 100 s, and a short one at 300 s in which the record ends.
fn two_holds() -> Player {
    player(&[
        load(1000, 1, 1),
        opened(1, 1500),
        opened(2, 99_900),
        Entry::Event(Event::Held(hold(100_000, 100, 2))),
        Entry::Event(Event::Updated(hold(100_000, 2000, 2))),
        Entry::Event(Event::Released(hold(100_000, 3000, 2))),
        ended(2, 103_100),
        load(200_000, 1, 7),
        opened(3, 299_000),
        Entry::Event(Event::Held(hold(300_000, 150, 3))),
    ])
}

fn lanes(player: &Player) -> Vec<u64> {
    let lanes = player.scene.board.lanes();
    lanes.map(|lane| lane.number).collect()
}

fn is_held(player: &Player) -> bool {
    !player.scene.holds.none_lasts()
}

fn go(player: &mut Player, at: u64) {
    let at_ms = Some(At(ms(at)));
    let is_anew = player.control(Control {
        at_ms,
        ..Control::default()
    });
    assert!(is_anew);
}

#[test]
fn it_begins_a_little_before_the_longest_hold_and_plays_at_its_speed() {
    let mut player = two_holds();
    assert_eq!(player.now(), ms(98_000));
    assert_eq!((lanes(&player), is_held(&player)), (vec![1], false));
    player.advance(ms(5000));
    assert_eq!(player.now(), ms(98_000), "it is paused");
    player.control(Control {
        playing: Some(true),
        speed: Some(4.0),
        at_ms: None,
    });
    player.advance(ms(600));
    assert_eq!(player.now(), ms(100_400));
    assert_eq!((lanes(&player), is_held(&player)), (vec![1, 2], true));
    player.advance(ms(1000));
    assert!(!is_held(&player));
    assert_eq!(player.scene.holds.over().count(), 1);
    player.advance(ms(1_000_000));
    assert_eq!(player.now(), ms(300_150), "it stops at the end");
    assert!(!player.place().0);
    assert!(is_held(&player), "the record ends in it");
    // Played again, it begins anew.
    let again = Control {
        playing: Some(true),
        ..Control::default()
    };
    assert!(player.control(again));
    assert_eq!(player.now(), ms(1000));
}

#[test]
fn the_scene_is_that_of_the_time_however_it_was_reached() {
    let mut player = two_holds();
    for (at, expected, held, over) in [
        (300_150, vec![1, 3], true, 1),
        (101_000, vec![1, 2], true, 0),
        (150_000, vec![1, 2], false, 1),
        (250_000, vec![1], false, 1),
        (0, vec![], false, 0),
        (u64::from(u32::MAX), vec![1, 3], true, 1),
    ] {
        go(&mut player, at);
        assert_eq!(lanes(&player), expected, "{at}");
        assert_eq!(is_held(&player), held, "{at}");
        assert_eq!(player.scene.holds.over().count(), over, "{at}");
        assert_eq!(player.scene.workers.len(), 1, "{at}");
    }
    go(&mut player, 250_000);
    assert_eq!(player.scene.board.totals().requests, 7);
}

#[test]
fn the_marks_are_the_longest_holds_in_the_order_of_time() {
    let state = two_holds().state();
    let marks: Vec<_> = state.holds.iter().map(|mark| mark.duration_ms.0).collect();
    assert_eq!(marks, [ms(3000), ms(150)]);
    let many = (0..300).map(|n| {
        let hold = hold(1000 * n, if n == 250 { 900 } else { 100 + n }, 1);
        Entry::Event(Event::Released(hold))
    });
    let state = player(&many.collect::<Vec<_>>()).state();
    assert_eq!(state.holds.len(), MARKS);
    assert!(state.holds.is_sorted_by_key(|mark| mark.started_ms.0));
    assert_eq!(state.at_ms.0, ms(248_000));
}

#[test]
fn an_empty_record_has_one_moment() {
    let mut player = player(&[]);
    assert_eq!(player.now(), ms(1000));
    go(&mut player, 5000);
    player.control(Control {
        playing: Some(true),
        ..Control::default()
    });
    player.advance(ms(100));
    assert_eq!((player.now(), player.place().0), (ms(1000), false));
}

#[test]
fn requests_whose_ends_could_not_be_written_are_not_shown_any_longer() {
    let missing = |at| {
        Entry::Missing(Missing {
            at: ms(at),
            lines: 3,
        })
    };
    let mut player = player(&[
        opened(1, 1000),
        opened(2, 1100),
        opened(3, 1200),
        ended(3, 3000),
        Entry::Event(Event::Held(hold(3000, 100, 2))),
        missing(5000),
        // It is still open, and written again.
        opened(2, 1100),
        Entry::Event(Event::Updated(hold(3000, 2500, 2))),
        Entry::Event(Event::Released(hold(3000, 4000, 2))),
        ended(2, 9000),
        load(20_000, 0, 3),
    ]);
    for (at, expected, held) in [
        (4000, vec![1, 2, 3], true),
        (5200, vec![2, 3], false),
        (6000, vec![2, 3], true),
        (8000, vec![2, 3], false),
        (20_000, vec![2, 3], false),
    ] {
        go(&mut player, at);
        assert_eq!((lanes(&player), is_held(&player)), (expected, held), "{at}");
    }
    let state = player.state();
    assert_eq!((state.damaged, state.missing, state.lost), (0, 3, 0));
}

#[test]
fn a_hold_whose_end_is_damaged_is_not_shown_for_good() {
    let mut player = player(&[
        Entry::Event(Event::Held(hold(10_000, 100, 1))),
        Entry::Event(Event::Updated(hold(10_000, 2000, 1))),
        load(100_000, 0, 1),
    ]);
    for (at, expected) in [(12_000, true), (16_000, true), (18_000, false)] {
        go(&mut player, at);
        assert_eq!(is_held(&player), expected, "{at}");
    }
    go(&mut player, 95_000);
    assert!(!is_held(&player));
}

#[test]
fn any_numbers_of_a_record_are_survived_and_each_gap_is_told_by_itself() {
    let huge = |at, left_out| {
        let mut workers = vec![WorkerStatus::new(0, usize::MAX), WorkerStatus::new(1, 2)];
        workers.rotate_left(1);
        Entry::Load(Load {
            at: ms(at),
            workers,
            requests: u64::MAX,
            finished: u64::MAX,
            unfinished: u64::MAX,
            left_out,
        })
    };
    let mut unfinished = ended(2, 3000);
    if let Entry::Event(Event::Ended { finished, .. }) = &mut unfinished {
        *finished = false;
    }
    let chunk = || {
        Entry::Event(Event::Chunk {
            lane: u64::MAX,
            at: ms(2000),
            bytes: usize::MAX,
        })
    };
    let mut player = player(&[
        huge(1000, 4),
        opened(1, 1500),
        opened(2, 1500),
        opened(u64::MAX, 1500),
        chunk(),
        chunk(),
        ended(1, 2500),
        unfinished,
        Entry::Event(Event::Lost { events: u64::MAX }),
        Entry::Event(Event::Lost { events: 2 }),
        huge(9000, 5),
        ended(u64::MAX, 10_000),
    ]);
    go(&mut player, 10_000);
    assert_eq!(player.scene.board.totals().requests, u64::MAX);
    let state = player.state();
    assert_eq!(
        (state.damaged, state.missing, state.lost, state.left_out),
        (0, 0, u64::MAX, 5)
    );
}
