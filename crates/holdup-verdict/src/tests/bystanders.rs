//! The plan with a bystander: which rounds follow, and the cause that they show.

use std::time::Duration;

use super::ms;
use crate::experiment::{Answers, Experiment, Findings, Policy, RoundKind, Step};
use crate::{AskNext, BesideKind, CauseKind, Names, Sample, Session, cause};
use holdup_model::{ClientTime, Lane};

/// What a request to the measured route takes.
const SERVICE: u64 = 300;

/// The same if it holds an event loop.
const HOLDS: u64 = 900;

/// An event loop that each request holds: after awaiting something, and then in pieces, between which the loop comes
/// to all others.
#[derive(Clone, Copy)]
struct Loop {
    awaits: u64,
    piece: u64,
}

impl Loop {
    /// How long each request holds the loop.
    fn block(self) -> u64 {
        HOLDS - self.awaits
    }

    /// When so many requests end that are sent together.
    fn ends(self, requests: u64) -> impl Iterator<Item = u64> {
        let before_last = self.awaits + requests * (self.block() - self.piece);
        (1..=requests).map(move |place| before_last + place * self.piece)
    }

    /// When something is answered that is sent at this time after so many requests.
    fn answers(self, at: u64, requests: u64) -> u64 {
        let over = self.awaits + requests * self.block();
        if at < self.awaits || at >= over {
            return at + 2;
        }
        let piece = requests * self.piece;
        self.awaits + ((at - self.awaits) / piece + 1) * piece + 1
    }
}

/// An application with a few threads.
#[derive(Default)]
struct App {
    threads: usize,
    /// If it has an event loop instead.
    held: Option<Loop>,
    /// Whether a connection has its thread until it is closed, so that each one that is kept open needs one.
    one_for_each_connection: bool,
    /// So many of the measured requests run at a time. Those that wait have a thread meanwhile.
    permits: Option<usize>,
    /// In the round of all at once, so few run at a time, because of how they fell on processes.
    at_once: Option<usize>,
    /// Whether the bystander keeps the client busy.
    busy: bool,
    now: Duration,
    /// How many of the measured requests there were beside the bystander, and how many connections were kept.
    rounds: Vec<(usize, usize)>,
    /// Whether the bystander had all its requests before the measured ones were over, in one of the rounds.
    spent: bool,
}

impl App {
    fn probed(&mut self, requests: usize) -> Findings {
        let mut policy = Policy::outside(requests);
        policy.bystanders = 1;
        let mut experiment = Experiment::new(policy);
        loop {
            let round = match experiment.next() {
                Step::Ask(round) => round.clone(),
                Step::Done(findings) => return (**findings).clone(),
            };
            self.now += round.pause + ms(10);
            let kept = round.bystander.map_or(0, |bystander| bystander.kept);
            if round.kind == RoundKind::Beside {
                self.rounds.push((round.asks.len(), kept));
            }
            let alone = round.kind == RoundKind::BesideAlone;
            let service = if alone { 1 } else { SERVICE };
            let taken = if self.one_for_each_connection {
                kept
            } else {
                0
            };
            let free = self.threads - taken;
            let at_a_time = match self.at_once.filter(|_| round.kind == RoundKind::Unique) {
                Some(at_once) => at_once,
                None => self.permits.map_or(free, |permits| permits.min(free)),
            };
            let starts =
                (0..).map(|place: usize| ms(SERVICE) * u32::try_from(place / at_a_time).unwrap());
            let held = self.held.filter(|_| !alone);
            let count = u64::try_from(round.asks.len()).unwrap();
            let ends = held.map(|held| held.ends(count).collect::<Vec<_>>());
            let lanes: Vec<_> = round
                .asks
                .iter()
                .zip(starts)
                .enumerate()
                .map(|(place, (ask, start))| {
                    let sent = self.now + ask.after;
                    let end = match &ends {
                        Some(ends) => self.now + ms(ends[place]),
                        None => sent + start + ms(service),
                    };
                    let mut lane = answered(sent, end);
                    if self.busy && round.kind == RoundKind::Beside {
                        lane.record_client_time(ClientTime {
                            busy: ms(80),
                            ..ClientTime::default()
                        });
                    }
                    lane
                })
                .collect();
            let end = lanes.iter().filter_map(Lane::finished_at).max();
            let end = end.unwrap_or(self.now);
            if let Some(bystander) = round.bystander.filter(|_| !lanes.is_empty()) {
                // With every second one on a fresh connection, there is another one on a kept connection.
                let most = (bystander.most - bystander.reserved) * 2 / 3;
                let lasts = bystander.every * u32::try_from(most).unwrap();
                self.spent |= self.now + lasts < end;
            }
            let samples = round.bystander.map_or_else(Vec::new, |bystander| {
                // Until then, all free threads have a measured request.
                let occupied = match lanes.len().checked_sub(free) {
                    None => self.now,
                    Some(_) => lanes[lanes.len() - free].finished_at().unwrap_or_default(),
                };
                let asked = u64::try_from(lanes.len()).unwrap();
                let count = match (lanes.is_empty(), held) {
                    (true, _) => bystander.most,
                    (false, None) => 60,
                    (false, Some(_)) => 400,
                };
                let sample = |place: u32| {
                    let sent = self.now + ms(1) + bystander.every * place;
                    let kept = (place % 2 == 1 && bystander.kept > 0)
                        .then(|| place as usize / 2 % bystander.kept);
                    let has_thread = kept.is_some() && self.one_for_each_connection;
                    let begins = if has_thread { sent } else { sent.max(occupied) };
                    let since = u64::try_from(sent.saturating_sub(self.now).as_millis()).unwrap();
                    let end = match held {
                        Some(held) if count > 0 => self.now + ms(held.answers(since, asked)),
                        _ => begins + ms(2),
                    };
                    Sample {
                        lane: answered(sent, end),
                        kept,
                    }
                };
                let samples = (0..u32::try_from(count).unwrap()).map(sample);
                samples
                    .filter(|sample| lanes.is_empty() || sample.lane.requested_at() < end)
                    .collect()
            });
            let ends = samples
                .iter()
                .filter_map(|sample| sample.lane.finished_at());
            self.now = ends.max().unwrap_or(end).max(end);
            experiment.feed(Answers {
                lanes,
                samples,
                peer: None,
            });
        }
    }
}

fn answered(sent: Duration, at: Duration) -> Lane {
    let mut lane = Lane::start("", sent);
    lane.record_head(at, 200);
    lane.finish(at);
    lane
}

#[test]
fn the_number_that_runs_at_a_time_is_tried_if_the_doubling_passes_over_it() {
    // Three threads, and four of which three get what they need: four requests freeze the bystander in both.
    for (threads, permits, frozen_by, cause) in [
        (3, None, 3, CauseKind::Workers),
        (4, Some(3), 4, CauseKind::OwnQueue),
    ] {
        let mut server = App {
            threads,
            permits,
            ..App::default()
        };
        let findings = server.probed(8);
        let beside = &findings.beside[0];
        assert_eq!(
            findings.verdict.at_a_time,
            Some(3),
            "{}",
            findings.verdict.sentence
        );
        assert_eq!(
            (beside.kind, beside.frozen_by),
            (BesideKind::Frozen, Some(frozen_by)),
            "{:?} {}",
            server.rounds,
            beside.sentence
        );
        assert_eq!(server.rounds.last(), Some(&(3, 8)), "{:?}", server.rounds);
        assert_eq!(findings.cause.kind, cause, "{:?}", findings.cause);
    }
}

#[test]
fn a_bystander_is_asked_until_the_last_request_of_those_that_run_in_turns_is_over() {
    for permits in [1, 2, 16] {
        let mut app = App {
            threads: 99,
            permits: Some(permits),
            ..App::default()
        };
        app.probed(16);
        assert_eq!(app.rounds.last(), Some(&(16, 8)), "{:?}", app.rounds);
        assert!(!app.spent, "{permits}");
    }
}

#[test]
fn connections_that_are_kept_open_do_not_take_the_threads_that_others_need() {
    // Eight of the ten would belong to the kept connections, so that two requests were enough to occupy the rest.
    let mut server = App {
        threads: 10,
        one_for_each_connection: true,
        ..App::default()
    };
    let findings = server.probed(4);
    assert_eq!(
        findings.beside[0].kind,
        BesideKind::Untouched,
        "{}",
        findings.beside[0].sentence
    );
    assert_eq!(server.rounds, [(1, 8), (2, 8), (1, 0), (2, 0), (4, 0)]);
    assert_eq!(findings.cause.kind, CauseKind::None, "{:?}", findings.cause);
}

#[test]
fn the_rounds_beside_the_bystander_count_where_processes_accept_unevenly() {
    // Three processes, of which two accepted all requests that came at once.
    for busy in [false, true] {
        let mut server = App {
            threads: 3,
            at_once: Some(2),
            busy,
            ..App::default()
        };
        let findings = server.probed(4);
        assert_eq!(findings.verdict.at_a_time, Some(2));
        assert_eq!(findings.beside_ran, Some(3), "{busy}");
        assert_eq!(
            findings.beside[0].frozen_by,
            Some(3),
            "{busy} {:?}",
            server.rounds
        );
        assert_eq!(
            findings.cause.kind,
            CauseKind::Workers,
            "{:?}",
            findings.cause
        );
    }
}

/// What is found at an event loop that each request holds in this way.
fn at_a_loop(awaits: u64, piece: u64) -> Findings {
    let mut server = App {
        threads: 1,
        held: Some(Loop { awaits, piece }),
        ..App::default()
    };
    server.probed(4)
}

#[test]
fn a_loop_that_is_held_in_pieces_is_told_from_cores() {
    for (awaits, piece, kind, told) in [
        (
            0,
            900,
            CauseKind::BlockedLoop,
            "so that the other route is not answered meanwhile.",
        ),
        (
            0,
            450,
            CauseKind::BlockedLoop,
            "got no answer for 450 ms at a time.",
        ),
        (
            0,
            300,
            CauseKind::BlockedLoop,
            "got no answer for 300 ms at a time.",
        ),
        // So short that it may be the turns of threads.
        (
            0,
            100,
            CauseKind::Unknown,
            "Either each of them blocks the event loop again and again, or",
        ),
        // The turns of threads that share the lock of an interpreter.
        (0, 10, CauseKind::Cores, "only for moments, looks the same."),
        // A query that is awaited, and then a page that is rendered.
        (450, 450, CauseKind::BlockedLoop, "for a part of its time"),
        (300, 600, CauseKind::BlockedLoop, "for a part of its time"),
    ] {
        let findings = at_a_loop(awaits, piece);
        let cause = &findings.cause;
        let beside = &findings.beside[0];
        let all = format!(
            "{awaits} {piece}: {cause:#?} {} {:#?}",
            findings.verdict.sentence, beside.evidence
        );
        assert_eq!(cause.kind, kind, "{all}");
        assert!(cause.sentence.contains(told), "{all}");
    }
}

#[test]
fn a_bystander_of_the_same_session_does_not_tell_a_loop_from_a_lock_by_session() {
    let mut findings = at_a_loop(0, 900);
    let names = |same: bool| Names {
        beside: vec!["/fast".to_owned()],
        same_session: vec![same],
        ..Names::default()
    };
    let alone = cause(&findings, &names(false));
    assert!(!alone.sentence.contains("session"), "{alone:?}");
    assert_eq!(alone.ask_next, None);
    let same = cause(&findings, &names(true));
    assert_eq!(same.kind, CauseKind::BlockedLoop);
    let told = "Or they wait for a lock by session: /fast gets the same cookie or credential";
    assert!(same.sentence.contains(told), "{same:?}");
    assert_eq!(same.ask_next, Some(AskNext::Session));
    // Without the cookie, it is the same: no lock by session.
    let verdict = &findings.verdict;
    findings.session = Some(Session::compared(verdict, verdict));
    let known = cause(&findings, &names(true));
    assert_eq!(known.sentence, alone.sentence);
    assert_eq!(known.ask_next, None);
}
