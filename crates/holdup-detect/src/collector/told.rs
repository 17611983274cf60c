//! Of which requests the log says, in their own spans, that they were held up. One hold may have thousands of victims,
//! and must not push other lines out of the log.
//!
//! The last reference to a span closes it, and that calls the app's own code. So no span is dropped here: all go to the
//! thread that writes the log.

use std::mem;
use std::time::Duration;

use holdup_model::{RouteName, Spent};
use tracing::Span;

use crate::outlets::{LogEntry, Outlet};

/// The most requests of which the log says in one second that they were held up.
const A_SECOND: usize = 256;

/// From this many spans on that wait for the log, no further ones are kept.
const SPANS: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Told {
    /// When the second began in which requests are counted, and how many the log was told of.
    second: (Duration, usize),
    /// How many requests are left out, and spans of theirs.
    left_out: (usize, Vec<Span>),
}

impl Told {
    /// Whether further spans are to be kept.
    pub(super) fn wants_spans(&self, log: &Outlet<LogEntry>) -> bool {
        log.is_open() && self.left_out.1.len() < SPANS
    }

    /// Tells the log of a request that was held up, or leaves it out.
    pub(super) fn tell(
        &mut self,
        log: &Outlet<LogEntry>,
        span: Span,
        route: RouteName,
        spent: Spent,
    ) {
        if self.second.1 < A_SECOND && log.has_room() {
            match log.offer(LogEntry::HeldUp { span, route, spent }) {
                Ok(()) => self.second.1 += 1,
                Err(LogEntry::HeldUp { span, .. }) => self.leave_out(span),
                Err(_) => {}
            }
        } else {
            self.leave_out(span);
        }
    }

    fn leave_out(&mut self, span: Span) {
        self.left_out.0 += 1;
        self.left_out.1.push(span);
    }

    /// Once a second, tells the log how many requests were left out.
    pub(super) fn pass(&mut self, log: &Outlet<LogEntry>, now: Duration) {
        if now.saturating_sub(self.second.0) < Duration::from_secs(1) {
            return;
        }
        self.second = (now, 0);
        if self.left_out.0 == 0 || !log.has_room() {
            return;
        }
        let (requests, spans) = mem::take(&mut self.left_out);
        let sent = log.offer(LogEntry::MoreHeldUp { requests, spans });
        if let Err(LogEntry::MoreHeldUp { requests, spans }) = sent {
            self.left_out = (requests, spans);
        }
    }
}
