//! One request, from asked to ended.

use std::hash::Hasher as _;
use std::time::Duration;

use serde::Serialize;
use twox_hash::XxHash64;

use super::{ClientTime, Failure, as_ms, as_ms_or_null};

/// The most chunks a lane keeps one by one; the rest are only counted. A picture has fewer
/// columns than this, and a thousand lanes of an endless stream still fit in 24 MB.
pub const MAX_CHUNKS: usize = 1024;

/// One request: what was asked, and what came back when.
///
/// Record in the order of events. A lane that was neither [finished](Lane::finish) nor
/// [failed](Lane::fail) is still going.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lane {
    label: String,
    #[serde(rename = "asked_ms", serialize_with = "as_ms")]
    asked: Duration,
    #[serde(rename = "connected_ms", serialize_with = "as_ms_or_null")]
    connected: Option<Duration>,
    #[serde(rename = "first_byte_ms", serialize_with = "as_ms_or_null")]
    first_byte: Option<Duration>,
    chunks: Vec<Chunk>,
    chunk_count: u64,
    #[serde(rename = "last_chunk_ms", serialize_with = "as_ms_or_null")]
    last_chunk: Option<Duration>,
    #[serde(rename = "ended_ms", serialize_with = "as_ms_or_null")]
    ended: Option<Duration>,
    status: Option<u16>,
    bytes: u64,
    failure: Option<Failure>,
    /// Tells the bodies of one run apart, however they were cut into pieces. It need not withstand
    /// anybody, and it must be fast: the prober digests the bodies of all lanes in one thread.
    #[serde(skip)]
    digest: XxHash64,
    #[serde(skip)]
    client: ClientTime,
    #[serde(skip)]
    kept: Option<String>,
}

/// A piece of the body, as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Chunk {
    /// When it arrived.
    #[serde(rename = "at_ms", serialize_with = "as_ms")]
    pub at: Duration,
    /// Its length in bytes.
    pub bytes: usize,
}

impl Lane {
    /// A request that was asked at `at`. The label says what was asked: a URL or a route.
    pub fn asked(label: impl Into<String>, at: Duration) -> Self {
        Self {
            label: label.into(),
            asked: at,
            connected: None,
            first_byte: None,
            chunks: Vec::new(),
            chunk_count: 0,
            last_chunk: None,
            ended: None,
            status: None,
            bytes: 0,
            failure: None,
            digest: XxHash64::with_seed(0),
            client: ClientTime::default(),
            kept: None,
        }
    }

    /// Names the lane anew, for a recorder that learns only later what it asked.
    pub fn rename(&mut self, label: impl Into<String>) {
        self.label = label.into();
    }

    /// Records that the TCP connection stands, before any TLS handshake: so `connected - asked` is
    /// one round trip. A harness has no connection and records none.
    pub fn connect(&mut self, at: Duration) {
        self.connected = Some(at);
    }

    /// Records the head of the answer, with its HTTP status.
    pub fn answer(&mut self, at: Duration, status: u16) {
        self.first_byte.get_or_insert(at);
        self.status = Some(status);
    }

    /// Records a piece of the body. From the [`MAX_CHUNKS`]-th on it is only counted. An empty
    /// piece is no event.
    pub fn chunk(&mut self, at: Duration, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.first_byte.get_or_insert(at);
        if self.chunks.len() < MAX_CHUNKS {
            let bytes = data.len();
            self.chunks.push(Chunk { at, bytes });
        }
        self.chunk_count += 1;
        self.last_chunk = Some(at);
        self.bytes += data.len() as u64;
        self.digest.write(data);
    }

    /// Records that the answer is complete.
    pub fn finish(&mut self, at: Duration) {
        self.ended = Some(at);
    }

    /// Records that there will be no (complete) answer, and why.
    pub fn fail(&mut self, at: Duration, failure: Failure) {
        self.ended = Some(at);
        self.failure = Some(failure);
    }

    /// Records what the client itself needed while the lane was going. A recorder that does not
    /// measure itself records nothing.
    pub fn took_the_client(&mut self, time: ClientTime) {
        self.client = time;
    }

    /// Records that the answer says of itself that a cache gave it, and in which header.
    pub fn was_kept(&mut self, header: impl Into<String>) {
        self.kept = Some(header.into());
    }

    /// What was asked.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When it was asked.
    pub fn asked_at(&self) -> Duration {
        self.asked
    }

    /// When the connection stood.
    pub fn connected_at(&self) -> Option<Duration> {
        self.connected
    }

    /// When the first byte of the answer arrived: its head, as a rule.
    pub fn first_byte_at(&self) -> Option<Duration> {
        self.first_byte
    }

    /// The first [`MAX_CHUNKS`] pieces of the body.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How many pieces the body came in, kept or not.
    pub fn chunk_count(&self) -> u64 {
        self.chunk_count
    }

    /// When the last piece arrived, kept or not.
    pub fn last_chunk_at(&self) -> Option<Duration> {
        self.last_chunk
    }

    /// When the answer was complete; `None` while it is going and when it failed.
    pub fn finished_at(&self) -> Option<Duration> {
        self.ended.filter(|_| self.failure.is_none())
    }

    /// When the lane ended, well or not; `None` while it is going.
    pub fn ended_at(&self) -> Option<Duration> {
        self.ended
    }

    /// The HTTP status, once the head has arrived.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Length of the body so far, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Why there is no complete answer.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// From asked to finished; `None` while it is going and when it failed.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.finished_at()?.saturating_sub(self.asked))
    }

    /// From asked to connected.
    pub fn connecting(&self) -> Option<Duration> {
        Some(self.connected?.saturating_sub(self.asked))
    }

    /// Whether both bodies have the same bytes, however they were cut into pieces.
    pub fn same_body(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.digest.finish() == other.digest.finish()
    }

    /// What the client itself needed while the lane was going; zero where nobody measured it.
    pub fn client_time(&self) -> ClientTime {
        self.client
    }

    /// The header by which the answer says that a cache gave it, if it does.
    pub fn kept(&self) -> Option<&str> {
        self.kept.as_deref()
    }

    /// The time of the last thing recorded.
    pub(super) fn last_mark(&self) -> Duration {
        let marks = [self.connected, self.first_byte, self.last_chunk, self.ended];
        let last = marks.into_iter().flatten().max();
        last.unwrap_or(self.asked).max(self.asked)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn chunks_beyond_the_bound_are_counted_not_kept() {
        let mut lane = Lane::asked("/endless", ms(0));
        for at in 1..=2000 {
            lane.chunk(ms(at), b"ab");
        }
        lane.chunk(ms(3000), b"");
        assert_eq!(lane.chunks().len(), MAX_CHUNKS);
        assert_eq!((lane.chunk_count(), lane.bytes()), (2000, 4000));
        assert_eq!(lane.last_chunk_at(), Some(ms(2000)));
        assert_eq!(lane.first_byte_at(), Some(ms(1)));
    }

    #[test]
    fn bodies_are_the_same_however_they_were_cut() {
        let body = |pieces: &[&str]| {
            let mut lane = Lane::asked("/", ms(0));
            for piece in pieces {
                lane.chunk(ms(1), piece.as_bytes());
            }
            lane
        };
        assert!(body(&["ab", "c"]).same_body(&body(&["a", "", "bc"])));
        assert!(!body(&["abc"]).same_body(&body(&["acb"])));
        assert!(!body(&["abc"]).same_body(&body(&[])));
    }

    #[test]
    fn a_lane_that_failed_has_an_end_but_no_finish() {
        let mut lane = Lane::asked("/", ms(5));
        lane.fail(ms(45), Failure::CutOff);
        assert_eq!((lane.ended_at(), lane.duration()), (Some(ms(45)), None));
    }

    #[test]
    fn as_json_every_time_is_in_milliseconds() {
        let mut lane = Lane::asked("/a?x=1", Duration::from_micros(1500));
        lane.connect(ms(2));
        lane.answer(ms(3), 200);
        lane.chunk(ms(4), b"tick");
        lane.fail(ms(5), Failure::Other("TLS: bad certificate".to_owned()));
        let json = serde_json::to_value(&lane).expect("JSON");
        let expected = json!({
            "label": "/a?x=1", "asked_ms": 1.5, "connected_ms": 2.0, "first_byte_ms": 3.0,
            "chunks": [{"at_ms": 4.0, "bytes": 4}], "chunk_count": 1, "last_chunk_ms": 4.0,
            "ended_ms": 5.0, "status": 200, "bytes": 4,
            "failure": {"kind": "other", "detail": "TLS: bad certificate"},
        });
        assert_eq!(json, expected);
    }
}
