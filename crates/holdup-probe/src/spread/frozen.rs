//! Fresh connections to another route, while one request holds its worker.

use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, future};
use tokio::time;

use super::super::event::{Event, Observer};
use super::ask::Visitor;
use holdup_model::Failure;
use holdup_verdict::FrozenRound;

/// If another route is asked beside a request that holds its worker: in how many rounds. In each, another worker may
/// be held, and one in so many of the connections is open at a time.
pub const FROZEN_ROUNDS: usize = 5;

/// The request has to take at least this long: a connection that waits for it differs clearly from one that is late.
pub(super) const LEAST: Duration = Duration::from_millis(300);

/// How long to wait until the request surely has its worker, as a part of the time that it takes …
const LEAD: f64 = 0.1;

/// … and in which part of it connections are opened after that.
const OPENING: f64 = 0.4;

/// Each connection has to have at least this part of the request's time ahead of it.
const AHEAD: f64 = 0.2;

/// A connection is answered at once if that takes at most this part of the rest of the request's time …
const AT_ONCE: f64 = 0.5;

/// … and only after the request, if it takes at least this part of it. Both ends are read by one client, so that the
/// second may seem to be a moment before the first.
const AFTER: f64 = 0.9;

/// How often a request is sent alone first.
const ALONE: usize = 2;

/// How long one request takes that has nothing beside it, at best. It fails unless the status is one of success.
pub(super) async fn alone(slow: Visitor<'_>) -> Result<Duration, Failure> {
    let mut best = Duration::MAX;
    for number in 1..=ALONE {
        let began = Instant::now();
        let ended = answered(slow, format!("alone{number}")).await?;
        best = best.min(ended.saturating_duration_since(began));
    }
    Ok(best)
}

/// When the answer ended. It has to be one of success: an error may come from a balancer, which no worker holds up.
async fn answered(visitor: Visitor<'_>, name: String) -> Result<Instant, Failure> {
    let head = visitor.once(name, false).await?.head;
    if head.status.is_success() {
        Ok(head.ended)
    } else {
        Err(Failure::Other(format!("status {}", head.status)))
    }
}

/// When a connection was opened, and when its answer ended, if it is no error.
type Visit = (Instant, Option<Instant>);

/// The rounds, with so many connections together.
pub(super) async fn ask(
    slow: Visitor<'_>,
    fast: Visitor<'_>,
    (count, takes): (usize, Duration),
    observe: &mut Observer<'_>,
) -> Result<Vec<FrozenRound>, Failure> {
    let mut rounds = Vec::new();
    let mut done = 0;
    for number in 0..FROZEN_ROUNDS {
        let connections = count / FROZEN_ROUNDS + usize::from(number < count % FROZEN_ROUNDS);
        observe(Event::Connections { done, of: count });
        let round = round(slow, fast, number, (connections, takes));
        rounds.push(Box::pin(round).await?);
        done += connections;
    }
    Ok(rounds)
}

async fn round(
    slow: Visitor<'_>,
    fast: Visitor<'_>,
    number: usize,
    (connections, takes): (usize, Duration),
) -> Result<FrozenRound, Failure> {
    let began = Instant::now();
    let holding = answered(slow, format!("held{}", number + 1));
    let opening = takes.mul_f64(OPENING);
    let visits: FuturesUnordered<_> = (0..connections)
        .map(|place| {
            let part = opening.mul_f64(place_of(place, connections));
            let at = began + takes.mul_f64(LEAD) + part;
            visit(fast, at, format!("beside{}-{}", number + 1, place + 1))
        })
        .collect();
    let (held, visits) = future::join(holding, visits.collect::<Vec<Visit>>()).await;
    let over = held?;
    let mut round = FrozenRound {
        connections,
        ..FrozenRound::default()
    };
    for visit in visits {
        let place = match told(visit, over, takes) {
            Told::Frozen => &mut round.frozen,
            Told::Prompt => &mut round.prompt,
            Told::Unclear => &mut round.unclear,
            Told::Failed => &mut round.failed,
        };
        *place += 1;
    }
    Ok(round)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "there are at most hundreds of connections in a round"
)]
fn place_of(place: usize, of: usize) -> f64 {
    place as f64 / of.max(1) as f64
}

async fn visit(fast: Visitor<'_>, at: Instant, name: String) -> Visit {
    time::sleep_until(at.into()).await;
    let began = Instant::now();
    let ended = answered(fast, name).await;
    (began, ended.ok())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Frozen,
    Prompt,
    Unclear,
    Failed,
}

/// Whether a connection waited for the request that was over at this time.
fn told((began, ended): Visit, over: Instant, takes: Duration) -> Told {
    let Some(ended) = ended else {
        return Told::Failed;
    };
    let rest = over.saturating_duration_since(began);
    if rest < takes.mul_f64(AHEAD) {
        return Told::Unclear;
    }
    let took = ended.saturating_duration_since(began);
    if took >= rest.mul_f64(AFTER) {
        Told::Frozen
    } else if took <= rest.mul_f64(AT_ONCE) {
        Told::Prompt
    } else {
        Told::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_waited_is_told_from_one_that_was_late() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let takes = Duration::from_secs(1);
        for (began, ended, expected) in [
            (100, Some(1001), Told::Frozen),
            // Read a moment before the end of the request, which the same client reads.
            (100, Some(995), Told::Frozen),
            (100, Some(5000), Told::Frozen),
            (100, Some(110), Told::Prompt),
            (100, Some(500), Told::Prompt),
            (100, Some(800), Told::Unclear),
            (900, Some(901), Told::Unclear),
            (1200, Some(1201), Told::Unclear),
            (100, None, Told::Failed),
        ] {
            let visit = (at(began), ended.map(at));
            assert_eq!(told(visit, at(1000), takes), expected, "{began} {ended:?}");
        }
    }
}
