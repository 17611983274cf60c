//! What an experiment found.

use crate::began::Began;
use crate::beside::{Beside, BesideRound};
use crate::cause::Cause;
use crate::connection::Connection;
use crate::delivery::{Delivery, delivery};
use crate::identical::Identical;
use crate::judge::judge;
use crate::limit::Limit;
use crate::session::Session;
use crate::verdict::Verdict;
use crate::versus::Versus;
use holdup_model::{Lane, Timeline};

/// The measurements of all rounds, and the verdict.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Findings {
    /// The requests alone: one or two. The warm-up, if it failed, or if the rounds proved that it took no
    /// longer than later requests.
    pub alone: Vec<Lane>,
    /// Requests that show what others leave behind: each request after a pause with the one sent right after
    /// its answer, and those sent right after concurrent requests. Empty unless something was suspected.
    pub rested: Vec<Lane>,
    /// The requests at once with unique URLs; the first time, if they were asked again.
    pub unique: Option<Timeline>,
    /// The requests at once with the same URL; the first time, if they were asked again.
    pub same: Option<Timeline>,
    /// How many of the unique ones ran at a time.
    pub verdict: Verdict,
    /// How the answer to a request alone is delivered.
    pub delivery: Delivery,
    /// The comparison of identical URLs with unique ones. `None` if it was not made.
    pub identical: Option<Identical>,
    /// How each bystander fared while the requests ran, in the order in which they were given.
    pub beside: Vec<Beside>,
    /// For each bystander the round that shows how it fared; `None` if there was no round.
    pub beside_shown: Vec<Option<BesideRound>>,
    /// The most requests that ran at a time beside a bystander, as far as it shows. They are sent a moment apart
    /// there, so that one of several processes does not accept all of them.
    pub beside_ran: Option<usize>,
    /// How many requests run at a time at most, and what happens to the next one.
    pub limit: Option<Limit>,
    /// How requests on one HTTP/2 connection fare.
    pub connection: Option<Connection>,
    /// How requests without cookies and credentials fare.
    pub session: Option<Session>,
    /// How many streamed answers had begun at a time.
    pub began: Option<Began>,
    /// How the second URL fares.
    pub versus: Option<Versus>,
    /// What the requests wait for.
    pub cause: Cause,
}

impl Findings {
    /// The findings if only the solo requests are known.
    pub(super) fn of(alone: Vec<Lane>) -> Self {
        Self {
            beside: Vec::new(),
            beside_shown: Vec::new(),
            beside_ran: None,
            limit: None,
            connection: None,
            session: None,
            began: None,
            versus: None,
            cause: Cause::default(),
            verdict: judge(&alone, &Timeline::default()),
            delivery: alone.first().map_or(Delivery::Unknown, delivery),
            alone,
            rested: Vec::new(),
            unique: None,
            same: None,
            identical: None,
        }
    }
}
