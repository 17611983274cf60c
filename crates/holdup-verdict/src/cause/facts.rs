//! What the rules look at: the verdicts, without their words.

use std::time::Duration;

use crate::beside::{Beside, BesideFinding, BesideKind, BesideReason, Pieces};
use crate::connection::Connection;
use crate::experiment::Findings;
use crate::identical::IdenticalKind;
use crate::limit::{Beyond, Limit};
use crate::reason::Reason;
use crate::verdict::Kind;
use holdup_model::Lane;

/// Requests that took this many times as long as one alone waited for something.
const WAITED: f64 = 1.3;

/// Times are the same if they differ by no more than this part of the longer one.
const ALIKE: f64 = 0.25;

/// The fewest rounds that must show the same, unless one froze the bystander, which is certain by itself.
const LEAST_ALIKE: usize = 2;

/// The names of the other routes, as they appear in sentences.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The bystanders, in their order, such as `GET /healthz`.
    pub beside: Vec<String>,
    /// Which of the bystanders get the cookies and credentials of the measured requests, in their order. Those that are
    /// not listed get none.
    pub same_session: Vec<bool>,
    /// The second URL.
    pub versus: Option<String>,
}

impl Names {
    /// The bystander's name.
    pub(super) fn bystander(&self, which: usize) -> &str {
        self.beside
            .get(which)
            .map_or("the other route", String::as_str)
    }

    /// Whether the bystander gets the cookies and credentials of the measured requests.
    pub(super) fn is_same_session(&self, which: usize) -> bool {
        self.same_session.get(which).copied().unwrap_or_default()
    }
}

/// How the measured requests ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// All at the same time.
    Together,
    /// So many at a time, in turns; one at a time if serialized.
    InTurns(usize),
    /// Side by side, and all of them slower: one at a time in sum, or more.
    Slower(usize),
    /// The next request's turn comes when what the one before left behind has ended.
    AfterLeftovers,
    /// The rounds do not show it.
    Unclear,
}

/// How one bystander fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bystander {
    pub(super) kind: BesideKind,
    /// The smallest number of requests that froze it.
    pub(super) frozen_by: Option<usize>,
    /// The largest number of requests beside which it was untouched, of those that are fewer than froze it in any
    /// round.
    pub(super) untouched_by: usize,
    /// For how long one request alone kept it without an answer, if that was about the same in most rounds.
    pub(super) beside_one: Option<Pieces>,
    /// Whether it was slowed down beside one request alone.
    pub(super) slowed_by_one: bool,
}

/// What the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) ran: Ran,
    pub(super) bystanders: Vec<Bystander>,
    /// For how long each request would hold an event loop, if they wait for one that others of them hold for a part of
    /// their time; `None` if the numbers show no such part.
    pub(super) part: Option<Duration>,
    /// Whether requests for one URL wait for each other, and those for unique URLs do not.
    pub(super) waits_by_url: bool,
    /// How the requests ran without cookies and credentials, if more of them ran at a time.
    pub(super) anonymous: Option<Ran>,
    /// How they ran on one HTTP/2 connection, and on one connection each.
    pub(super) one_connection: Option<(Ran, Ran)>,
    /// How they ran past the proxy, if more of them ran at a time.
    pub(super) direct: Option<Ran>,
}

impl Facts {
    pub(super) fn of(findings: &Findings) -> Self {
        let ran = ran(findings);
        Self {
            ran,
            part: part(findings, ran),
            bystanders: findings.beside.iter().map(bystander).collect(),
            waits_by_url: waits_by_url(findings),
            // More at a time than the limit that was searched for need not be more than the same requests.
            anonymous: findings
                .session
                .as_ref()
                .filter(|session| session.freer)
                .map(|session| plain(session.verdict, session.at_a_time)),
            one_connection: findings.connection.as_ref().and_then(connections),
            direct: findings
                .versus
                .as_ref()
                .filter(|versus| versus.freer)
                .map(|versus| {
                    of(
                        versus.verdict.kind,
                        versus.verdict.at_a_time,
                        versus.verdict.reason.as_ref(),
                    )
                }),
        }
    }
}

/// Whether requests for one URL wait for each other. If one answer was given to all, those that got it later
/// waited for it: a lock that is looked at now and then.
fn waits_by_url(findings: &Findings) -> bool {
    let (Some(found), Some(same)) = (&findings.identical, &findings.same) else {
        return false;
    };
    // Something else holds up those for unique URLs already.
    if findings.verdict.kind != Kind::Concurrent {
        return false;
    }
    match found.kind {
        IdenticalKind::Serialized | IdenticalKind::HeldUp => true,
        IdenticalKind::AnsweredOnce => {
            let Some(solo) = findings.verdict.solo else {
                return false;
            };
            let waited = |lane: &&Lane| lane.duration() > Some(solo.mul_f64(WAITED));
            let waited = same.lanes.iter().filter(waited).count();
            waited * 2 >= same.lanes.len()
        }
        IdenticalKind::Same | IdenticalKind::Inconclusive => false,
    }
}

/// How the measured requests ran: by the limit that was searched for, by their verdict, or by when their
/// answers began if their ends do not show it.
fn ran(findings: &Findings) -> Ran {
    let verdict = &findings.verdict;
    let ran = of(verdict.kind, verdict.at_a_time, verdict.reason.as_ref());
    // What is rejected does not wait.
    let waits = |limit: &&Limit| limit.confirmed && limit.beyond != Some(Beyond::Rejected);
    let limit = findings.limit.as_ref().filter(waits);
    if let Some(at_a_time) = limit.and_then(|limit| limit.at_a_time)
        && ran != Ran::AfterLeftovers
    {
        return Ran::InTurns(at_a_time);
    }
    let began = findings.began.as_ref();
    let began = began.map(|began| plain(began.verdict, began.at_a_time));
    let ran = match (began, ran) {
        (Some(began), Ran::Unclear) => began,
        // Answers of different length end in steps by chance, too, so the first bytes count.
        (Some(Ran::InTurns(at_a_time)), Ran::InTurns(_)) => Ran::InTurns(at_a_time),
        (Some(Ran::Together), Ran::InTurns(_)) | (Some(Ran::InTurns(_)), Ran::Together) => {
            Ran::Unclear
        }
        _ => ran,
    };
    match ran {
        // One of several processes may have accepted all of the requests that came at once.
        Ran::InTurns(at_a_time) => Ran::InTurns(at_a_time.max(findings.beside_ran.unwrap_or(0))),
        _ => ran,
    }
}

/// For how long each request would hold an event loop for which the others wait.
fn part(findings: &Findings, ran: Ran) -> Option<Duration> {
    let verdict = &findings.verdict;
    match (ran, &verdict.reason) {
        (Ran::Slower(at_a_time), _) => {
            let at_a_time = u32::try_from(at_a_time).ok()?;
            verdict.solo?.checked_div(at_a_time)
        }
        (Ran::Unclear, Some(Reason::PartOneByOne { each })) => Some(*each),
        _ => None,
    }
}

fn of(kind: Kind, at_a_time: Option<usize>, reason: Option<&Reason>) -> Ran {
    match (reason, at_a_time) {
        (Some(Reason::Shared), Some(at_a_time)) if kind == Kind::Limited => Ran::Slower(at_a_time),
        (Some(Reason::Shared), _) => Ran::Slower(1),
        (Some(Reason::LeftBehind { .. }), _) => Ran::AfterLeftovers,
        _ => plain(kind, at_a_time),
    }
}

fn plain(kind: Kind, at_a_time: Option<usize>) -> Ran {
    match (kind, at_a_time) {
        (Kind::Concurrent, _) => Ran::Together,
        (Kind::Serialized, _) => Ran::InTurns(1),
        (Kind::Limited, Some(at_a_time)) => Ran::InTurns(at_a_time),
        _ => Ran::Unclear,
    }
}

/// How requests ran on one HTTP/2 connection, and on one each.
fn connections(connection: &Connection) -> Option<(Ran, Ran)> {
    let own = connection.own.as_ref()?;
    let one = plain(connection.verdict, connection.at_a_time);
    Some((one, of(own.kind, own.at_a_time, own.reason.as_ref())))
}

fn bystander(beside: &Beside) -> Bystander {
    let rounds = || beside.rounds.iter();
    // Even if another round with as many requests contradicts it.
    let frozen = rounds().filter(|round| round.kind.is_frozen());
    let frozen = frozen.map(|round| round.requests).min();
    let untouched = rounds()
        .filter(|round| round.kind == BesideKind::Untouched)
        .map(|round| round.requests)
        .filter(|requests| frozen.is_none_or(|frozen| *requests < frozen));
    Bystander {
        kind: beside.kind,
        frozen_by: beside.frozen_by,
        untouched_by: untouched.max().unwrap_or(0),
        beside_one: beside_one(beside),
        slowed_by_one: rounds()
            .any(|round| round.requests == 1 && round.kind == BesideKind::Slowed),
    }
}

/// For how long one request alone kept the bystander without an answer. One round may be wrong by a pause of the
/// machine. A round in which the client itself may have been late, or in which the request failed, shows nothing.
fn beside_one(beside: &Beside) -> Option<Pieces> {
    let rounds = beside.rounds.iter();
    let shows = |round: &&BesideFinding| {
        let why = round.reason.as_ref();
        !why.is_some_and(|why| {
            matches!(
                why,
                BesideReason::ClientTooSlow { .. } | BesideReason::OffenderFailed { .. }
            )
        })
    };
    let rounds = rounds.filter(|round| round.requests == 1).filter(shows);
    let mut all: Vec<_> = rounds.map(|round| round.pieces).collect();
    all.sort_unstable_by_key(|pieces| pieces.silent);
    let middle = *all.get(all.len().checked_sub(1)? / 2)?;
    let alike = all
        .iter()
        .filter(|pieces| is_alike(pieces.silent, middle.silent));
    let alike = alike.count();
    let least = match (beside.kind, beside.frozen_by) {
        (BesideKind::Frozen, Some(1)) => 1,
        _ => LEAST_ALIKE,
    };
    (middle.count > 0 && alike >= least && alike * 2 > all.len()).then_some(middle)
}

/// Whether two times are the same but for noise.
pub(super) fn is_alike(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= one.max(other).mul_f64(ALIKE)
}
