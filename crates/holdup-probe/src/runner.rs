//! Runs the plan of an experiment against a server.

use std::time::Instant;

use tokio::time;

use super::bystander::Kept;
use super::connection::Terms;
use super::event::{Event, Observer};
use super::place::Place;
use super::report::{self, Report};
use super::request::Request;
use super::rounds::{self, Errand, Outcome};
use super::settings::Settings;
use super::target::Target;
use holdup_model::{Failure, Lane};
use holdup_verdict::Platform;
use holdup_verdict::experiment::{
    Answers, Ask, Experiment, Findings, Policy, Round, RoundKind, Step, To,
};

/// Browsers give up after twenty; a chain that long is a loop.
const MAX_REDIRECTS: usize = 20;

/// Why requests cannot be sent without cookies and credentials.
const NOT_PERSONAL: &str =
    "the redirect led to another server, which gets no cookies and credentials";

/// Measures `target` and judges the result. `observe` is called with the events meanwhile.
///
/// The future is `Send`: it may be spawned. It does nothing unless it is polled, and dropping it ends all
/// requests.
///
/// A server that cannot be reached, or that answers with errors, is no error here: the verdict is
/// inconclusive, and its reason says why.
pub async fn probe(
    target: &Target,
    request: &Request,
    settings: Settings,
    observe: &mut Observer<'_>,
) -> Report {
    let mut policy = Policy::outside(settings.requests);
    policy.timeout = settings.timeout;
    policy.lasting = settings.end.lasting.unwrap_or_default();
    policy.bystanders = settings.beside.len();
    policy.limit = settings.limit;
    policy.http2 = settings.http2;
    policy.session = settings.cookie_contrast;
    policy.versus = settings.versus.is_some();
    let mut run = Run::new(target, request, settings);
    let mut experiment = Experiment::new(policy);
    loop {
        let round = match experiment.next() {
            Step::Ask(round) => round.clone(),
            Step::Done(findings) => return run.report((**findings).clone()),
        };
        let answers = run.ask(&round, observe).await;
        experiment.feed(answers);
    }
}

struct Run {
    settings: Settings,
    /// The route that is measured.
    measured: Place,
    /// The routes that are asked beside it, and their connections that are kept open.
    bystanders: Vec<(Place, Vec<Kept>)>,
    /// The route that it is compared with.
    versus: Option<Place>,
    clock: Instant,
    /// Where the redirects came from, in order.
    redirected_from: Vec<Target>,
    platform: Platform,
}

impl Run {
    fn new(target: &Target, request: &Request, settings: Settings) -> Self {
        let beside = |place: &Target| {
            let request = request.for_bystander(target.parsed(), place.parsed());
            (Place::new(place.clone(), request), Vec::new())
        };
        let versus = |place: &Target| Place::new(place.clone(), request.clone());
        Self {
            measured: Place::new(target.clone(), request.clone()),
            bystanders: settings.beside.iter().map(beside).collect(),
            versus: settings.versus.as_ref().map(versus),
            settings,
            clock: Instant::now(),
            redirected_from: Vec::new(),
            platform: Platform::Unknown,
        }
    }

    fn report(self, found: Findings) -> Report {
        let places = self.measured.blanks();
        let redirects = (self.redirected_from, self.measured.target);
        report::of(found, redirects, places, self.platform, &self.settings)
    }

    async fn ask(&mut self, round: &Round, observe: &mut Observer<'_>) -> Answers {
        let announced = round.kind.is_announced();
        if !round.pause.is_zero() {
            if announced {
                observe(Event::Pause(round.pause));
            }
            time::sleep(round.pause).await;
        }
        if round.kind == RoundKind::WarmUp {
            return vec![self.warm_up(round, observe).await].into();
        }
        if announced {
            observe(Event::Round(round));
        }
        let anonymous = round.asks.iter().any(|ask| ask.anonymous);
        if anonymous && !self.measured.request.is_personal() {
            let failure = Failure::Other(NOT_PERSONAL.to_owned());
            return self.not_sent(round, &failure);
        }
        let failure = self.find_others(round).await;
        if let Err(failure) = failure {
            return self.not_sent(round, &failure);
        }
        let outcome = self.send(round, observe).await;
        self.settle_on_address(round, &outcome);
        Answers {
            lanes: outcome.lanes,
            samples: outcome.samples,
            peer: None,
        }
    }

    /// Finds the other places of the round.
    async fn find_others(&mut self, round: &Round) -> Result<(), Failure> {
        let insecure = self.settings.insecure;
        let beside = round
            .bystander
            .map(|bystander| To::Bystander(bystander.which));
        for to in round.asks.iter().map(|ask| ask.to).chain(beside) {
            if let Some(place) = self.place_mut(to)
                && !place.is_found()
            {
                place.find(insecure, round.timeout).await?;
            }
        }
        Ok(())
    }

    /// As with the measured URL, the address of the second one that answered first, and no other, is measured.
    fn settle_on_address(&mut self, round: &Round, outcome: &Outcome) {
        let first = round.asks.first().map(|ask| ask.to);
        if first == Some(To::Versus)
            && let Some(answer) = &outcome.first
            && let Some(place) = &mut self.versus
        {
            place.endpoint.addresses = vec![answer.peer];
        }
    }

    /// The lanes of a round that cannot be sent.
    fn not_sent(&self, round: &Round, failure: &Failure) -> Answers {
        let lane = |ask: &Ask| {
            let lane = Lane::start(ask.name.as_str(), self.clock.elapsed());
            self.failed(lane, failure.clone())
        };
        round.asks.iter().map(lane).collect::<Vec<_>>().into()
    }

    fn place_mut(&mut self, to: To) -> Option<&mut Place> {
        match to {
            To::Bystander(which) => self.bystanders.get_mut(which).map(|(place, _)| place),
            To::Versus => self.versus.as_mut(),
            _ => Some(&mut self.measured),
        }
    }

    async fn send(&mut self, round: &Round, observe: &mut Observer<'_>) -> Outcome {
        let terms = Terms {
            timeout: round.timeout,
            end: self.settings.end,
        };
        let bystanders: Vec<_> = self
            .bystanders
            .iter_mut()
            .map(|(place, kept)| (&*place, kept))
            .collect();
        // While the requests are sent, the closure must be gone: with it, the future would not be `Send`.
        let errands: Vec<_> = {
            let place = |to| match to {
                To::Bystander(which) => bystanders
                    .get(which)
                    .map_or(&self.measured, |(place, _)| place),
                To::Versus => self.versus.as_ref().unwrap_or(&self.measured),
                _ => &self.measured,
            };
            round
                .asks
                .iter()
                .map(|ask| {
                    let place = place(ask.to);
                    Errand {
                        place,
                        question: place.question(&ask.name),
                        anonymous: ask.anonymous,
                    }
                })
                .collect()
        };
        let mut bystanders = bystanders;
        let bystander = round
            .bystander
            .filter(|bystander| bystander.which < bystanders.len())
            .map(|bystander| bystanders.swap_remove(bystander.which));
        rounds::ask(&errands, bystander, round, terms, self.clock, observe).await
    }

    /// Sends the first request and follows redirects. The lane is that of the last request.
    async fn warm_up(&mut self, round: &Round, observe: &mut Observer<'_>) -> Lane {
        loop {
            let name = round.asks.first().map_or("warm", |ask| &ask.name);
            let question = self.measured.question(name);
            let insecure = self.settings.insecure;
            if let Err(failure) = self.measured.find(insecure, round.timeout).await {
                let lane = Lane::start(question.label_of_lane(), self.clock.elapsed());
                return self.failed(lane, failure);
            }
            let mut outcome = self.send(round, observe).await;
            let lane = outcome.lanes.remove(0);
            let Some(answer) = outcome.first else {
                return lane;
            };
            // The address that answered, and no other, is measured.
            self.measured.endpoint.addresses = vec![answer.peer];
            self.platform = answer.head.platform;
            let Some(location) = answer.head.location else {
                return lane;
            };
            let why = match self.measured.target.redirected(&question.url, &location) {
                Ok(to) if self.redirected_from.len() < MAX_REDIRECTS => {
                    self.follow(lane.status().unwrap_or_default(), to, observe);
                    continue;
                }
                Ok(_) => format!("more than {MAX_REDIRECTS} redirects"),
                Err(bad) => format!("it redirects, but {bad}"),
            };
            return self.failed(lane, Failure::Other(why));
        }
    }

    fn failed(&self, mut lane: Lane, failure: Failure) -> Lane {
        lane.fail(self.clock.elapsed(), failure);
        lane
    }

    fn follow(&mut self, status: u16, to: Target, observe: &mut Observer<'_>) {
        let measured = &mut self.measured;
        let (from, url) = (measured.target.parsed(), to.parsed());
        measured.request = measured.request.clone().redirected(status, from, url);
        observe(Event::Redirected { to: to.url() });
        self.redirected_from
            .push(std::mem::replace(&mut measured.target, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_may_move_between_threads() {
        fn is_send<T: Send>(_: &T) {}
        let target = Target::parse("http://localhost/").expect("a URL");
        let request = Request::default();
        let mut seen = 0;
        let mut observe = |_: Event<'_>| seen += 1;
        is_send(&probe(&target, &request, Settings::default(), &mut observe));
    }
}
