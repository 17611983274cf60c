//! Of which requests the log says, in their own spans, that they held a worker or were held up. One hold may have
//! thousands of victims, and must not push other lines out of the log.
//!
//! The last reference to a span closes it, and that calls the app's own code. So no span is dropped here: all go to the
//! thread that writes the log.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use holdup_model::{Hold, RouteName, Spent};
use tracing::Span;

use crate::outlets::{LogEntry, Outlet};
use crate::record::HoldId;
use crate::spans::{SpanNote, SpanNotes};

/// The most requests of which the log says in one second that they were held up, and that they held a worker.
const A_SECOND: usize = 256;

/// From this many spans on that wait for the log, or for a hold, no further ones are kept.
const SPANS: usize = 1024;

/// The longest that a span waits for its hold to be published. The names of a hold's lines take two seconds at most.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Told {
    /// When the second began in which requests are counted.
    second: Duration,
    /// How many requests the log was told of in this second: those that were held up, and those that held a worker.
    counts: (usize, usize),
    /// How many requests are left out.
    left_out: usize,
    /// Spans that are to be dropped.
    unused: Vec<Span>,
    /// Culprits of holds that are not published yet.
    culprits: Vec<Culprit>,
}

#[derive(Debug)]
struct Culprit {
    id: HoldId,
    /// Which of the hold's culprits it is.
    index: usize,
    span: Span,
    since: Duration,
}

impl Told {
    /// Whether further spans are to be kept.
    pub(super) fn wants_spans(&self, log: &Outlet<LogEntry>) -> bool {
        log.is_open() && self.unused.len() + self.culprits.len() < SPANS
    }

    /// Takes what the workers have noted.
    pub(super) fn take(&mut self, log: &Outlet<LogEntry>, notes: &SpanNotes, now: Duration) {
        for note in notes.drain() {
            match note {
                SpanNote::Held { id, culprit, span } => self.culprits.push(Culprit {
                    id,
                    index: culprit,
                    span,
                    since: now,
                }),
                SpanNote::HeldUp { span, by } if log.has_room() => {
                    if let Err(LogEntry::Link { span, by }) = log.offer(LogEntry::Link { span, by })
                    {
                        self.unused.extend(by);
                        self.unused.push(span);
                    }
                }
                SpanNote::HeldUp { span, by } => {
                    self.unused.extend(by);
                    self.unused.push(span);
                }
            }
        }
    }

    /// Tells the log of the requests that were the culprits of a hold that is over. Their spans are dropped if
    /// `is_allowed`.
    pub(super) fn tell_of(&mut self, log: &Outlet<LogEntry>, hold: &Hold, is_allowed: bool) {
        let id = HoldId::of(hold);
        let mut shared = None;
        for culprit in self.culprits.extract_if(.., |culprit| culprit.id == id) {
            if is_allowed || self.counts.1 >= A_SECOND || !log.has_room() {
                self.unused.push(culprit.span);
                continue;
            }
            let hold = Arc::clone(shared.get_or_insert_with(|| Arc::new(hold.clone())));
            let sent = log.offer(LogEntry::Culprit {
                span: culprit.span,
                hold,
                culprit: culprit.index,
            });
            match sent {
                Ok(()) => self.counts.1 += 1,
                Err(LogEntry::Culprit { span, .. }) => self.unused.push(span),
                Err(_) => {}
            }
        }
    }

    /// Forgets the culprits of a hold that turned out not to be one.
    pub(super) fn forget(&mut self, id: HoldId) {
        let culprits = self.culprits.extract_if(.., |culprit| culprit.id == id);
        self.unused.extend(culprits.map(|culprit| culprit.span));
    }

    /// Tells the log of a request that was held up, or leaves it out.
    pub(super) fn tell(
        &mut self,
        log: &Outlet<LogEntry>,
        span: Span,
        route: RouteName,
        spent: Spent,
    ) {
        if self.counts.0 < A_SECOND && log.has_room() {
            match log.offer(LogEntry::HeldUp { span, route, spent }) {
                Ok(()) => self.counts.0 += 1,
                Err(LogEntry::HeldUp { span, .. }) => self.leave_out(span),
                Err(_) => {}
            }
        } else {
            self.leave_out(span);
        }
    }

    fn leave_out(&mut self, span: Span) {
        self.left_out += 1;
        self.unused.push(span);
    }

    /// Once a second, tells the log how many requests were left out.
    pub(super) fn pass(&mut self, log: &Outlet<LogEntry>, now: Duration) {
        self.drop_unused(log);
        if now.saturating_sub(self.second) < Duration::from_secs(1) {
            return;
        }
        (self.second, self.counts) = (now, (0, 0));
        // The queue of holds may have been full, so that a hold is lost.
        let lost = |culprit: &mut Culprit| now.saturating_sub(culprit.since) >= PATIENCE;
        let lost = self.culprits.extract_if(.., lost);
        self.unused.extend(lost.map(|culprit| culprit.span));
        self.say_what_is_left_out(log);
    }

    /// Tells the log how many requests were left out, if any.
    pub(super) fn say_what_is_left_out(&mut self, log: &Outlet<LogEntry>) {
        let requests = self.left_out;
        if requests > 0 && log.has_room() && log.offer(LogEntry::MoreHeldUp { requests }).is_ok() {
            self.left_out = 0;
        }
    }

    /// Whether the log has been told everything, or there is none.
    pub(super) fn is_all_told(&self, log: &Outlet<LogEntry>) -> bool {
        !log.is_open() || self.left_out == 0 && self.unused.is_empty()
    }

    /// Has the log's thread drop the spans that are not needed any more.
    pub(super) fn drop_unused(&mut self, log: &Outlet<LogEntry>) {
        if self.unused.is_empty() || !log.has_room() {
            return;
        }
        let spans = mem::take(&mut self.unused);
        if let Err(LogEntry::Unused { spans }) = log.offer(LogEntry::Unused { spans }) {
            self.unused = spans;
        }
    }
}
