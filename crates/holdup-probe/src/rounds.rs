//! Sends the requests of a round, and records what comes back when.

use std::future::pending;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::task::{unconstrained, yield_now};
use tokio::time::{self, MissedTickBehavior, interval_at};

use super::bystander::{Kept, Visits};
use super::connection::{self, Answer, Client, LaneRecorder, Terms};
use super::event::{Event, Observer};
use super::http2::{Driver, Unusable};
use super::inlets::{Inlets, Readers};
use super::own_time::{OwnTime, TICK};
use super::place::Place;
use super::question::Question;
use super::start_line::StartLine;
use super::way::Way;
use holdup_model::{Failure, Lane, Timeline};
use holdup_verdict::Sample;
use holdup_verdict::experiment::{Peer, Round};

/// How many requests are started together before the next ones. The runtime notices an established connection
/// only after all requests of this group have tried to connect, so a larger group would delay its first
/// request.
const STARTED_TOGETHER: usize = 8;

/// How often the lanes are published while they grow.
const BEAT: Duration = Duration::from_millis(100);

/// An answer that is still arriving after this time may have no end, and an event is published.
const LONG_STREAM: Duration = Duration::from_secs(10);

/// A request of a round: where it is sent, and for what.
pub(super) struct Errand<'a> {
    pub(super) place: &'a Place,
    pub(super) question: Question,
    pub(super) anonymous: bool,
}

/// What a round produced.
pub(super) struct Outcome {
    pub(super) lanes: Vec<Lane>,
    /// What is known about the first answer.
    pub(super) first: Option<Answer>,
    /// The requests to the bystander, in the order in which they were sent.
    pub(super) samples: Vec<Sample>,
    /// What the server said about the HTTP/2 connection that the requests shared.
    pub(super) peer: Option<Peer>,
}

impl Outcome {
    /// A round in which nothing was sent, because the connection that the requests share is unusable.
    fn unsent(errands: &[Errand<'_>], why: Unusable, now: Duration) -> Self {
        let (failure, peer) = match why {
            Unusable::Failed(failure) => (failure, None),
            Unusable::Refused(why) => {
                let peer = Peer {
                    refused: Some(why.clone()),
                    ..Peer::default()
                };
                (Failure::Other(why), Some(peer))
            }
        };
        let lanes = errands.iter().map(|errand| {
            let mut lane = Lane::start(errand.question.label_of_lane(), now);
            lane.fail(now, failure.clone());
            lane
        });
        Self {
            lanes: lanes.collect(),
            first: None,
            samples: Vec::new(),
            peer,
        }
    }
}

/// Sends one request for each of the round's asks, and meanwhile asks the bystander if there is one.
pub(super) async fn ask(
    errands: &[Errand<'_>],
    bystander: Option<(&Place, &mut Vec<Kept>)>,
    round: &Round,
    terms: Terms,
    clock: Instant,
    observe: &mut Observer<'_>,
) -> Outcome {
    let (own, inlets) = (OwnTime::new(), Inlets::default());
    let client = Client {
        clock,
        own: &own,
        inlets: &inlets,
    };
    let samples = Mutex::default();
    let mut visits = begin_visits(bystander, round, terms, client, &samples).await;
    let endpoint = errands.first().map(|errand| &errand.place.endpoint);
    let way = Way::open(round.connections, endpoint, terms, client).await;
    let (way, mut driver) = match way {
        Ok(open) => open,
        Err(why) => return Outcome::unsent(errands, why, clock.elapsed()),
    };
    let begun = clock.elapsed();
    let timeline = Mutex::new(started(errands, begun));
    let places = || 0..errands.len().min(round.asks.len());
    let (now, mut later): (Vec<_>, Vec<_>) =
        places().partition(|place| round.asks[*place].after.is_zero());
    let line = StartLine::of(now.len()).filter(|_| !matches!(way, Way::One(_)));
    let start = |place: usize| {
        let recorder = LaneRecorder {
            timeline: &timeline,
            place,
            client,
        };
        let errand = &errands[place];
        let message = errand.place.message(&errand.question, errand.anonymous);
        let line = line.as_ref().filter(|_| round.asks[place].after.is_zero());
        let asking = way.ask(&errand.place.endpoint, message, terms, (line, recorder));
        let inlets = &inlets;
        async move { (place, inlets.in_turn(asking).await) }
    };
    let mut waiting = now.into_iter();
    let mut needed = places()
        .filter(|place| !round.asks[*place].optional)
        .count();
    let mut over = None;
    let mut first = None;

    let mut racing = FuturesUnordered::new();
    let mut tick = interval_at(time::Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut news = News::since(begun);
    let mut readers = Readers::default();
    // All lanes are one task: the runtime's budget for a task would make them wait.
    unconstrained(own.count(async {
        loop {
            racing.extend(waiting.by_ref().take(STARTED_TOGETHER).map(start));
            let now = clock.elapsed();
            let due = later.extract_if(.., |place| now >= begun + round.asks[*place].after);
            racing.extend(due.map(start));
            let next = later.iter().map(|place| round.asks[*place].after).min();
            if needed == 0 {
                let over = *over.get_or_insert(now + round.linger);
                let visited = visits
                    .as_mut()
                    .is_none_or(|visits| visits.are_over(now, round.linger));
                if visited && (now >= over || (racing.is_empty() && later.is_empty())) {
                    break;
                }
            }
            tokio::select! {
                biased;
                // The timer is checked first, so that any delay is counted for the work that follows.
                due = tick.tick() => {
                    own.fired(due.into_std());
                    // Nothing is published while requests are sent.
                    if waiting.len() == 0 {
                        line.iter().for_each(StartLine::open_if_stuck);
                        let timeline = &*connection::lock(&timeline);
                        news.publish(round, timeline, clock.elapsed(), observe);
                    }
                }
                // All that has arrived is read before anything is done with it.
                never = inlets.go_on(&mut readers) => match never {},
                // What the connection has received is handled before anything else is.
                never = Driver::go_on(&mut driver), if driver.is_some() => match never {},
                Some((place, answer)) = racing.next(), if !racing.is_empty() => {
                    needed -= usize::from(!round.asks[place].optional);
                    line.iter().for_each(StartLine::leave);
                    if place == 0 {
                        first = answer;
                    }
                    inlets.yield_if_due().await;
                }
                () = Visits::go_on(&mut visits), if visits.is_some() => {}
                () = yield_now(), if waiting.len() > 0 => {}
                // The timer of the prober's own time is too slow for requests that are sent a moment apart.
                () = until(clock + begun, next), if next.is_some() => {}
            }
        }
    }))
    .await;
    drop(racing);
    let peer = way.peer();
    let samples = visits.map_or_else(Vec::new, Visits::end);
    let timeline = std::mem::take(&mut *connection::lock(&timeline));
    Outcome {
        lanes: timeline.lanes,
        first,
        samples,
        peer,
    }
}

/// The lanes of the requests, as if all were sent now.
fn started(errands: &[Errand<'_>], now: Duration) -> Timeline {
    let lanes = errands.iter().map(|errand| {
        let label = errand.question.label_of_lane();
        Lane::start(label, now)
    });
    lanes.collect::<Vec<_>>().into()
}

/// The visits to the bystander, with its kept connections; `None` if the round has none.
async fn begin_visits<'a>(
    bystander: Option<(&'a Place, &'a mut Vec<Kept>)>,
    round: &Round,
    terms: Terms,
    client: Client<'a>,
    samples: &'a Mutex<Timeline>,
) -> Option<Visits<'a>> {
    let (place, kept) = bystander?;
    let visits = Visits::of(round, place, terms, client, samples)?;
    Some(visits.with_kept(kept).await)
}

/// Waits until this long after `begun`, or for ever.
async fn until(begun: Instant, after: Option<Duration>) {
    match after.and_then(|after| begun.checked_add(after)) {
        Some(due) => time::sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// What is published of a round while it goes on.
struct News {
    begun: Duration,
    /// When the lanes were published last.
    published: Duration,
    /// Whether a long stream has been published.
    long: bool,
}

impl News {
    fn since(begun: Duration) -> Self {
        Self {
            begun,
            published: begun,
            long: false,
        }
    }

    fn publish(
        &mut self,
        round: &Round,
        timeline: &Timeline,
        now: Duration,
        observe: &mut Observer<'_>,
    ) {
        if round.kind.is_announced() {
            if now >= self.published + BEAT {
                self.published = now;
                observe(Event::Progress { timeline, now });
            }
        } else if !self.long && now >= self.begun + LONG_STREAM {
            self.long = true;
            let chunks = timeline.lanes.first().map_or(0, Lane::chunk_count);
            if chunks > 1 {
                observe(Event::LongStream { chunks });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use holdup_testkit::odd::{serve, write};
    use holdup_testkit::pause;
    use holdup_verdict::experiment::{Experiment, Policy, Step};

    use super::*;
    use crate::request::Request;
    use crate::settings::End;
    use crate::target::Target;

    /// A round of two requests, of which the second one is sent so much later.
    fn two(after: Duration) -> Round {
        let experiment = Experiment::new(Policy::outside(2));
        let Step::Ask(first) = experiment.next() else {
            panic!("an experiment begins with a round");
        };
        let mut round = first.clone();
        let mut second = round.asks[0].clone();
        second.after = after;
        round.asks.push(second);
        round
    }

    #[tokio::test]
    async fn a_request_is_sent_when_it_is_due_and_not_at_the_next_tick() {
        let takes = TICK * 4;
        let address = serve(move |stream, _| {
            pause(takes);
            write(&stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        });
        let target = Target::parse(&address.to_string()).expect("a URL");
        let mut place = Place::new(target, Request::default());
        place.find(false, takes).await.expect("an address");
        let after = Duration::from_millis(1);
        let round = two(after);
        let terms = Terms {
            timeout: round.timeout,
            end: End::default(),
        };
        let mut apart = Vec::new();
        // A busy machine may delay a request, but not in all of many rounds.
        for _ in 0..20 {
            let errand = |name: &str| Errand {
                place: &place,
                question: place.question(name),
                anonymous: false,
            };
            let errands = [errand("1"), errand("2")];
            let outcome = ask(&errands, None, &round, terms, Instant::now(), &mut |_| ()).await;
            let [first, second] = [0, 1].map(|place| outcome.lanes[place].requested_at());
            apart.push(second.saturating_sub(first));
        }
        apart.sort_unstable();
        assert!(apart[0] < TICK / 2, "{apart:?}");
        // The first request of a pair may be delayed as well, but not in most rounds.
        assert!(apart[apart.len() / 2] >= after / 2, "{apart:?}");
    }
}
