//! One request, from when it was sent to when it ended.

use std::hash::Hasher as _;
use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use twox_hash::XxHash64;

use super::millis::Millis;
use super::{ClientTime, Failure};

/// The most chunks a lane keeps one by one; the rest are only counted. A picture has fewer columns than this,
/// and a thousand lanes of endless streams still fit in 24 MB.
pub const MAX_CHUNKS: usize = 1024;

/// One request: what was requested, and when each part of the response arrived.
///
/// A lane is ongoing until it has [finished](Lane::finish) or [failed](Lane::fail).
///
/// Record events in the order in which they happen. The lane does not check the order: a lane that was
/// recorded out of order is rendered and published as it is, and judged by its beginning and its end.
///
/// As JSON, here and wherever else a lane is published, with all times in milliseconds or null:
///
/// | key | what it is |
/// |---|---|
/// | `label` | what was asked |
/// | `requested_ms` | [`requested_at`](Lane::requested_at) |
/// | `connected_ms` | [`connected_at`](Lane::connected_at) |
/// | `first_byte_ms` | [`first_byte_at`](Lane::first_byte_at) |
/// | `chunks_ms` | when each of the [`chunks`](Lane::chunks) arrived |
/// | `chunk_count` | [`chunk_count`](Lane::chunk_count) |
/// | `finished_ms` | [`finished_at`](Lane::finished_at) |
/// | `ended_ms` | [`ended_at`](Lane::ended_at) |
/// | `status`, `bytes` | the same |
/// | `error` | the [`failure`](Lane::failure) in words, or null |
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    label: String,
    requested: Duration,
    connected: Option<Duration>,
    connecting: Option<Duration>,
    first_byte: Option<Duration>,
    chunks: Vec<Chunk>,
    chunk_count: u64,
    last_chunk: Option<Duration>,
    ended: Option<Duration>,
    status: Option<u16>,
    bytes: u64,
    cut_short: bool,
    failure: Option<Failure>,
    /// Distinguishes the bodies of one run, regardless of how they were split into chunks. The digest need
    /// not resist attacks, but it must be fast: the prober computes it for all lanes on one thread.
    digest: XxHash64,
    client: ClientTime,
    cache_header: Option<String>,
}

/// A chunk of the body, as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// When it arrived.
    pub at: Duration,
    /// Its length in bytes.
    pub bytes: usize,
}

impl Lane {
    /// A request that was sent at `at`. The label is what was requested: a URL or a route.
    pub fn start(label: impl Into<String>, at: Duration) -> Self {
        Self {
            label: label.into(),
            requested: at,
            connected: None,
            connecting: None,
            first_byte: None,
            chunks: Vec::new(),
            chunk_count: 0,
            last_chunk: None,
            ended: None,
            status: None,
            bytes: 0,
            cut_short: false,
            failure: None,
            digest: XxHash64::with_seed(0),
            client: ClientTime::default(),
            cache_header: None,
        }
    }

    /// Replaces the label, for a recorder that learns only later what was requested.
    pub fn rename(&mut self, label: impl Into<String>) {
        self.label = label.into();
    }

    /// Records that the TCP connection was established, before any TLS handshake, so `connected - requested`
    /// is one round trip. A test harness has no connection and does not call this.
    pub fn record_connect(&mut self, at: Duration) {
        self.record_connect_that_took(at, at.saturating_sub(self.requested));
    }

    /// Records that the TCP connection was established at `at`, if that took another time than has passed since the
    /// request: a recorder may open connections before it sends requests.
    pub fn record_connect_that_took(&mut self, at: Duration, took: Duration) {
        self.connected = Some(at);
        self.connecting = Some(took);
    }

    /// Records the head of the response, with its HTTP status.
    pub fn record_head(&mut self, at: Duration, status: u16) {
        self.first_byte.get_or_insert(at);
        self.status = Some(status);
    }

    /// Records a chunk of the body. After the first [`MAX_CHUNKS`], chunks are only counted. An empty chunk
    /// is ignored.
    pub fn record_chunk(&mut self, at: Duration, data: &[u8]) {
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

    /// Records that the response is complete.
    pub fn finish(&mut self, at: Duration) {
        self.ended = Some(at);
    }

    /// Records that the recorder stops reading here, and counts the response as complete although more may follow.
    pub fn record_cut_short(&mut self) {
        self.cut_short = true;
    }

    /// Records that there will be no complete response, and why.
    pub fn fail(&mut self, at: Duration, failure: Failure) {
        self.ended = Some(at);
        self.failure = Some(failure);
    }

    /// Records the time that the client spent on itself while the lane was ongoing. A recorder that does not
    /// measure its own time need not call this.
    pub fn record_client_time(&mut self, time: ClientTime) {
        self.client = time;
    }

    /// Records that, by one of its headers, the response came from a cache, and which header that is.
    pub fn record_cache_header(&mut self, header: impl Into<String>) {
        self.cache_header = Some(header.into());
    }

    /// What was asked.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When the request was sent.
    pub fn requested_at(&self) -> Duration {
        self.requested
    }

    /// When the connection was established.
    pub fn connected_at(&self) -> Option<Duration> {
        self.connected
    }

    /// When the first byte of the response arrived, which usually is its head.
    pub fn first_byte_at(&self) -> Option<Duration> {
        self.first_byte
    }

    /// The first [`MAX_CHUNKS`] chunks of the body.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How many chunks the body arrived in, including those that were only counted.
    pub fn chunk_count(&self) -> u64 {
        self.chunk_count
    }

    /// When the last chunk arrived, even if it was only counted.
    pub fn last_chunk_at(&self) -> Option<Duration> {
        self.last_chunk
    }

    /// When the response was complete; `None` while the lane is ongoing and if it failed.
    pub fn finished_at(&self) -> Option<Duration> {
        self.ended.filter(|_| self.failure.is_none())
    }

    /// When the lane finished or failed; `None` while it is ongoing.
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

    /// Whether more of the response may have followed after it was counted as complete.
    pub fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Why there is no complete response.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The time from requested to finished; `None` while the lane is ongoing and if it failed.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.finished_at()?.saturating_sub(self.requested))
    }

    /// How long it took to establish the TCP connection.
    pub fn connecting(&self) -> Option<Duration> {
        self.connecting
    }

    /// Whether both bodies have the same bytes, regardless of how they were split into chunks.
    pub fn same_body(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.digest.finish() == other.digest.finish()
    }

    /// The time that the client spent on itself while the lane was ongoing; zero if it was not measured.
    pub fn client_time(&self) -> ClientTime {
        self.client
    }

    /// The header that shows that the response came from a cache, if there is one.
    pub fn cache_header(&self) -> Option<&str> {
        self.cache_header.as_deref()
    }

    /// The same lane with only the `most` newest of the chunks that it kept, for a picture that has no room
    /// for more. [`chunk_count`](Self::chunk_count) still counts all.
    #[must_use]
    pub fn with_newest_chunks(&self, most: usize) -> Self {
        let older = self.chunks.len().saturating_sub(most);
        Self {
            chunks: self.chunks[older..].to_vec(),
            label: self.label.clone(),
            failure: self.failure.clone(),
            digest: self.digest.clone(),
            cache_header: self.cache_header.clone(),
            ..*self
        }
    }

    /// The time of the last thing recorded.
    pub(super) fn last_event(&self) -> Duration {
        let others = [self.connected, self.first_byte, self.last_chunk, self.ended];
        let last = others.into_iter().flatten().max();
        last.unwrap_or(self.requested).max(self.requested)
    }
}

impl Serialize for Lane {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = |time: Option<Duration>| time.map(Millis);
        let chunks = self.chunks.iter().map(|chunk| Millis(chunk.at));
        let chunks: Vec<_> = chunks.collect();
        let mut lane = serializer.serialize_struct("Lane", 11)?;
        lane.serialize_field("label", &self.label)?;
        lane.serialize_field("requested_ms", &Millis(self.requested))?;
        lane.serialize_field("connected_ms", &time(self.connected))?;
        lane.serialize_field("first_byte_ms", &time(self.first_byte))?;
        lane.serialize_field("chunks_ms", &chunks)?;
        lane.serialize_field("chunk_count", &self.chunk_count)?;
        lane.serialize_field("finished_ms", &time(self.finished_at()))?;
        lane.serialize_field("ended_ms", &time(self.ended))?;
        lane.serialize_field("status", &self.status)?;
        lane.serialize_field("bytes", &self.bytes)?;
        lane.serialize_field("error", &self.failure.as_ref().map(ToString::to_string))?;
        lane.end()
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
    fn chunks_beyond_the_limit_are_counted_but_not_kept() {
        let mut lane = Lane::start("/endless", ms(0));
        for at in 1..=2000 {
            lane.record_chunk(ms(at), b"ab");
        }
        lane.record_chunk(ms(3000), b"");
        assert_eq!(lane.chunks().len(), MAX_CHUNKS);
        assert_eq!((lane.chunk_count(), lane.bytes()), (2000, 4000));
        assert_eq!(lane.last_chunk_at(), Some(ms(2000)));
        assert_eq!(lane.first_byte_at(), Some(ms(1)));
    }

    #[test]
    fn bodies_are_the_same_however_they_are_split_into_chunks() {
        let body = |pieces: &[&str]| {
            let mut lane = Lane::start("/", ms(0));
            for piece in pieces {
                lane.record_chunk(ms(1), piece.as_bytes());
            }
            lane
        };
        assert!(body(&["ab", "c"]).same_body(&body(&["a", "", "bc"])));
        assert!(!body(&["abc"]).same_body(&body(&["acb"])));
        assert!(!body(&["abc"]).same_body(&body(&[])));
    }

    #[test]
    fn a_lane_that_failed_has_an_end_but_no_finish() {
        let mut lane = Lane::start("/", ms(5));
        lane.fail(ms(45), Failure::CutOff);
        assert_eq!((lane.ended_at(), lane.duration()), (Some(ms(45)), None));
    }

    #[test]
    fn as_json_every_time_is_in_milliseconds() {
        let mut lane = Lane::start("/a?x=1", Duration::from_micros(1500));
        lane.record_connect(ms(2));
        lane.record_head(ms(3), 200);
        lane.record_chunk(ms(4), b"tick");
        let going = lane.clone();
        lane.fail(ms(5), Failure::Other("TLS: bad certificate".to_owned()));
        let expected = json!({
            "label": "/a?x=1", "requested_ms": 1.5, "connected_ms": 2.0, "first_byte_ms": 3.0,
            "chunks_ms": [4.0], "chunk_count": 1, "finished_ms": null, "ended_ms": 5.0,
            "status": 200, "bytes": 4, "error": "TLS: bad certificate",
        });
        assert_eq!(serde_json::to_value(&lane).expect("JSON"), expected);
        let mut finished = going;
        finished.finish(ms(6));
        let json = serde_json::to_value(&finished).expect("JSON");
        assert_eq!(
            (&json["finished_ms"], &json["ended_ms"]),
            (&json!(6.0), &json!(6.0))
        );
        assert_eq!(json["error"], json!(null));
    }

    #[test]
    fn the_newest_chunks_are_a_subset_of_all() {
        let mut lane = Lane::start("/", ms(0));
        for at in 1..=5 {
            lane.record_chunk(ms(at), b"ab");
        }
        let newest = lane.with_newest_chunks(2);
        assert_eq!(newest.chunks(), &lane.chunks()[3..]);
        assert_eq!((newest.chunk_count(), newest.bytes()), (5, 10));
        assert_eq!(lane.with_newest_chunks(9), lane);
    }
}
