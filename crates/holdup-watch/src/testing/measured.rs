//! Measures how requests at once run, by the plan of an experiment.

use std::fmt::Display;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use tokio::time::sleep;

use holdup_model::{Lane, Timeline};
use holdup_verdict::experiment::{Experiment, Policy, RoundKind, Step};
use holdup_verdict::{Kind, Reason, Verdict};

use super::racing::{Race, race_within};
use super::waited::Waited;

/// When to look where requests wait that were sent at once, as parts of the time that one takes alone. At the first,
/// none of them can be over, and those that cannot run are already waiting.
const LOOKS: [f64; 4] = [0.5, 0.75, 1.5, 2.5];

/// The result of [`measure`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Measured {
    /// One or two requests, each alone, after one that warmed up and is not included. Where all was measured
    /// anew, this is from the last measurement, here and below.
    pub alone: Vec<Lane>,
    /// The requests that were sent at the same time; the first time, if they were sent once more to confirm
    /// the verdict.
    pub at_once: Timeline,
    /// How many of them ran at a time.
    pub verdict: Verdict,
    /// Where the requests waited for each other that were sent at the same time; if they were sent more than once and
    /// it is not known of [`at_once`](Self::at_once), from another time. `None` if they did not wait for each other, if
    /// they blocked instead of waiting, and without the feature `stacks`.
    pub waited: Option<Waited>,
}

/// Measures how `app` runs `n` requests at once, by the plan of an [`Experiment`]: one to warm up, one or two
/// alone, then all `n`.
///
/// If a single pause of the machine can have caused that verdict ([`Verdict::needs_confirmation`]), all `n` are
/// asked once more, and both have to agree. If the verdict is then inconclusive because of noise, all but
/// the warming up is done anew, at most nine times. So a handler is asked `n + 3` times on a quiet machine,
/// and `20 n + 21` times at most.
///
/// `request` makes the requests. It is given a number that differs each time, for a URL that is
/// unique: a handler that keeps its answers would be measured once and then not any more.
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::test::{TestRequest, init_service};
/// use actix_web::{App, HttpResponse, rt::time, web};
/// use holdup_watch::testing::measure;
/// use holdup_verdict::Kind;
/// use tokio::sync::Semaphore;
///
/// /// Stands for a pool of two database connections.
/// static POOL: Semaphore = Semaphore::const_new(2);
///
/// async fn report() -> HttpResponse {
///     let _connection = POOL.acquire().await;
///     time::sleep(Duration::from_millis(80)).await;
///     HttpResponse::Ok().finish()
/// }
///
/// # #[actix_web::main]
/// # async fn main() {
/// let app = init_service(App::new().route("/", web::get().to(report))).await;
/// let request = |_| TestRequest::get().to_request();
/// let verdict = measure(&app, request, 4).await.verdict;
/// assert_eq!(verdict.kind, Kind::Limited);
/// assert_eq!(verdict.at_a_time, Some(2));
/// # }
/// ```
pub async fn measure<S, R, B>(app: &S, request: impl Fn(usize) -> R, n: usize) -> Measured
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    let mut requests = (0..).map(request);
    let mut experiment = Experiment::new(Policy::in_process(n));
    let mut alone: Option<Duration> = None;
    let mut races = Vec::new();
    loop {
        let round = match experiment.next() {
            Step::Ask(round) => round.clone(),
            Step::Done(findings) => {
                let findings = (**findings).clone();
                let at_once = findings.unique.unwrap_or_default();
                return Measured {
                    alone: findings.alone,
                    waited: waited(&races, &at_once, &findings.verdict),
                    at_once,
                    verdict: findings.verdict,
                };
            }
        };
        if !round.pause.is_zero() {
            sleep(round.pause).await;
        }
        let looks: Vec<_> = match alone {
            Some(alone) if holdup_detect::TRACES && round.kind == RoundKind::Unique => {
                LOOKS.map(|part| alone.mul_f64(part)).into()
            }
            _ => Vec::new(),
        };
        let asked = requests.by_ref().take(round.asks.len());
        let race = race_within(app, asked, round.timeout, &looks).await;
        if round.kind == RoundKind::Solo {
            // The shorter one, because noise only adds time.
            let took = race.timeline.lanes.first().and_then(Lane::duration);
            alone = alone.into_iter().chain(took).min();
        }
        experiment.feed(race.timeline.lanes.clone());
        if !looks.is_empty() {
            races.push(race);
        }
    }
}

/// Where the requests waited for each other, if that is why they did not run at the same time.
fn waited(races: &[Race], at_once: &Timeline, verdict: &Verdict) -> Option<Waited> {
    let is_clear = match verdict.kind {
        Kind::Serialized | Kind::Limited => true,
        // All were answered, but the pattern is not clear.
        _ => matches!(
            verdict.reason,
            Some(
                Reason::Irregular
                    | Reason::PartOneByOne { .. }
                    | Reason::Stragglers { .. }
                    | Reason::Slowed
                    | Reason::WorseThanOneByOne
            )
        ),
    };
    if !is_clear {
        return None;
    }
    let at_a_time = verdict.at_a_time.unwrap_or(1);
    let half = verdict.makespan? / 2;
    let waited = |race: &Race| {
        // If the requests ran for most of the time, they waited for the thread.
        if race.running >= half {
            return None;
        }
        let lanes = &race.timeline.lanes;
        Waited::of(&race.looks, lanes, at_a_time, race.route.as_ref()?)
    };
    // On a busy machine, the right moment may be missed. Then it was perhaps not missed the other time.
    let (shown, others): (Vec<_>, Vec<_>) = races
        .iter()
        .rev()
        .partition(|race| race.timeline == *at_once);
    shown.into_iter().chain(others).find_map(waited)
}
