//! Runs the plan of an experiment against a server.

use std::fmt;
use std::ops::Range;
use std::time::Instant;

use tokio::time;

use super::connection::{Answer, Endpoint, Terms};
use super::event::{Event, Observer};
use super::question::Question;
use super::report::{self, Report};
use super::request::Request;
use super::rounds::{self, Line};
use super::route;
use super::settings::Settings;
use super::target::Target;
use holdup_model::{Failure, Lane};
use holdup_verdict::Platform;
use holdup_verdict::experiment::{Experiment, Policy, Round, RoundKind, Step};

/// Browsers give up after twenty; a chain that long is a loop.
const MAX_REDIRECTS: usize = 20;

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
    let mut run = Run {
        target: target.clone(),
        request: request.clone(),
        settings,
        endpoint: Endpoint {
            addresses: Vec::new(),
            tls: None,
        },
        clock: Instant::now(),
        rounds: Vec::new(),
        redirected_from: Vec::new(),
        platform: Platform::Unknown,
    };
    let mut experiment = Experiment::new(policy);
    loop {
        let round = match experiment.next() {
            Step::Ask(round) => round.clone(),
            Step::Done(findings) => {
                let places = run.places();
                let redirects = (run.redirected_from, run.target);
                let asked = (run.request.method_name(), run.rounds);
                return report::of(
                    (**findings).clone(),
                    redirects,
                    asked,
                    places,
                    run.platform,
                    settings,
                );
            }
        };
        let lanes = run.ask(&round, observe).await;
        experiment.feed(lanes);
    }
}

struct Run {
    target: Target,
    request: Request,
    settings: Settings,
    endpoint: Endpoint,
    clock: Instant,
    /// When each round began and ended.
    rounds: Vec<Range<Instant>>,
    /// Where the redirects came from, in order.
    redirected_from: Vec<Target>,
    platform: Platform,
}

impl Run {
    async fn ask(&mut self, round: &Round, observe: &mut Observer<'_>) -> Vec<Lane> {
        let announced = round.kind.is_announced();
        if !round.pause.is_zero() {
            if announced {
                observe(Event::Pause(round.pause));
            }
            time::sleep(round.pause).await;
        }
        if round.kind == RoundKind::WarmUp {
            return vec![self.warm_up(round, observe).await];
        }
        if announced {
            observe(Event::Round(round));
        }
        self.send(round, observe).await.0
    }

    async fn send(
        &mut self,
        round: &Round,
        observe: &mut Observer<'_>,
    ) -> (Vec<Lane>, Option<Answer>) {
        let questions: Vec<_> = round
            .asks
            .iter()
            .map(|ask| self.question(&ask.name))
            .collect();
        let line = Line {
            endpoint: &self.endpoint,
            request: &self.request,
            terms: Terms {
                timeout: round.timeout,
                end: self.settings.end,
            },
            clock: self.clock,
        };
        let began = Instant::now();
        let lanes = rounds::ask(&line, round, &questions, observe).await;
        self.rounds.push(began..Instant::now());
        lanes
    }

    /// Sends the first request and follows redirects. The lane is that of the last request.
    async fn warm_up(&mut self, round: &Round, observe: &mut Observer<'_>) -> Lane {
        loop {
            let name = round.asks.first().map_or("warm", |ask| &ask.name);
            let question = self.question(name);
            let found = route::find(&self.target, self.settings.insecure, round.timeout).await;
            self.endpoint = match found {
                Ok(endpoint) => endpoint,
                Err(failure) => {
                    let lane = Lane::start(question.label_of_lane(), self.clock.elapsed());
                    return self.failed(lane, failure);
                }
            };
            let (mut lanes, answer) = self.send(round, observe).await;
            let lane = lanes.remove(0);
            let Some(answer) = answer else {
                return lane;
            };
            // The address that answered, and no other, is measured.
            self.endpoint.addresses = vec![answer.peer];
            self.platform = answer.head.platform;
            let Some(location) = answer.head.location else {
                return lane;
            };
            let why = match self.target.redirected(&question.url, &location) {
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
        let (from, url) = (self.target.parsed(), to.parsed());
        self.request = self.request.clone().redirected(status, from, url);
        observe(Event::Redirected { to: to.url() });
        self.redirected_from
            .push(std::mem::replace(&mut self.target, to));
    }

    /// The question for a request of this name. Its label replaces `{}` in the URL, a header or the body. If
    /// there is no `{}`, the label is added to the query.
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
