//! Server-sent events: a stream of bytes, cut into messages.

/// The longest message that is kept. A snapshot of a hundred lanes takes a few hundred kilobytes; a console
/// with ten thousand lanes, the most that it can show, takes a few megabytes.
pub(super) const MOST: usize = 16 * 1024 * 1024;

/// Collects the bytes of the message that is being received.
#[derive(Debug)]
pub(super) struct Messages {
    most: usize,
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// The current message is too long, and the rest of it is skipped.
    is_too_long: bool,
}

/// What ended with an empty line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    /// The data of a message.
    Message(&'a [u8]),
    /// A message that was longer than [`MOST`].
    TooLong,
}

impl Default for Messages {
    fn default() -> Self {
        Self::with_most(MOST)
    }
}

impl Messages {
    fn with_most(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            data: None,
            is_too_long: false,
        }
    }

    /// Adds bytes, and calls `each` with every message that they complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Received<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end]);
            bytes = &bytes[end + 1..];
            self.end_line(each);
        }
        self.add(bytes);
    }

    fn add(&mut self, part: &[u8]) {
        let kept = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
        if kept + part.len() <= self.most {
            self.line.extend_from_slice(part);
        } else {
            self.is_too_long = true;
            self.data = None;
            // What is left of the line is not empty, so that its end does not look like that of the message.
            self.line.clear();
            self.line.push(b':');
        }
    }

    fn end_line(&mut self, each: &mut impl FnMut(Received<'_>)) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        if line.is_empty() {
            if std::mem::take(&mut self.is_too_long) {
                each(Received::TooLong);
            } else if let Some(data) = &self.data {
                each(Received::Message(data));
            }
            self.data = None;
        } else if let Some(value) = line.strip_prefix(b"data:").filter(|_| !self.is_too_long) {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                None => self.data = Some(value.to_vec()),
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            }
        }
        self.line.clear();
        // A long line leaves no large buffer behind.
        self.line.shrink_to(64 * 1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(messages: &mut Messages, bytes: &[u8]) -> Vec<Option<String>> {
        let mut all = Vec::new();
        messages.push(bytes, &mut |received| {
            all.push(match received {
                Received::Message(data) => Some(String::from_utf8_lossy(data).into_owned()),
                Received::TooLong => None,
            });
        });
        all
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn a_stream_is_cut_into_messages_wherever_its_bytes_are_cut() {
        let stream =
            b"retry: 1000\n\n: a comment\ndata: {\"a\":1}\n\ndata:one\r\ndata: two\r\n\r\n\n\
            event: x\nid: 1\ndata:\n\ndata: unfinished\n";
        let expected = some(&["{\"a\":1}", "one\ntwo", ""]);
        assert_eq!(read(&mut Messages::default(), stream), expected);
        for size in 1..stream.len() {
            let mut messages = Messages::default();
            let parts = stream.chunks(size);
            let all: Vec<_> = parts.flat_map(|part| read(&mut messages, part)).collect();
            assert_eq!(all, expected, "in parts of {size}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_skipped_and_takes_no_memory() {
        let mut messages = Messages::with_most(20);
        assert_eq!(read(&mut messages, b"data: short\n\n"), some(&["short"]));
        for _ in 0..1000 {
            assert_eq!(read(&mut messages, b"data: endless"), []);
        }
        assert!(messages.line.capacity() <= 64 * 1024);
        assert_eq!(read(&mut messages, b"\ndata: x\n\n"), [None]);
        // The same with lines that are short, but have no end.
        for _ in 0..1000 {
            assert_eq!(read(&mut messages, b"data: line\n"), []);
        }
        assert_eq!(
            read(&mut messages, b"\ndata: short\n\n"),
            [None, Some("short".to_owned())]
        );
    }
}
