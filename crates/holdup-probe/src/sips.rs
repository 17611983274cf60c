//! A connection that is read in sips, so that what was read is handled before more of it is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Wire;

/// The most that is read at once. An HTTP/2 connection hands on nothing before it has read all that is there:
/// of a server as fast as the prober it would keep everything in memory, and record it late.
const SIP: usize = 256 * 1024;

/// How an answer of HTTP/1 begins.
const HTTP1: &[u8] = b"HTTP/";

/// A connection that is read in sips.
pub(super) struct Sips {
    wire: Box<dyn Wire>,
    /// What is left of the sip.
    left: usize,
    /// How many bytes of the first answer are like those of HTTP/1. `None` once that is known.
    like_http1: Option<usize>,
    speaks_http1: Arc<AtomicBool>,
}

impl Sips {
    /// `speaks_http1` becomes true once an answer of HTTP/1 has begun.
    pub(super) fn of(wire: Box<dyn Wire>, speaks_http1: Arc<AtomicBool>) -> Self {
        Self {
            wire,
            left: SIP,
            like_http1: Some(0),
            speaks_http1,
        }
    }

    /// Compares the beginning of the first answer with that of HTTP/1.
    fn compare(&mut self, read: &[u8]) {
        let Some(known) = self.like_http1 else { return };
        let rest = &HTTP1[known..];
        let compared = read.len().min(rest.len());
        if read[..compared] != rest[..compared] {
            self.like_http1 = None;
        } else if compared == rest.len() {
            self.speaks_http1.store(true, Ordering::Relaxed);
            self.like_http1 = None;
        } else {
            self.like_http1 = Some(known + compared);
        }
    }
}

impl AsyncRead for Sips {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            self.left = SIP;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.wire).poll_read(context, buffer);
        let read_now = &buffer.filled()[before..];
        self.left = self.left.saturating_sub(read_now.len());
        self.compare(read_now);
        read
    }
}

impl AsyncWrite for Sips {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn an_answer_of_http_1_is_recognized_however_it_is_cut() {
        for (parts, expected) in [
            (&["HTTP/1.1 400 Bad Request"][..], true),
            (&["H", "TT", "P/1.0 505"], true),
            (&["HTTP"], false),
            (&["HTTQ/1.1"], false),
            (&["\0\0\0\u{4}", "HTTP/1.1"], false),
        ] {
            let (mut server, client) = tokio::io::duplex(64);
            let speaks_http1 = Arc::new(AtomicBool::new(false));
            let mut sips = Sips::of(Box::new(client), Arc::clone(&speaks_http1));
            let mut buffer = [0; 64];
            for part in parts {
                server.write_all(part.as_bytes()).await.expect("room");
                let read = sips.read(&mut buffer).await.expect("a part");
                assert_eq!(read, part.len());
            }
            assert_eq!(speaks_http1.load(Ordering::Relaxed), expected, "{parts:?}");
        }
    }

    #[tokio::test]
    async fn after_each_sip_something_else_may_run() {
        let (mut server, client) = tokio::io::duplex(4 * SIP);
        server.write_all(&vec![b'x'; 3 * SIP]).await.expect("room");
        let mut sips = Sips::of(Box::new(client), Arc::new(AtomicBool::new(false)));
        let mut buffer = vec![0; 4 * SIP];
        let mut sizes = Vec::new();
        for _ in 0..5 {
            let mut read = ReadBuf::new(&mut buffer[..SIP]);
            let sip = std::future::poll_fn(|context| {
                Poll::Ready(Pin::new(&mut sips).poll_read(context, &mut read))
            });
            sizes.push(sip.await.map(|_| read.filled().len()));
        }
        let sizes: Vec<_> = sizes
            .into_iter()
            .map(|sip| match sip {
                Poll::Ready(size) => size,
                Poll::Pending => 0,
            })
            .collect();
        assert_eq!(sizes, [SIP, 0, SIP, 0, SIP]);
    }
}
