//! Measures a spread.

use std::time::Instant;

use super::super::connection::{Client, Terms};
use super::super::event::Observer;
use super::super::inlets::Inlets;
use super::super::own_time::OwnTime;
use super::super::place::Place;
use super::super::request::Request;
use super::super::runner::Run;
use super::super::settings::Settings;
use super::super::target::Target;
use super::super::tls;
use super::ask::{Visitor, driven};
use super::id::AnswerId;
use super::report::{Named, SpreadReport};
use super::settings::{REQUESTS_EACH, SpreadSettings};
use super::{fresh, frozen, kept};
use holdup_model::Failure;
use holdup_verdict::experiment::{Experiment, Policy, Step};
use holdup_verdict::{Spread, SpreadReason, judge_frozen, judge_spread};

/// A route that is asked beside a request has to be this many times as fast.
const FASTER: u32 = 6;

/// Measures over how many workers connections to `target` fall. `observe` is called with the events meanwhile.
///
/// One request comes first, to follow redirects and to see that there is an answer. Then come the fresh connections,
/// with one request each, and [some](SpreadSettings::kept) that are kept for [`REQUESTS_EACH`] requests. Each request has a label of its own, as in [`probe`](crate::probe). If the settings
/// have a route that is [beside](SpreadSettings::beside), `target` is asked seven more times, and the connections go
/// to that route while it is.
///
/// The future is `Send`. It does nothing unless it is polled, and dropping it closes all connections.
///
/// A server that cannot be reached, or whose answers do not say who gave them, is no error here: the verdict is
/// inconclusive, and its reason says why.
pub async fn spread(
    target: &Target,
    request: &Request,
    settings: &SpreadSettings,
    observe: &mut Observer<'_>,
) -> SpreadReport {
    let plain = Settings {
        timeout: settings.timeout,
        insecure: settings.insecure,
        end: settings.end,
        ..Settings::default()
    };
    let mut run = Run::new(target, request, plain);
    let failure = warm_up(&mut run, settings, observe).await;
    let measured = &run.measured.target;
    let mut report = SpreadReport::new(measured, &run.redirected_from, settings.together());
    if let Some(failure) = failure {
        report.unverified = matches!(&failure, Failure::Other(why) if tls::is_about_trust(why));
        report.spread = Spread::not_measured(format!("the first request failed: {failure}"));
        return report;
    }
    if let Some(beside) = &settings.beside {
        report.by = Some(Named {
            kind: "beside",
            name: beside.url().to_owned(),
        });
        let place = Place::new(
            beside.clone(),
            run.measured
                .request
                .for_bystander(measured.parsed(), beside.parsed()),
        );
        report.spread = Box::pin(beside_one(&run.measured, place, settings, observe)).await;
        return report;
    }
    let id = settings.id.clone().or_else(|| AnswerId::lab(&run.headers));
    let Some(id) = id else {
        report.spread = Spread::because(SpreadReason::NoId);
        return report;
    };
    let (kind, name) = id.parts();
    report.by = Some(Named { kind, name });
    report.spread = by_id(&run.measured, &id, settings, observe).await;
    report
}

/// Sends the first request, and follows redirects. Returns why there is nothing to measure.
async fn warm_up(
    run: &mut Run,
    settings: &SpreadSettings,
    observe: &mut Observer<'_>,
) -> Option<Failure> {
    let mut policy = Policy::outside(2);
    policy.timeout = Some(settings.longest());
    let experiment = Experiment::new(policy);
    let Step::Ask(round) = experiment.next() else {
        return None;
    };
    let lane = run.warm_up(round, observe).await;
    if let Some(failure) = lane.failure() {
        return Some(failure.clone());
    }
    let over_http2 =
        "the server answers over HTTP/2 only, and the spread is measured over HTTP/1.1";
    run.only_http2
        .then(|| Failure::Other(over_http2.to_owned()))
        .or_else(|| lane.status().is_none().then_some(Failure::Closed))
}

async fn by_id(
    place: &Place,
    id: &AnswerId,
    settings: &SpreadSettings,
    observe: &mut Observer<'_>,
) -> Spread {
    let (own, inlets) = (OwnTime::new(), Inlets::default());
    let visitor = visitor(place, settings, (&own, &inlets));
    let at_once = settings.together();
    let counts = (settings.fresh(), at_once);
    let tally = driven(&inlets, fresh::ask(visitor, id, counts, observe)).await;
    let mut kept = Vec::new();
    // If fresh connections do not show who answers, kept ones do not either.
    if tally.answered() > 0 {
        let counts = (settings.kept(), at_once);
        kept = driven(&inlets, kept::ask(visitor, id, counts, observe)).await;
    }
    let expected = settings.expected.map(std::num::NonZeroUsize::get);
    judge_spread(&tally, expected, &kept, REQUESTS_EACH)
}

async fn beside_one(
    slow: &Place,
    mut fast: Place,
    settings: &SpreadSettings,
    observe: &mut Observer<'_>,
) -> Spread {
    if fast.target.origin() == slow.target.origin() {
        fast.endpoint = slow.endpoint.clone();
    } else if let Err(failure) = fast.find(settings.insecure, settings.longest()).await {
        return Spread::not_measured(format!("{} cannot be asked: {failure}", fast.target.url()));
    }
    let (own, inlets) = (OwnTime::new(), Inlets::default());
    let slow = visitor(slow, settings, (&own, &inlets));
    let fast = visitor(&fast, settings, (&own, &inlets));
    let work = async {
        let takes = frozen::alone(slow).await;
        let takes = takes.map_err(|failure| format!("a request alone failed: {failure}"))?;
        let fast_takes = frozen::alone(fast).await;
        let fast_takes = fast_takes.map_err(|failure| {
            let url = fast.place.target.url();
            format!("a request to {url} alone failed: {failure}")
        })?;
        let least = frozen::LEAST.max(fast_takes * FASTER);
        if takes < least {
            let reason = SpreadReason::TooShort { took: takes, least };
            return Ok(Spread::because(reason));
        }
        let rounds = frozen::ask(slow, fast, (settings.fresh(), takes), observe).await;
        rounds
            .map(|rounds| judge_frozen(&rounds))
            .map_err(|failure| format!("the request that was to hold its worker failed: {failure}"))
    };
    let spread: Result<Spread, String> = driven(&inlets, Box::pin(work)).await;
    spread.unwrap_or_else(Spread::not_measured)
}

fn visitor<'a>(
    place: &'a Place,
    settings: &SpreadSettings,
    (own, inlets): (&'a OwnTime, &'a Inlets),
) -> Visitor<'a> {
    Visitor {
        place,
        terms: Terms {
            timeout: settings.longest(),
            end: settings.end,
        },
        client: Client {
            clock: Instant::now(),
            own,
            inlets,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::event::Event;
    use super::*;

    #[test]
    fn the_future_may_move_between_threads() {
        fn is_send<T: Send>(_: &T) {}
        let target = Target::parse("http://localhost/").expect("a URL");
        let (request, settings) = (Request::default(), SpreadSettings::default());
        let mut seen = 0;
        let mut observe = |_: Event<'_>| seen += 1;
        is_send(&spread(&target, &request, &settings, &mut observe));
    }
}
