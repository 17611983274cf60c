//! Parses the response: the head, then one chunk, which is one line with one tick.

use httparse::{EMPTY_HEADER, Status};
use serde::Deserialize;

/// More headers than the lab, or a proxy in front of it, sends.
const HEADERS_MAX: usize = 32;

/// Longer than any tick's line, even with the longest label.
const CHUNK_MAX: u64 = 4096;

/// The fields of a tick's line that the client uses.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Line {
    pub(crate) remaining: u16,
    pub(crate) late_ms: f64,
}

/// The status of a head, and whether a countdown follows it.
pub(crate) struct Head {
    pub(crate) len: usize,
    pub(crate) status: u16,
    pub(crate) chunked_ndjson: bool,
}

/// Parses the head at the start of `input`, if it is complete.
pub(crate) fn head(input: &[u8]) -> Result<Option<Head>, httparse::Error> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let Status::Complete(len) = response.parse(input)? else {
        return Ok(None);
    };
    let has = |name: &str, start: &[u8]| {
        response.headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case(name)
                && header
                    .value
                    .get(..start.len())
                    .is_some_and(|value| value.eq_ignore_ascii_case(start))
        })
    };
    Ok(Some(Head {
        len,
        status: response.code.unwrap_or(0),
        chunked_ndjson: has("transfer-encoding", b"chunked")
            && has("content-type", b"application/x-ndjson"),
    }))
}

/// A chunk, and its length in bytes including its frame.
pub(crate) enum Chunk {
    Tick {
        len: usize,
        line: Line,
    },
    /// The zero chunk, which ends the body.
    End,
}

/// Parses the chunk at the start of `input`, if it is complete. The error describes what is wrong
/// with it.
pub(crate) fn chunk(input: &[u8]) -> Result<Option<Chunk>, &'static str> {
    let Ok(parsed) = httparse::parse_chunk_size(input) else {
        return Err("not a chunk");
    };
    let Status::Complete((start, size)) = parsed else {
        return Ok(None);
    };
    if size > CHUNK_MAX {
        return Err("a chunk is longer than any tick");
    }
    let end = start + size as usize;
    let Some(frame_end) = input.get(end..end + 2) else {
        return Ok(None);
    };
    if frame_end != b"\r\n" {
        return Err("a chunk does not end where it should");
    }
    if size == 0 {
        return Ok(Some(Chunk::End));
    }
    let line = serde_json::from_slice(&input[start..end])
        .map_err(|_| "a chunk is not the line of one tick")?;
    let len = end + 2;
    Ok(Some(Chunk::Tick { len, line }))
}
