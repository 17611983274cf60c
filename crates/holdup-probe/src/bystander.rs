//! Asks a bystander again and again, on a schedule that does not wait for answers.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{self, Interval, MissedTickBehavior, interval_at};

use super::connection::{self, Client, LaneRecorder, Link, Noticed, Terms};
use super::place::Place;
use super::request::kept_alive;
use super::settings::End;
use super::way::Way;
use holdup_model::{Failure, Lane, Timeline};
use holdup_verdict::Sample;
use holdup_verdict::experiment::{Bystander, Connections, Round};

/// How long a connection that is to be kept may take to be established and to answer once, and how long to be
/// ready for the next request. A server that is idle and takes longer has none to spare.
const OPENING: Duration = Duration::from_secs(2);

/// Kept connections are opened this much apart. Otherwise one of several processes that accept from one socket takes
/// all of them, and the others have none.
const APART: Duration = Duration::from_millis(5);

/// A connection that is kept open from one round to the next.
pub(super) struct Kept {
    number: usize,
    link: Link,
}

impl Kept {
    /// Opens a connection that is to be kept; `None` if the server does not keep it open.
    async fn open(place: &Place, number: usize, end: End, client: Client<'_>) -> Option<Self> {
        let lanes = Mutex::new(Timeline::from(vec![Lane::start("", Duration::ZERO)]));
        let recorder = LaneRecorder {
            timeline: &lanes,
            place: 0,
            client,
        };
        let question = place.question(format_args!("kept{number}"));
        let message = place.message(&question, false).ok()?;
        let opening = async {
            let opened = connection::open(&place.endpoint, recorder).await?;
            let mut link = Link::on(opened, recorder).await?;
            link.exchange(kept_alive(message), end, recorder).await?;
            let is_open = link.is_open().await;
            Ok::<_, Failure>(is_open.then_some(link))
        };
        let link = time::timeout(OPENING, opening).await.ok()?.ok()??;
        Some(Self { number, link })
    }
}

/// The visits to a bystander during a round.
pub(super) struct Visits<'a> {
    place: &'a Place,
    schedule: Bystander,
    /// What fresh connections are for: HTTP/1.1, or HTTP/2 if the server speaks nothing else.
    connections: Connections,
    terms: Terms,
    client: Client<'a>,
    /// The lanes, in the order in which they were sent …
    lanes: &'a Mutex<Timeline>,
    /// … and on which of the kept connections.
    kept: Vec<Option<usize>>,
    racing: FuturesUnordered<BoxFuture<'a, (Option<Kept>, usize)>>,
    idle: VecDeque<Kept>,
    /// Where the connections go after the round.
    home: Option<&'a mut Vec<Kept>>,
    timer: Interval,
    /// Whether it is the turn of a kept connection.
    turn: bool,
    /// Whether there are measured requests, too.
    is_beside: bool,
    /// When the measured requests had ended, and how many visits had begun until then.
    after: Option<(Duration, usize)>,
    /// Whether a visit that began after that has ended.
    answered_after: bool,
}

impl<'a> Visits<'a> {
    /// The visits of a round, before the first one; `None` if it has no bystander.
    pub(super) fn of(
        round: &Round,
        place: &'a Place,
        terms: Terms,
        client: Client<'a>,
        lanes: &'a Mutex<Timeline>,
    ) -> Option<Self> {
        let mut schedule = round.bystander?;
        if round.connections == Connections::OwnHttp2 {
            // Only connections for HTTP/1.1 can be kept.
            schedule.kept = 0;
        }
        let every = schedule.every.max(Duration::from_millis(1));
        let mut timer = interval_at(time::Instant::now() + every, every);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Some(Self {
            place,
            schedule,
            connections: round.connections,
            terms,
            client,
            lanes,
            kept: Vec::new(),
            racing: FuturesUnordered::new(),
            idle: VecDeque::new(),
            home: None,
            timer,
            turn: false,
            is_beside: !round.asks.is_empty(),
            after: None,
            answered_after: false,
        })
    }

    /// Takes over the kept connections, and replaces those that the server has closed. Each new one is asked
    /// once, so that a worker has it.
    pub(super) async fn with_kept(mut self, home: &'a mut Vec<Kept>) -> Self {
        let (place, end, client) = (self.place, self.terms.end, self.client);
        for mut kept in home.drain(..) {
            if kept.number < self.schedule.kept && kept.link.is_open().now_or_never() == Some(true)
            {
                // The readers of the round before are gone.
                client.inlets.add(kept.link.arrivals());
                self.idle.push_back(kept);
            }
        }
        let missing = (0..self.schedule.kept)
            .filter(|number| !self.idle.iter().any(|kept| kept.number == *number));
        let opening: FuturesUnordered<_> = (0..)
            .zip(missing)
            .map(async |(before, number)| {
                time::sleep(APART * before).await;
                Kept::open(place, number, end, client).await
            })
            .collect();
        let opened: Vec<_> = opening.collect().await;
        let opened: Vec<_> = opened.into_iter().flatten().collect();
        if !opened.is_empty() {
            self.idle.extend(opened);
            // A server with a thread for each connection may have none left, so that the prober itself would
            // hold up what it measures.
            let number = self.schedule.kept;
            if Kept::open(place, number, end, client).await.is_none() {
                self.idle.clear();
            }
        }
        self.home = Some(home);
        self.timer.reset();
        self
    }

    /// Waits until something happens, and sends what is due.
    pub(super) async fn go_on(visits: &mut Option<Self>) {
        let Some(visits) = visits else {
            return pending().await;
        };
        tokio::select! {
            biased;
            Some((kept, place)) = visits.racing.next(), if !visits.racing.is_empty() => {
                visits.idle.extend(kept);
                let after = visits.after.filter(|_| visits.is_beside);
                visits.answered_after |= after.is_some_and(|(_, after)| place >= after);
            }
            _ = visits.timer.tick() => visits.send(),
        }
    }

    /// Sends a request on a fresh connection and, every other time, one on a kept connection that is idle.
    fn send(&mut self) {
        if !self.has_room() {
            return;
        }
        self.visit(None);
        self.turn = !self.turn;
        if self.turn
            && self.has_room()
            && let Some(kept) = self.idle.pop_front()
        {
            self.visit(Some(kept));
        }
    }

    fn has_room(&self) -> bool {
        let reserved = if self.is_beside && self.after.is_none() {
            self.schedule.reserved
        } else {
            0
        };
        self.racing.len() < self.schedule.unanswered
            && self.kept.len() + reserved < self.schedule.most
            && !self.answered_after
    }

    fn visit(&mut self, kept: Option<Kept>) {
        let place = self.kept.len();
        self.kept.push(kept.as_ref().map(|kept| kept.number));
        let question = self.place.question(format_args!("b{}", place + 1));
        let now = self.client.clock.elapsed();
        let lane = Lane::start(question.label_of_lane(), now);
        connection::lock(self.lanes).lanes.push(lane);
        let recorder = LaneRecorder {
            timeline: self.lanes,
            place,
            client: self.client,
        };
        let message = self.place.message(&question, false);
        let (at, terms) = (self.place, self.terms);
        let Some(mut kept) = kept else {
            let way = match self.connections {
                Connections::OwnHttp2 => Way::OwnHttp2,
                _ => Way::Own,
            };
            let asking = async move {
                way.ask(&at.endpoint, message, terms, (None, recorder))
                    .await;
                (None, place)
            };
            return self.racing.push(asking.boxed());
        };
        let asking = async move {
            let link = &mut kept.link;
            let exchange = async |message| {
                let head = link
                    .exchange(kept_alive(message), terms.end, recorder)
                    .await?;
                let ended = head.ended;
                let moments = vec![ended];
                Ok((head, Noticed { moments, ended }))
            };
            let answer = connection::bounded(message, terms, recorder, exchange).await;
            // Without an answer, the connection's state is unknown.
            let usable =
                answer.is_some() && time::timeout(OPENING, kept.link.is_open()).await == Ok(true);
            (usable.then_some(kept), place)
        };
        self.racing.push(asking.boxed());
    }

    /// Whether the visits are over, now that all measured requests have ended. Those that have not been
    /// answered are waited for a little longer.
    pub(super) fn are_over(&mut self, now: Duration, linger: Duration) -> bool {
        let (ended, _) = *self.after.get_or_insert((now, self.kept.len()));
        if !self.is_beside || self.kept.len() == self.schedule.most {
            return self.kept.len() == self.schedule.most && self.racing.is_empty();
        }
        self.answered_after && (self.racing.is_empty() || now >= ended + linger)
    }

    /// The visits, in the order in which they were sent.
    pub(super) fn end(self) -> Vec<Sample> {
        drop(self.racing);
        if let Some(home) = self.home {
            home.extend(self.idle);
        }
        let lanes = std::mem::take(&mut *connection::lock(self.lanes)).lanes;
        let samples = lanes.into_iter().zip(self.kept);
        samples.map(|(lane, kept)| Sample { lane, kept }).collect()
    }
}
