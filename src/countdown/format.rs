//! The three formats: which one a client gets, and how a tick is written in it.

use std::io::Write;
use std::time::Duration;

use actix_web::http::header::{ACCEPT, Accept, Header, HeaderValue, Quality};
use actix_web::{HttpRequest, mime};
use serde::Serialize;

use super::tick::Tick;
use crate::problem::Problem;
use crate::streams::Identity;

/// How ticks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON document a line.
    Ndjson,
    /// One short sentence a line.
    Text,
    /// Server-sent events, for a browser's `EventSource`.
    Sse,
}

impl Format {
    /// All of them, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Ndjson, Self::Text, Self::Sse];

    /// As the query's `format` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Text => "text",
            Self::Sse => "sse",
        }
    }

    /// The `Content-Type`. A browser's tab shows a text stream live only with its charset named.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
            Self::Sse => "text/event-stream; charset=utf-8",
        }
    }

    /// The types in `Accept` that this format answers. A tab asks for `text/html` and is served
    /// plain text, which it shows line by line.
    fn answers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Ndjson => &[("application", "x-ndjson")],
            Self::Text => &[("text", "plain"), ("text", "html")],
            Self::Sse => &[("text", "event-stream")],
        }
    }

    /// The format that a request's `Accept` prefers: highest quality first, then the range that
    /// names it most exactly, then the order of [`Format::ALL`].
    ///
    /// # Errors
    ///
    /// 406 when `Accept` leaves none of them.
    pub fn negotiate(request: &HttpRequest) -> Result<Self, Problem> {
        // An empty one says as little as none.
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

    /// How much `accept` wants this format, and how exactly it says so (2 exact, 1 `type/*`, 0
    /// `*/*`). RFC 9110: of the ranges that match a type, the most exact one counts.
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

    /// Writes one tick, a line or an event.
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

    /// What follows the last tick, if anything: an `EventSource` has to be told that this is the
    /// end, or it reconnects.
    pub fn farewell(self) -> Option<&'static str> {
        match self {
            Self::Sse => Some("event: end\ndata: {\"remaining\":0}\n\n"),
            Self::Ndjson | Self::Text => None,
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    remaining: u16,
    handler: &'static str,
    stream: u64,
    worker: usize,
    elapsed_ms: f64,
    late_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<&'a str>,
}

fn write_json(
    to: &mut Vec<u8>,
    stream: &Identity,
    label: Option<&str>,
    tick: Tick,
) -> std::io::Result<()> {
    let line = Line {
        remaining: tick.remaining(),
        handler: stream.handler,
        stream: stream.number,
        worker: stream.worker,
        elapsed_ms: tenths_of_ms(tick.elapsed()),
        late_ms: tenths_of_ms(tick.late()),
        x: label,
    };
    Ok(serde_json::to_writer(to, &line)?)
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
        // A label with a line break in it must not look like a tick of its own.
        write!(to, " {label:?}")?;
    }
    writeln!(to, "  {remaining:>3}  after {elapsed:.3} s")
}

/// Milliseconds to one decimal: finer than the timers are.
#[expect(
    clippy::cast_precision_loss,
    reason = "an hour is 36,000,000 tenths; f64 holds 2^53"
)]
fn tenths_of_ms(duration: Duration) -> f64 {
    (duration.as_micros() as f64 / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_accepted_it_is_a_format_or_says_what_there_is(accept in "[ -~]{0,120}") {
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
