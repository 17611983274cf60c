use holdup_model::{Blame, Culprit, HoldKind, Part, RouteName, Spent};

use super::super::fixture::{ms, opened};
use super::*;

fn answered(lane: u64, at: u64) -> Event {
    let (at, status) = (ms(at), 200);
    Event::Answered { lane, at, status }
}

fn ended(lane: u64, at: u64, lost: u64) -> Event {
    let by = Blame::new(Some(RouteName::new("GET", "/b")), ms(lost));
    Event::Ended {
        lane,
        at: ms(at),
        finished: true,
        spent: Spent::new(ms(1), ms(1), vec![by]),
    }
}

fn hold(started: u64, lasted: u64, lane: u64) -> Hold {
    let mut hold = Hold::new(HoldKind::Blocked, 0, ms(started), ms(lasted));
    let mut culprit = Culprit::new("GET", "/b", Part::Future, ms(lasted));
    culprit.lane = Some(lane);
    hold.culprits = vec![culprit];
    hold
}

/// The lines for an event: its kind, and its lane or duration.
fn told(entries: &[Entry]) -> Vec<String> {
    let word = |entry: &Entry| match entry {
        Entry::Event(Event::Opened { lane, .. }) => format!("opened {lane}"),
        Entry::Event(Event::Answered { lane, .. }) => format!("answered {lane}"),
        Entry::Event(Event::Ended { lane, .. }) => format!("ended {lane}"),
        Entry::Event(Event::Held(hold)) => format!("held {:?}", hold.duration),
        Entry::Event(Event::Updated(hold)) => format!("updated {:?}", hold.duration),
        Entry::Event(Event::Released(hold)) => format!("released {:?}", hold.duration),
        Entry::Event(Event::Withdrawn(hold)) => format!("withdrawn {:?}", hold.duration),
        other => format!("{other:?}"),
    };
    entries.iter().map(word).collect()
}

fn take(selection: &mut Selection, event: Event) -> Vec<String> {
    let mut entries = Vec::new();
    selection.take(event, &mut |entry| entries.push(entry));
    told(&entries)
}

#[test]
fn healthy_requests_are_counted_and_others_are_written_from_their_beginning() {
    let mut selection = Selection::default();
    for (lane, end, lost) in [(1, 20, 0), (2, 20, 9), (3, 30, 10), (4, 1000, 0)] {
        assert!(take(&mut selection, opened(lane, 0)).is_empty());
        assert!(take(&mut selection, answered(lane, 5)).is_empty());
        let lines = take(&mut selection, ended(lane, end, lost));
        let whole = ["opened", "answered", "ended"].map(|what| format!("{what} {lane}"));
        let expected = if lane > 2 { &whole[..] } else { &[] };
        assert_eq!(lines, expected, "{lane}");
    }
    assert!(selection.is_idle());
    let counts = selection.counts();
    assert_eq!(
        (counts.requests, counts.finished, counts.left_out),
        (4, 4, 0)
    );
}

#[test]
fn a_hold_is_written_twice_a_second_with_those_that_it_holds_up() {
    let mut selection = Selection::default();
    for lane in 1..=3 {
        take(&mut selection, opened(lane, 0));
    }
    let lines = take(&mut selection, Event::Held(hold(10, 100, 2)));
    assert_eq!(lines, ["opened 2", "opened 1", "opened 3", "held 100ms"]);
    assert!(take(&mut selection, Event::Updated(hold(10, 599, 2))).is_empty());
    assert_eq!(
        take(&mut selection, Event::Updated(hold(10, 600, 2))),
        ["updated 600ms"]
    );
    let mut elsewhere = hold(10, 900, 2);
    elsewhere.lines = vec![Line::new("app::report")];
    let lines = take(&mut selection, Event::Updated(elsewhere));
    assert_eq!(lines, ["updated 900ms"], "its line has changed");
    selection.new_segment();
    assert_eq!(
        take(&mut selection, Event::Released(hold(10, 1300, 2))),
        ["opened 2", "released 1.3s"],
        "the new segment can be read alone"
    );
    assert_eq!(
        take(&mut selection, ended(3, 1400, 0)),
        ["opened 3", "ended 3"]
    );
    let never_written = Event::Withdrawn(hold(2000, 90, 2));
    assert!(take(&mut selection, never_written).is_empty());
}

#[test]
fn a_request_that_becomes_slow_is_written_while_it_is_open() {
    let mut selection = Selection::default();
    take(&mut selection, opened(1, 0));
    take(&mut selection, opened(2, 900));
    let mut entries = Vec::new();
    selection.tick(ms(999), &mut |entry| entries.push(entry));
    assert!(entries.is_empty());
    selection.tick(ms(1000), &mut |entry| entries.push(entry));
    assert_eq!(told(&entries), ["opened 1"]);
    assert_eq!(take(&mut selection, answered(1, 1100)), ["answered 1"]);
    assert_eq!(take(&mut selection, ended(1, 1200, 0)), ["ended 1"]);
}

#[test]
fn no_more_requests_are_written_than_the_page_draws() {
    let mut selection = Selection::default();
    let mut written = 0;
    for second in 0..10 {
        for n in 0..1000 {
            let lane = second * 1000 + n + 1;
            take(&mut selection, opened(lane, second * 1000));
            written += take(&mut selection, ended(lane, second * 1000 + 500, 200)).len() / 2;
        }
        selection.tick(ms((second + 1) * 1000), &mut |_| ());
    }
    assert_eq!(written, 100 + 9 * 20);
    assert_eq!(selection.counts().left_out, 10_000 - 280);
}

#[test]
fn requests_that_only_wait_beside_a_hold_do_not_take_the_places_of_its_victims() {
    let mut selection = Selection::default();
    // Long polls that are open all the time, and a hold each second with twenty victims.
    for lane in 1..=200 {
        take(&mut selection, opened(lane, 0));
    }
    let (mut beside, mut victims) = (0, 0);
    for second in 0..10 {
        let begun = take(&mut selection, Event::Held(hold(second * 1000, 100, 9999)));
        beside += begun.len() - 1;
        for n in 0..20 {
            let lane = 1000 + second * 100 + n;
            take(&mut selection, opened(lane, second * 1000 + 100));
            victims += take(&mut selection, ended(lane, second * 1000 + 200, 90)).len() / 2;
        }
        take(
            &mut selection,
            Event::Released(hold(second * 1000, 200, 9999)),
        );
        // As if none of them became slow.
        selection.slow = Pace::new(0, 0);
        selection.tick(ms((second + 1) * 1000), &mut |_| ());
    }
    assert_eq!((beside, victims), (50 + 9 * 5, 200));
    // In a new segment, those that were written once are written again at no cost.
    selection.new_segment();
    selection.beside.left = 0;
    let again = take(&mut selection, Event::Held(hold(20_000, 100, 9999)));
    assert_eq!(again.len(), beside + 1);
}

#[test]
fn what_is_kept_of_open_requests_is_bounded() {
    let mut selection = Selection::default();
    for lane in 0..=OPEN as u64 {
        take(&mut selection, opened(lane, 0));
    }
    assert_eq!(
        (selection.open.len(), selection.counts().left_out),
        (OPEN, 1)
    );
    take(&mut selection, Event::Lost { events: 1 });
    assert!(selection.is_idle());
}
