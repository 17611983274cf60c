//! Runs the plan of an experiment against a server.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::thread;
use std::time::Instant;

use hyper::HeaderMap;
use tokio::time;
use url::Host;

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
    Answers, Ask, Connections, Experiment, Findings, Http2, Policy, Round, RoundKind, Step, To,
};

/// The line of evidence for a server that answers over HTTP/2 only.
const OVER_HTTP2: &str =
    "all requests were sent over HTTP/2, because the server does not answer HTTP/1.1";

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
    policy.cores = cores_of(target);
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

/// How many cores the server's machine has, if that is this one, as far as the server's name tells.
fn cores_of(target: &Target) -> Option<usize> {
    let is_here = match target.parsed().host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let cores = thread::available_parallelism().ok().filter(|_| is_here);
    cores.map(NonZeroUsize::get)
}

pub(super) struct Run {
    settings: Settings,
    /// The route that is measured.
    pub(super) measured: Place,
    /// The routes that are asked beside it, and their connections that are kept open.
    bystanders: Vec<(Place, Vec<Kept>)>,
    /// The route that it is compared with.
    versus: Option<Place>,
    clock: Instant,
    /// When requests of the measured route were open: a range for each round.
    rounds: Vec<Range<Instant>>,
    /// Where the redirects came from, in order.
    pub(super) redirected_from: Vec<Target>,
    platform: Platform,
    /// The headers of the answer to the first request, at the end of the redirects.
    pub(super) headers: HeaderMap,
    /// Whether the server answers over HTTP/2 only.
    pub(super) only_http2: bool,
}

impl Run {
    pub(super) fn new(target: &Target, request: &Request, settings: Settings) -> Self {
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
            rounds: Vec::new(),
            redirected_from: Vec::new(),
            platform: Platform::Unknown,
            headers: HeaderMap::new(),
            only_http2: false,
        }
    }

    fn report(self, found: Findings) -> Report {
        let places = self.measured.blanks();
        let without_http2 = !self.may_speak_http2();
        let asked = (&self.measured.request, self.rounds);
        let redirects = (self.redirected_from, self.measured.target);
        let mut report = report::of(
            found,
            redirects,
            asked,
            places,
            self.platform,
            &self.settings,
        );
        report.without_http2 = without_http2;
        if self.only_http2 {
            report.add_evidence(OVER_HTTP2);
        }
        report
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
        if round.connections != Connections::Own && !self.may_speak_http2() {
            return Answers::refused("nobody asked for HTTP/2, and the server may not agree to it");
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
            peer: outcome.peer,
        }
    }

    /// Finds the other places of the round.
    async fn find_others(&mut self, round: &Round) -> Result<(), Failure> {
        let insecure = self.settings.insecure;
        let beside = round
            .bystander
            .map(|bystander| To::Bystander(bystander.which));
        let measured = self.measured.clone();
        for to in round.asks.iter().map(|ask| ask.to).chain(beside) {
            let Some(place) = self.place_mut(to).filter(|place| !place.is_found()) else {
                continue;
            };
            if place.target.origin() == measured.target.origin() {
                // A name may have the addresses of several servers, and no other one is of interest.
                place.endpoint = measured.endpoint.clone();
            } else {
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

    /// Whether requests may be sent over HTTP/2. Unless it is asked for, they are only if the server can agree
    /// to it, and if sending more of them changes nothing there.
    fn may_speak_http2(&self) -> bool {
        match self.settings.http2 {
            Http2::Wanted => true,
            Http2::IfOffered => self.measured.target.is_tls() && self.measured.request.is_safe(),
            _ => false,
        }
    }

    async fn send(&mut self, round: &Round, observe: &mut Observer<'_>) -> Outcome {
        let began = Instant::now();
        let outcome = self.exchange(round, observe).await;
        let is_measured = |ask: &Ask| !matches!(ask.to, To::Bystander(_) | To::Versus);
        if round.asks.iter().any(is_measured) {
            self.rounds.push(began..Instant::now());
        }
        outcome
    }

    async fn exchange(&mut self, round: &Round, observe: &mut Observer<'_>) -> Outcome {
        let terms = Terms {
            timeout: round.timeout,
            end: self.settings.end,
        };
        let bystanders: Vec<_> = self
            .bystanders
            .iter_mut()
            .map(|(place, kept)| (&*place, kept))
            .collect();
        // The closure is gone before the requests are sent, so that the future may move between threads.
        let errands: Vec<_> = {
            let place = |to| match to {
                To::Bystander(which) => bystanders
                    .get(which)
                    .map_or(&self.measured, |(place, _)| place),
                To::Versus => self.versus.as_ref().unwrap_or(&self.measured),
                _ => &self.measured,
            };
            let errand = |ask: &Ask| {
                let place = place(ask.to);
                Errand {
                    place,
                    question: place.question(&ask.name),
                    anonymous: ask.anonymous,
                }
            };
            round.asks.iter().map(errand).collect()
        };
        let mut bystanders = bystanders;
        let bystander = round
            .bystander
            .filter(|bystander| bystander.which < bystanders.len())
            .map(|bystander| bystanders.swap_remove(bystander.which));
        let mut round = round.clone();
        if self.only_http2 && round.connections == Connections::Own {
            round.connections = Connections::OwnHttp2;
        }
        rounds::ask(&errands, bystander, &round, terms, self.clock, observe).await
    }

    /// Sends the first request and follows redirects. The lane is that of the last request.
    pub(super) async fn warm_up(&mut self, round: &Round, observe: &mut Observer<'_>) -> Lane {
        loop {
            let name = round.asks.first().map_or("warm", |ask| &ask.name);
            let question = self.measured.question(name);
            let insecure = self.settings.insecure;
            if let Err(failure) = self.measured.find(insecure, round.timeout).await {
                let lane = Lane::start(question.label_of_lane(), self.clock.elapsed());
                return self.failed(lane, failure);
            }
            let mut outcome = self.send(round, observe).await;
            if self.may_speak_only_http2(&outcome) {
                self.only_http2 = true;
                let again = self.send(round, observe).await;
                self.only_http2 = again.first.is_some();
                if self.only_http2 {
                    outcome = again;
                }
            }
            let lane = outcome.lanes.remove(0);
            let Some(answer) = outcome.first else {
                return lane;
            };
            // The address that answered, and no other, is measured.
            self.measured.endpoint.addresses = vec![answer.peer];
            self.platform = answer.head.platform;
            self.headers = answer.head.headers;
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

    /// Whether the first request may have failed because the server speaks HTTP/2 only.
    fn may_speak_only_http2(&self, outcome: &Outcome) -> bool {
        let failure = outcome.lanes.first().and_then(Lane::failure);
        let broken = matches!(
            failure,
            Some(Failure::Reset | Failure::Closed | Failure::CutOff | Failure::Other(_))
        );
        broken && !self.only_http2 && self.may_speak_http2()
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

    #[tokio::test]
    async fn another_route_of_the_same_server_is_asked_at_the_same_address() {
        let target = |url: &str| Target::parse(url).expect("a URL");
        let settings = Settings {
            beside: vec![target("nobody.invalid/healthz")],
            versus: Some(target("127.0.0.1:81/")),
            ..Settings::default()
        };
        let mut run = Run::new(&target("nobody.invalid/"), &Request::default(), settings);
        let address = "127.0.0.1:82".parse().expect("an address");
        run.measured.endpoint.addresses = vec![address];

        let experiment = Experiment::new(Policy::outside(2));
        let Step::Ask(first) = experiment.next() else {
            panic!("an experiment begins with a round");
        };
        let mut round = first.clone();
        for (to, found) in [
            (To::Bystander(0), address),
            (To::Versus, "127.0.0.1:81".parse().expect("an address")),
        ] {
            round.asks[0].to = to;
            // The name does not resolve, so that looking it up would fail.
            run.find_others(&round).await.expect("it is found");
            let place = run.place_mut(to).expect("a place");
            assert_eq!(place.endpoint.addresses, [found], "{to:?}");
        }
    }

    #[test]
    fn only_the_cores_of_this_machine_are_known() {
        for (url, known) in [
            ("localhost:8080", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]:81/", true),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            let target = Target::parse(url).expect("a URL");
            assert_eq!(cores_of(&target).is_some(), known, "{url}");
        }
    }
}
