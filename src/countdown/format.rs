//! The three formats: how one is chosen for a client, and how ticks are written in it.

use std::io::Write;
use std::time::Duration;

use actix_web::http::header::{ACCEPT, Accept, Header, HeaderValue, Quality};
use actix_web::{HttpRequest, mime};

use super::tick::Tick;
use crate::streams::Identity;
use holdup_http::problem::Problem;

/// How ticks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON document per line.
    Ndjson,
    /// One short sentence per line.
    Text,
    /// Server-sent events, for a browser's `EventSource`.
    Sse,
}

impl Format {
    /// All formats, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Ndjson, Self::Text, Self::Sse];

    /// The format's name in the query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Text => "text",
            Self::Sse => "sse",
        }
    }

    /// The `Content-Type`. Browsers show a text stream live only if its charset is given.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
            Self::Sse => "text/event-stream; charset=utf-8",
        }
    }

    /// The types in `Accept` that this format satisfies. A browser's tab asks for `text/html` and
    /// gets plain text, which it shows line by line.
    fn answers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Ndjson => &[("application", "x-ndjson")],
            Self::Text => &[("text", "plain"), ("text", "html")],
            Self::Sse => &[("text", "event-stream")],
        }
    }

    /// Chooses the format for an `Accept` header: by quality, then by how exactly a range names the
    /// type, then in the order of [`Format::ALL`].
    ///
    /// # Errors
    ///
    /// Returns 406 when `Accept` excludes all formats.
    pub fn negotiate(request: &HttpRequest) -> Result<Self, Problem> {
        // An empty header is treated like a missing one.
        if request.headers().get_all(ACCEPT).all(HeaderValue::is_empty) {
            return Ok(Self::Ndjson);
        }
        let accept = Accept::parse(request).unwrap_or(Accept(Vec::new()));
        let mut best = None;
        for format in Self::ALL {
            let rank = format.rank(&accept);
            if rank.0 > Quality::ZERO && best.is_none_or(|(most, _)| rank > most) {
                best = Some((rank, format));
            }
        }
        best.map(|(_, format)| format).ok_or_else(|| {
            let given = request
                .headers()
                .get(ACCEPT)
                .map_or(&b""[..], |value| value.as_bytes());
            let available = Self::ALL.map(Self::content_type).join(", ");
            Problem::not_acceptable(&String::from_utf8_lossy(given), available)
        })
    }

    /// The quality that `accept` gives this format, and how exactly it names it (2 exact, 1
    /// `type/*`, 0 `*/*`). Of several ranges that match a type, the most exact one counts (RFC
    /// 9110).
    fn rank(self, accept: &Accept) -> (Quality, u8) {
        let of_type = |&(kind, subtype): &(&str, &str)| {
            let ranges = accept.iter().filter_map(|range| {
                let exact = match (range.item.type_(), range.item.subtype()) {
                    (k, s) if k == kind && s == subtype => 2,
                    (k, mime::STAR) if k == kind => 1,
                    (mime::STAR, mime::STAR) => 0,
                    _ => return None,
                };
                Some((exact, range.quality))
            });
            ranges
                .max()
                .map_or((Quality::ZERO, 0), |(exact, quality)| (quality, exact))
        };
        self.answers()
            .iter()
            .map(of_type)
            .max()
            .unwrap_or((Quality::ZERO, 0))
    }

    /// Writes one tick, as a line or an event.
    pub fn write_tick(self, to: &mut Vec<u8>, stream: &Identity, label: Option<&str>, tick: Tick) {
        let result = match self {
            Self::Ndjson => write_json(to, stream, label, tick).and_then(|()| to.write_all(b"\n")),
            Self::Text => write_text(to, stream, label, tick),
            Self::Sse => to
                .write_all(b"event: tick\ndata: ")
                .and_then(|()| write_json(to, stream, label, tick))
                .and_then(|()| to.write_all(b"\n\n")),
        };
        debug_assert!(result.is_ok(), "writing to a Vec does not fail: {result:?}");
    }

    /// What follows the last tick, if anything. An `EventSource` reconnects unless it receives an
    /// event that marks the end.
    pub fn farewell(self) -> Option<&'static str> {
        match self {
            Self::Sse => Some("event: end\ndata: {\"remaining\":0}\n\n"),
            Self::Ndjson | Self::Text => None,
        }
    }
}

/// The line is written by hand because this is what a server with thousands of streams does most.
/// With a serializer it would be a quarter of the work of a tick.
fn write_json(
    to: &mut Vec<u8>,
    stream: &Identity,
    label: Option<&str>,
    tick: Tick,
) -> std::io::Result<()> {
    let mut digits = itoa::Buffer::new();
    to.extend_from_slice(b"{\"remaining\":");
    to.extend_from_slice(digits.format(tick.remaining()).as_bytes());
    // The handlers' names are identifiers, so they need no escaping.
    to.extend_from_slice(b",\"handler\":\"");
    to.extend_from_slice(stream.handler.as_bytes());
    to.extend_from_slice(b"\",\"stream\":");
    to.extend_from_slice(digits.format(stream.number).as_bytes());
    to.extend_from_slice(b",\"worker\":");
    to.extend_from_slice(digits.format(stream.worker).as_bytes());
    to.extend_from_slice(b",\"elapsed_ms\":");
    write_ms(to, tick.elapsed());
    to.extend_from_slice(b",\"late_ms\":");
    write_ms(to, tick.late());
    if let Some(label) = label {
        to.extend_from_slice(b",\"x\":");
        serde_json::to_writer(&mut *to, label)?;
    }
    to.push(b'}');
    Ok(())
}

/// Milliseconds with one decimal, which is finer than the timers.
fn write_ms(to: &mut Vec<u8>, duration: Duration) {
    // A countdown lasts nothing like the 500,000 years that are too long for 64 bits.
    let tenths = (duration.as_micros() as u64 + 50) / 100;
    let (whole, tenth) = (tenths / 10, (tenths % 10) as u8);
    to.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    to.extend_from_slice(&[b'.', b'0' + tenth]);
}

fn write_text(
    to: &mut Vec<u8>,
    stream: &Identity,
    label: Option<&str>,
    tick: Tick,
) -> std::io::Result<()> {
    let Identity {
        handler, number, ..
    } = stream;
    let (remaining, elapsed) = (tick.remaining(), tick.elapsed().as_secs_f64());
    write!(to, "{handler} #{number}")?;
    if let Some(label) = label {
        // A label with a line break must not look like another tick.
        write!(to, " {label:?}")?;
    }
    writeln!(to, "  {remaining:>3}  after {elapsed:.3} s")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_tick_is_json_with_the_values_that_it_has(
            micros in 0_u64..4_000_000_000,
            number in proptest::num::u64::ANY,
            label in proptest::option::of(".{0,20}"),
        ) {
            let mut written = Vec::new();
            write_ms(&mut written, Duration::from_micros(micros));
            let milliseconds: f64 = std::str::from_utf8(&written).expect("text").parse().expect("a number");
            prop_assert!((milliseconds - Duration::from_micros(micros).as_secs_f64() * 1000.0).abs() <= 0.050_001);

            let stream = Identity { number, handler: "callback", worker: 3 };
            let tick = crate::countdown::Ticks::new(5, Duration::from_secs(1)).next().expect("a tick");
            written.clear();
            write_json(&mut written, &stream, label.as_deref(), tick).expect("written");
            let json: serde_json::Value = serde_json::from_slice(&written).expect("JSON");
            prop_assert_eq!(&json["stream"], number);
            prop_assert_eq!(&json["handler"], "callback");
            prop_assert_eq!(&json["worker"], 3);
            prop_assert_eq!(&json["remaining"], 5);
            prop_assert_eq!(json["x"].as_str(), label.as_deref());
        }

        #[test]
        fn any_accept_header_gives_a_format_or_lists_what_is_available(accept in "[ -~]{0,120}") {
            let request = TestRequest::get().insert_header(("accept", accept));
            if let Err(problem) = Format::negotiate(&request.to_http_request()) {
                prop_assert!(problem.to_string().contains("available: "), "{problem}");
            }
        }

        #[test]
        fn ranges_with_qualities_are_read(
            ranges in proptest::collection::vec(
                ("(text|application|\\*)/(plain|x-ndjson|event-stream|\\*)", 0_u32..=1000),
                1..6,
            ),
        ) {
            let quality = |q: u32| f64::from(q) / 1000.0;
            let accept: Vec<_> = ranges
                .iter()
                .map(|(range, q)| format!("{range};q={:.3}", quality(*q)))
                .collect();
            let request = TestRequest::get().insert_header(("accept", accept.join(", ")));
            let negotiated = Format::negotiate(&request.to_http_request());
            let wanted = ranges.iter().any(|(range, q)| *q > 0 && !range.starts_with("*/p"));
            prop_assert!(negotiated.is_err() || wanted, "{accept:?}");
        }
    }
}
