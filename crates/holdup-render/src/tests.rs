//! The picture is readable whatever is recorded, in any order.

mod beside;

use std::time::Duration;

use proptest::prelude::*;

use super::{Style, svg, text};
use holdup_model::{Failure, Lane, Timeline};

/// A call of one of the methods that record.
#[derive(Debug, Clone, Copy)]
enum Call {
    Connect,
    Answer,
    Chunk,
    Finish,
    Fail,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        Just(Call::Connect),
        Just(Call::Answer),
        Just(Call::Chunk),
        Just(Call::Finish),
        Just(Call::Fail),
    ]
}

/// Times that coincide, and extreme ones.
fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0_u64..1000).prop_map(Duration::from_millis),
        1 => any::<u64>().prop_map(Duration::from_nanos),
        1 => Just(Duration::MAX),
    ]
}

fn lane() -> impl Strategy<Value = Lane> {
    let calls = prop::collection::vec((call(), time()), 0..8);
    ("[xyz/\u{1b}ä<]{0,40}", time(), calls).prop_map(|(label, asked, calls)| {
        let mut lane = Lane::start(label, asked);
        for (call, at) in calls {
            match call {
                Call::Connect => lane.record_connect(at),
                Call::Answer => lane.record_head(at, 200),
                Call::Chunk => lane.record_chunk(at, b"tick"),
                Call::Finish => lane.finish(at),
                Call::Fail => lane.fail(at, Failure::Reset),
            }
        }
        lane
    })
}

fn timeline() -> impl Strategy<Value = Timeline> {
    prop::collection::vec(lane(), 0..5).prop_map(Timeline::from)
}

/// Whether a lane's columns are in order: waiting, the first byte, the answer, the end.
fn in_order(cells: &str) -> bool {
    let cells = cells.trim_start_matches(' ').trim_start_matches('.');
    let cells = cells.strip_prefix('|').unwrap_or(cells);
    let cells = cells.trim_start_matches(['=', 'o']);
    let cells = cells.strip_prefix(['#', 'X']).unwrap_or(cells);
    cells.trim_end_matches(' ').is_empty()
}

/// The number that is the value of an attribute.
fn number(element: &str, attribute: &str) -> f64 {
    let start = element.find(&format!(" {attribute}=\"")).expect(attribute) + attribute.len() + 3;
    let value = element[start..].split('"').next().expect("a value");
    value.parse().expect(attribute)
}

/// Numbers have one decimal, so two sums of equal parts may differ by this.
const ROUNDING: f64 = 0.11;

proptest! {
    #[test]
    fn text_is_in_order_and_in_line_whatever_was_recorded(
        timeline in timeline(),
        width in 0_usize..200,
        now in prop::option::of(time()),
    ) {
        let style = Style { ascii: true, now, ..Style::plain(width) };
        let picture = text(&timeline, &style);
        let lanes = timeline.lanes.len();
        let lines: Vec<Vec<char>> = picture.lines().map(|line| line.chars().collect()).collect();
        if lanes == 0 {
            prop_assert!(lines.is_empty());
            return Ok(());
        }
        let axis: String = lines[lanes].iter().collect();
        let left = axis.find("0 s").expect("the axis begins at 0 s");
        let right = lines[lanes].len();
        prop_assert!(right - left >= 10, "{picture}");
        for line in &lines[..lanes] {
            let bar: String = line[left.min(line.len())..right.min(line.len())].iter().collect();
            prop_assert!(in_order(&bar), "{bar:?} in\n{picture}");
            prop_assert!(!bar.trim().is_empty(), "nothing is drawn in\n{picture}");
        }
    }

    #[test]
    fn svg_is_in_order_and_inside_whatever_was_recorded(timeline in timeline()) {
        let picture = svg(&timeline, "title");
        prop_assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        let axis = picture.split("<line class=\"line\"").nth(1).expect("an axis");
        let (left, right) = (number(axis, "x1"), number(axis, "x2"));
        let lanes: Vec<_> = picture.lines().filter(|line| line.starts_with("<g>")).collect();
        prop_assert_eq!(lanes.len(), timeline.lanes.len());
        for lane in lanes {
            let mut answered_at = None;
            let mut end = left;
            for element in lane.split("<rect class=").skip(1) {
                let (x, width) = (number(element, "x"), number(element, "width"));
                prop_assert!(width >= 0.0 && x >= left - ROUNDING, "{element} in\n{picture}");
                if element.starts_with("\"waiting\"") {
                    end = x + width;
                } else if element.starts_with("\"answering\"") {
                    prop_assert!((x - end).abs() <= ROUNDING, "{element} in\n{picture}");
                    answered_at = Some(x);
                    end = x + width;
                } else if element.starts_with("\"chunk\"") {
                    // A mark ends where its time is.
                    let at = x + width + ROUNDING;
                    prop_assert!(answered_at.is_some_and(|from| at >= from), "{lane}");
                }
                let mark = if element.contains("<title>waiting") { 0.0 } else { width };
                prop_assert!(x + width <= end.max(left + mark) + ROUNDING, "{element} in\n{picture}");
            }
            prop_assert!(end <= right + ROUNDING, "{lane}");
            for cross in lane.split("<path class=\"failed\" d=\"M").skip(1) {
                let x: f64 = cross.split(' ').next().expect("x").parse().expect("a number");
                prop_assert!(x >= left - ROUNDING && x + 14.0 <= end.max(left + 14.0) + ROUNDING, "{lane}");
            }
        }
    }
}

/// A lane that ended before it was asked, and one whose answer was recorded after its end.
#[test]
fn times_out_of_order_are_drawn_at_the_nearest_ordered_time() {
    let ms = Duration::from_millis;
    let mut ended_early = Lane::start("/a", ms(500));
    ended_early.finish(ms(100));
    let mut answered_late = Lane::start("/b", ms(0));
    answered_late.finish(ms(250));
    answered_late.record_head(ms(1000), 200);
    answered_late.record_chunk(ms(50), b"tick");
    let timeline = Timeline::from(vec![ended_early, answered_late]);
    let picture = "\
/a            █            0 ms
/b  ·····█                 250 ms
    0 s            1.00 s
· waiting  | first byte
━ answering  • chunk  █ end
";
    assert_eq!(text(&timeline, &Style::plain(33)), picture);
}
