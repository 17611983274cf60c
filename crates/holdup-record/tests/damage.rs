//! Whatever happens to the bytes of a record, reading it neither panics nor invents anything.

use std::time::Duration;

use holdup_model::{Culprit, Event, Hold, HoldKind, Line, Part};
use holdup_record::{Entry, Header, Record, Summary, VERSION, segment};

fn text() -> Vec<u8> {
    let ms = Duration::from_millis;
    let header = Header {
        version: VERSION,
        holdup: "0.1.0".to_owned(),
        pid: 4711,
        segment: 1,
        origin_unix_ms: 1_796_000_000_000,
        at: ms(5),
        threshold: ms(100),
        why_no_lines: None,
    };
    let mut text = header.to_line();
    for n in 0..20 {
        let mut hold = Hold::new(HoldKind::Starved { turns: 3 }, 1, ms(900 * n), ms(450));
        hold.culprits = vec![Culprit::new("GET", "/users/{id}", Part::Body, ms(440))];
        hold.lines = vec![Line::new("app::report"), Line::new("app::other")];
        text.push_str(&Entry::Event(Event::Held(hold.clone())).to_line());
        text.push_str(&Entry::Event(Event::Released(hold)).to_line());
        text.push_str(&Entry::Event(Event::Lost { events: n }).to_line());
    }
    text.into_bytes()
}

#[test]
fn any_change_of_any_bytes_is_survived() {
    let whole = text();
    // A generator of Knuth's, so that every run is the same.
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut readable = 0;
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = b'9',
                1 => bytes[at] = next(256) as u8,
                2 => bytes.truncate(at.max(1)),
                _ => drop(bytes.remove(at)),
            }
        }
        let Ok(segment) = segment(&bytes) else {
            continue;
        };
        readable += 1;
        for entry in &segment.entries {
            let line = entry.to_line();
            let again = Entry::parse(line.trim_end().as_bytes()).expect("it was written");
            assert_eq!(again.to_line(), line);
        }
        let record = Record::of(vec![segment]).expect("a segment");
        assert!(record.span().from <= record.span().to);
        assert!(record.entries.len() + record.damaged <= 63);
        assert!(!Summary(&record).to_string().is_empty());
    }
    assert!(readable > 1_200, "{readable}");
}
