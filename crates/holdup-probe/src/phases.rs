//! The phases, one after the other, and when to stop.

mod left_behind;

use std::cell::RefCell;
use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::task::{unconstrained, yield_now};
use tokio::time::{self, MissedTickBehavior, interval_at};
use url::{Position, Url};

use super::connection::{self, Answer, Question, Route, Slot, Terms};
use super::own_time::{OwnTime, TICK};
use super::{Event, Outlook, Phase, Report, Request, Settings, Target, elsewhere, route};
use holdup_model::{Failure, Lane, Timeline};
use holdup_verdict::{
    Delivery, Identical, Kind, LeftBehind, Platform, Reason, delivery, identical, judge, one_answer,
};

/// Browsers give up after twenty; a chain that long is a loop.
const MAX_REDIRECTS: usize = 20;

/// From this solo time on, one measurement is enough: noise of some ten milliseconds is small
/// against it, and nobody likes to wait.
const LONG_SOLO: Duration = Duration::from_secs(1);

/// What a request may take unless told otherwise. Proxies commonly give up then, too.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Requests at once may take so much of the time that one after the other would, and half as much
/// again for what is irregular …
const AT_ONCE: f64 = 1.5;

/// … but nobody waits longer than this without having asked for it.
const LONGEST: Duration = Duration::from_secs(600);

/// How often identical URLs are compared again if they seem to wait. Two connections meet on one of
/// two workers every other time, so four comparisons of two each are chance in one of 256 runs.
const COMPARED_AGAIN: usize = 3;

/// So many requests are on their way before the next are begun. A connection stands when the runtime has
/// heard of it, and a request that is asked waits for that until all others that are begun with it have
/// tried to connect, too.
const STARTED_TOGETHER: usize = 8;

/// How often the lanes are shown while they grow.
const BEAT: Duration = Duration::from_millis(100);

/// An answer that is still coming after this time may be one without an end, and that is told.
const LONG_STREAM: Duration = Duration::from_secs(10);

/// Measures `target` and judges what was seen. `observe` hears of what happens meanwhile.
///
/// A server that cannot be reached, or that answers with errors, is no error here: the verdict is
/// inconclusive, and says why.
pub async fn probe(
    target: &Target,
    request: &Request,
    settings: Settings,
    observe: &mut dyn FnMut(Event<'_>),
) -> Report {
    let mut run = Run {
        target: target.clone(),
        request: request.clone(),
        patience: settings.timeout.unwrap_or(TIMEOUT + lasting(settings)),
        settings,
        route: Route {
            addresses: Vec::new(),
            tls: None,
        },
        clock: Instant::now(),
        redirected_from: Vec::new(),
        platform: Platform::Unknown,
        observe,
    };
    let mut report = match run.look_ahead().await {
        Ok(lane) => {
            let platform = run.platform;
            let mut report = run.measure(&lane).await;
            report.verdict = report.verdict.advised_for(platform);
            report
        }
        Err(lane) => run.report(vec![*lane]),
    };
    report.add_notes();
    report
}

impl Report {
    /// Says what the verdict's numbers do not: that it is of another page, or of one answer only.
    fn add_notes(&mut self) {
        let verdict = &mut self.verdict;
        let from = self.redirected_from.first();
        if let Some((measured, from)) = from.and_then(|from| elsewhere::pages(from, &self.url)) {
            let sentence = verdict.sentence.trim_end_matches('.');
            verdict.sentence =
                format!("{sentence}, measured at {measured}, where {from} redirects.");
        }
        let unique = self.unique.as_ref();
        if let Some(sentence) = unique.and_then(|unique| one_answer(&self.alone, unique)) {
            verdict.evidence.push(sentence);
            verdict.advice.push(
                "See that the server tells these requests apart: put {} into the part of the URL, of a \
                 header or of the body by which it does."
                    .to_owned(),
            );
        }
    }
}

struct Run<'a> {
    target: Target,
    request: Request,
    settings: Settings,
    /// What a request may take in this phase.
    patience: Duration,
    route: Route,
    clock: Instant,
    redirected_from: Vec<Url>,
    platform: Platform,
    observe: &'a mut dyn FnMut(Event<'_>),
}

impl Run<'_> {
    /// Asks once: it warms the server up, and follows where it redirects to. The lane of the last answer
    /// is no measurement, but what comes after is compared with it. As an error, it is the one that
    /// failed.
    async fn look_ahead(&mut self) -> Result<Lane, Box<Lane>> {
        loop {
            let question = self.question("warm");
            self.route =
                match route::find(&self.target, self.settings.insecure, self.patience).await {
                    Ok(route) => route,
                    Err(failure) => {
                        let lane = Lane::start(label(&question.url), self.clock.elapsed());
                        return Err(self.failed(lane, failure));
                    }
                };
            let (lane, answer) = self.one(&question).await;
            let Some(answer) = answer else {
                return Err(Box::new(lane));
            };
            // The address that answered, and no other, is measured.
            self.route.addresses = vec![answer.peer];
            self.platform = answer.head.platform;
            let Some(location) = answer.head.location else {
                return Ok(lane);
            };
            let why = match self.target.redirected(&question.url, &location) {
                Ok(to) if self.redirected_from.len() < MAX_REDIRECTS => {
                    self.follow(lane.status().unwrap_or_default(), to);
                    continue;
                }
                Ok(_) => format!("more than {MAX_REDIRECTS} redirects"),
                Err(bad) => format!("it redirects, but {bad}"),
            };
            return Err(self.failed(lane, Failure::Other(why)));
        }
    }

    fn failed(&self, mut lane: Lane, failure: Failure) -> Box<Lane> {
        lane.fail(self.clock.elapsed(), failure);
        Box::new(lane)
    }

    fn follow(&mut self, status: u16, to: Target) {
        let from = self.target.url().clone();
        self.request = self.request.clone().redirected(status, &from, to.url());
        (self.observe)(Event::Redirected { to: to.url() });
        self.redirected_from.push(from);
        self.target = to;
    }

    async fn measure(mut self, look_ahead: &Lane) -> Report {
        let mut alone = Vec::new();
        for number in 1..=2 {
            let known = alone.iter().find_map(Lane::duration);
            self.announce(Phase::Solo, known);
            let question = self.question(format_args!("solo{number}"));
            let timeline = self.at_once(&[question]).await;
            alone.extend(timeline.lanes);
            let last = alone.last().and_then(Lane::duration);
            if last.is_none_or(|took| took > LONG_SOLO) {
                break;
            }
        }
        let mut report = self.report(alone);
        let well = |lane: &Lane| lane.finished_at().is_some() && lane.status() < Some(400);
        if !report.alone.iter().all(well) {
            return report;
        }

        let pause = LeftBehind::suspected(look_ahead, &report.alone);
        if self.leaves_behind(pause, &mut report).await {
            return report;
        }

        let solo = report.alone.iter().filter_map(Lane::duration).min();
        let unique = self.unique(0, solo).await;
        report.verdict = judge(&report.alone, &unique);
        if report.verdict.reason == Some(Reason::TooShort) {
            // All may have been answered before what they leave behind begins.
            time::sleep(LeftBehind::MOMENT).await;
            let (after, _) = self.one(&self.question("after")).await;
            let rounds = [&unique, &vec![after].into()];
            let pauses = rounds.map(|round| LeftBehind::suspected_after(&report.alone, round));
            let pause = pauses.into_iter().flatten().max();
            if self.leaves_behind(pause, &mut report).await {
                return report;
            }
            report.verdict = report.verdict.or_kept(look_ahead, &report.alone);
        }
        if report.verdict.is_doubtful() {
            self.pause(report.verdict.pause_before_again()).await;
            let again = judge(&report.alone, &self.unique(1, solo).await);
            report.verdict = report.verdict.again(&again);
        }
        if matches!(report.verdict.kind, Kind::Concurrent | Kind::Limited) {
            let (same, question) = self.identical(0, solo).await;
            if report.verdict.kind == Kind::Concurrent {
                let pause = LeftBehind::suspected_after(&report.alone, &same);
                if self.leaves_behind(pause, &mut report).await {
                    return report;
                }
            }
            let (again, _) = self.one(&question).await;
            let found = identical(&report.alone, &unique, &same, Some(&again));
            report.identical = Some(self.compare_again(found, &report.alone, solo).await);
            report.same_verdict = Some(judge(&report.alone, &same));
            report.same = Some(same);
        }
        report.unique = Some(unique);
        report
    }

    /// Asks nothing for so long, and says so.
    async fn pause(&mut self, pause: Duration) {
        if !pause.is_zero() {
            (self.observe)(Event::Pause(pause));
            time::sleep(pause).await;
        }
    }

    /// All at once, each with a URL of its own, which no other round has.
    async fn unique(&mut self, round: usize, solo: Option<Duration>) -> Timeline {
        self.announce(Phase::Unique, solo);
        let requests = self.settings.requests;
        let lanes = round * requests + 1..=(round + 1) * requests;
        let questions: Vec<_> = lanes.map(|lane| self.question(lane)).collect();
        self.at_once(&questions).await
    }

    /// All at once with one URL, which no other round has.
    async fn identical(&mut self, round: usize, solo: Option<Duration>) -> (Timeline, Question) {
        self.announce(Phase::Identical, solo);
        let question = self.question(format_args!("same{round}"));
        let questions = vec![question.clone(); self.settings.requests];
        (self.at_once(&questions).await, question)
    }

    /// Compares until it has shown that chance did it, or hardly can have.
    async fn compare_again(
        &mut self,
        mut found: Identical,
        alone: &[Lane],
        solo: Option<Duration>,
    ) -> Identical {
        // The first two rounds have been.
        for round in 2..2 + COMPARED_AGAIN {
            if !found.is_doubtful() {
                break;
            }
            let unique = self.unique(round, solo).await;
            let (same, _) = self.identical(round, solo).await;
            found = found.again(&identical(alone, &unique, &same, None));
        }
        found
    }

    /// What there is to say when only the requests alone are known.
    fn report(&self, alone: Vec<Lane>) -> Report {
        Report {
            url: self.target.url().clone(),
            redirected_from: self.redirected_from.clone(),
            places: self.places(),
            requests: self.settings.requests,
            verdict: judge(&alone, &Timeline::default()),
            delivery: alone.first().map_or(Delivery::Unknown, delivery),
            alone,
            rested: Vec::new(),
            unique: None,
            same: None,
            identical: None,
            same_verdict: None,
        }
    }

    fn announce(&mut self, phase: Phase, solo: Option<Duration>) {
        let requests = match phase {
            Phase::Solo => 1,
            Phase::Unique | Phase::Identical => self.settings.requests,
        };
        let times = u32::try_from(requests).unwrap_or(u32::MAX);
        let serialized = solo.map(|solo| solo.saturating_mul(times));
        self.patience = self.settings.timeout.unwrap_or_else(|| {
            let needed = serialized.unwrap_or_default().min(LONGEST).mul_f64(AT_ONCE);
            needed.clamp(TIMEOUT, LONGEST) + lasting(self.settings)
        });
        (self.observe)(Event::Phase(Outlook {
            phase,
            requests,
            concurrent: solo,
            serialized,
            timeout: self.patience,
        }));
    }

    /// What a request of this name asks: its label is where `{}` stands in the URL, in a header or in
    /// the body; if it stands nowhere, in a query that is added.
    fn question(&self, name: impl fmt::Display) -> Question {
        let label = self.target.label(&name);
        let url = if self.places().is_empty() {
            self.target.unique(name)
        } else {
            self.target.filled(&label)
        };
        Question { url, label }
    }

    /// Where `{}` stands, in words.
    fn places(&self) -> Vec<String> {
        [self.target.places(), self.request.places()].concat()
    }

    fn terms(&self) -> Terms {
        Terms {
            patience: self.patience,
            end: self.settings.end,
        }
    }

    async fn one(&mut self, question: &Question) -> (Lane, Option<Answer>) {
        let lane = Lane::start(label(&question.url), self.clock.elapsed());
        let timeline = RefCell::new(Timeline::from(vec![lane]));
        let own = OwnTime::new();
        let slot = Slot {
            timeline: &timeline,
            place: 0,
            clock: self.clock,
            own: &own,
        };
        let asking = connection::ask(&self.route, &self.request, question, self.terms(), slot);
        let answer = {
            let mut asking = pin!(asking);
            if let Ok(answer) = time::timeout(LONG_STREAM, asking.as_mut()).await {
                answer
            } else {
                let chunks = timeline.borrow().lanes[0].chunk_count();
                if chunks > 1 {
                    (self.observe)(Event::LongStream { chunks });
                }
                asking.await
            }
        };
        (timeline.into_inner().lanes.remove(0), answer)
    }

    /// Asks all `questions` at the same time.
    async fn at_once(&mut self, questions: &[Question]) -> Timeline {
        let now = self.clock.elapsed();
        let lanes: Vec<_> = questions
            .iter()
            .map(|question| Lane::start(label(&question.url), now))
            .collect();
        let timeline = RefCell::new(Timeline::from(lanes));
        let own = OwnTime::new();
        let terms = self.terms();
        let mut waiting = questions.iter().enumerate().map(|(place, question)| {
            let slot = Slot {
                timeline: &timeline,
                place,
                clock: self.clock,
                own: &own,
            };
            connection::ask(&self.route, &self.request, question, terms, slot)
        });
        let mut racing = FuturesUnordered::new();
        let mut tick = interval_at(time::Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown = now;
        // All lanes are one task: the runtime's budget for a task would make them wait.
        unconstrained(own.count(async {
            loop {
                racing.extend(waiting.by_ref().take(STARTED_TOGETHER));
                if racing.is_empty() {
                    break;
                }
                tokio::select! {
                    biased;
                    // First, so that what follows is known to be late if it is.
                    due = tick.tick() => {
                        own.fired(due.into_std());
                        let now = self.clock.elapsed();
                        // Nothing is shown while requests are sent.
                        if waiting.len() == 0 && now >= shown + BEAT {
                            shown = now;
                            let timeline = &timeline.borrow();
                            (self.observe)(Event::Progress { timeline, now });
                        }
                    }
                    _ = racing.next() => {}
                    () = yield_now(), if waiting.len() > 0 => {}
                }
            }
        }))
        .await;
        drop(racing);
        timeline.into_inner()
    }
}

/// What a request takes longer for being ended only so much later.
fn lasting(settings: Settings) -> Duration {
    settings.end.lasting.unwrap_or_default()
}

/// What a lane is called: the path and the query, as the rest is the same for all.
fn label(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}
