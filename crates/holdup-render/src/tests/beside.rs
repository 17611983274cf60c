//! Bystanders below the lanes, and several pictures in one document.

use std::time::Duration;

use super::super::{Bystander, Picture, Style, svg, svg_of_all, text};
use holdup_model::{Failure, Lane, Timeline};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn answered(label: &str, from: u64, to: u64) -> Lane {
    let mut lane = Lane::start(label, ms(from));
    lane.record_head(ms(to), 200);
    lane.finish(ms(to));
    lane
}

/// One request of three seconds.
fn report() -> Timeline {
    vec![answered("/report?from=3&x=abcd-1", 0, 3000)].into()
}

/// A bystander that is asked `count` times in four seconds.
fn healthz(count: u64, request: impl Fn(u64) -> Lane) -> Bystander {
    Bystander {
        label: format!("/healthz, {count} times"),
        note: "no answer for 3.00 s".to_owned(),
        requests: (0..count).map(|x| request(x * 4000 / count)).collect(),
    }
}

/// Answered at once until 0.3 s, and then when the report is over.
fn frozen(count: u64) -> Bystander {
    healthz(count, |from| {
        let to = if (300..3000).contains(&from) {
            3000
        } else {
            from + 1
        };
        answered("/healthz", from, to)
    })
}

fn picture(lanes: &Timeline, bystander: Bystander) -> Picture<'_> {
    Picture {
        bystanders: vec![bystander],
        ..Picture::from(lanes)
    }
}

#[test]
fn the_time_without_an_answer_is_seen_below_the_lane_that_causes_it() {
    let lanes = report();
    let drawn = "\
/report?from=3&x=abcd-1  ························█          3.00 s
/healthz, 100 times      •••·····················•••••••••  no answer for 3.00 s
                         0 s                        3.96 s
· waiting  | first byte  ━ answering  • chunk or answer  █ end
";
    let shown = text(picture(&lanes, frozen(100)), &Style::plain(80));
    assert_eq!(shown, drawn);
}

#[test]
fn answers_that_are_far_apart_have_nothing_between_them() {
    let lanes = report();
    let prompt = healthz(8, |from| answered("/healthz", from, from + 1));
    let shown = text(picture(&lanes, prompt), &Style::plain(80));
    let row = shown.lines().nth(1).expect("a row");
    assert_eq!(row.matches('•').count(), 8, "{shown}");
    assert_eq!(row.matches('·').count(), 0, "{shown}");
}

#[test]
fn a_bystander_that_is_never_answered_waits_to_the_end() {
    let lanes = report();
    let shown = text(
        picture(&lanes, healthz(4, |from| Lane::start("/healthz", ms(from)))),
        &Style::plain(80),
    );
    let row = shown.lines().nth(1).expect("a row");
    assert!(!row.contains('•'), "{shown}");
    assert!(row.contains("··········"), "{shown}");

    let refused = healthz(4, |from| {
        let mut lane = Lane::start("/healthz", ms(from));
        lane.fail(ms(from + 10), Failure::Refused);
        lane
    });
    let shown = text(picture(&lanes, refused.clone()), &Style::plain(80));
    let row = shown.lines().nth(1).expect("a row");
    assert_eq!(row.matches('✗').count(), 4, "{shown}");
    assert!(shown.contains("✗ failed"), "{shown}");
    let drawn = svg(picture(&lanes, refused), "title");
    assert_eq!(drawn.matches("class=\"failed\"").count(), 4, "{drawn}");

    let none = Bystander {
        requests: Vec::new(),
        ..frozen(1)
    };
    assert_eq!(
        text(picture(&lanes, none), &Style::plain(80))
            .lines()
            .count(),
        4
    );
}

#[test]
fn ascii_and_colours_show_the_same_row() {
    let lanes = report();
    let plain = text(picture(&lanes, frozen(400)), &Style::plain(100));
    let ascii = Style {
        ascii: true,
        ..Style::plain(100)
    };
    let ascii = text(picture(&lanes, frozen(400)), &ascii);
    assert!(ascii.is_ascii(), "{ascii}");
    for (one, other) in [('•', 'o'), ('·', '.')] {
        let row = |text: &str| text.lines().nth(1).expect("a row").to_owned();
        let count = |text: &str, glyph| row(text).matches(glyph).count();
        let beside_label = usize::from(other == 'o') * "no answer for".matches('o').count();
        let point = usize::from(other == '.');
        assert_eq!(
            count(&plain, one) + beside_label + point,
            count(&ascii, other),
            "{ascii}"
        );
    }

    let color = Style {
        color: true,
        ..Style::plain(100)
    };
    let colored = text(picture(&lanes, frozen(400)), &color);
    let bare = ["\x1b[0m", "\x1b[2m", "\x1b[32m"]
        .iter()
        .fold(colored.clone(), |text, sgr| text.replace(sgr, ""));
    assert_ne!(colored, plain);
    assert_eq!(bare, plain);
}

#[test]
fn every_line_fits_the_width_and_the_caption_is_broken() {
    let lanes = report();
    for width in [40, 64, 80, 120, 200] {
        let picture = Picture {
            caption: Some("A caption of several words. ".repeat(9)),
            ..picture(&lanes, frozen(400))
        };
        let shown = text(picture, &Style::plain(width));
        assert!(shown.starts_with("A caption"), "{shown}");
        for line in shown.lines() {
            assert!(line.chars().count() <= width, "{width}: {shown}");
        }
        let row = shown.lines().find(|line| line.contains(" times"));
        let row = row.expect("the bystander's row");
        assert!(row.contains('•') && row.contains('·'), "{width}: {shown}");
    }
}

#[test]
fn a_wait_of_many_requests_is_one_bar_in_an_svg() {
    let lanes = report();
    let drawn = svg(picture(&lanes, frozen(400)), "title");
    let row = drawn.lines().filter(|line| line.starts_with("<g>")).nth(1);
    let row = row.expect("a row");
    assert!(row.contains("<title>/healthz, 400 times: no answer for 3.00 s</title>"));
    assert_eq!(row.matches("<title>waiting 2.70 s</title>").count(), 1);
    // Each answer is a mark.
    assert_eq!(row.matches("class=\"chunk\"").count(), 400);
}

#[test]
fn several_pictures_stand_one_below_the_other_with_their_captions() {
    let lanes = report();
    let captions = [
        "Serialized: <one> at a time.".to_owned(),
        "word ".repeat(40),
    ];
    let pictures = captions.map(|caption| Picture {
        caption: Some(caption),
        ..picture(&lanes, frozen(40))
    });
    let drawn = svg_of_all(&pictures, "title");
    assert_eq!(drawn.matches("<svg").count(), 1);
    assert_eq!(drawn.matches("id=\"hatch\"").count(), 1);
    assert_eq!(drawn.matches("class=\"line\"").count(), 2);
    assert!(
        drawn.contains(">Serialized: &lt;one&gt; at a time.</text>"),
        "{drawn}"
    );
    // 200 characters are three lines.
    let captions = drawn.lines().filter(|line| line.starts_with("<text"));
    assert_eq!(captions.count(), 4, "{drawn}");
    let places: Vec<f64> = drawn
        .split(" y=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next()?.parse().ok())
        .collect();
    let height = drawn
        .split("height=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let height: f64 = height.expect("a height").parse().expect("a number");
    assert!(places.iter().all(|y| *y < height), "{height}: {drawn}");
    assert_eq!(svg_of_all(&[], "title").matches("<g>").count(), 0);
}
