//! `/requests` and `/waits`: the open requests, where they wait, and who holds up whom.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::web::{self, Data};
use holdup_model::{OpenRequest, millis::Millis};
use serde_json::{Value, json};

use super::site::Site;
use holdup_http::problem::Problem;

/// The most requests that are listed.
const MOST: usize = 1000;

/// How long a look is used.
const USED: Duration = Duration::from_secs(1);

/// A look at the open requests, and the watch's time.
type Look = (Vec<OpenRequest>, Duration);

thread_local! {
    /// The last look, on the only thread of the console's listener.
    static LAST: RefCell<Option<(Instant, Look)>> = const { RefCell::new(None) };
}

async fn look(site: &Site) -> Result<Look, Problem> {
    let last = LAST.with_borrow(Clone::clone);
    if let Some((at, look)) = last
        && at.elapsed() < USED
    {
        return Ok(look);
    }
    let watch = site.watch.clone();
    let look = web::block(move || (watch.requests(), watch.elapsed())).await;
    let look = look.map_err(|_| Problem::unavailable("the console is stopping".to_owned()))?;
    LAST.set(Some((Instant::now(), look.clone())));
    Ok(look)
}

fn document(value: &Value) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(value.to_string())
}

/// Answers `/requests`.
pub(super) async fn requests(site: Data<Site>) -> Result<HttpResponse, Problem> {
    let (mut requests, now) = look(&site).await?;
    let more = requests.len().saturating_sub(MOST);
    requests.truncate(MOST);
    let now = Millis(now).number();
    Ok(document(
        &json!({ "schema": 1, "now_ms": now, "requests": requests, "more": more }),
    ))
}

/// Answers `/waits`.
pub(super) async fn waits(site: Data<Site>) -> Result<HttpResponse, Problem> {
    let (requests, now) = look(&site).await?;
    let waits = holdup_model::waits(&requests, now, Duration::ZERO);
    let waits: Vec<_> = waits
        .iter()
        .map(|wait| {
            let (point, longest) = (wait.point.as_ref(), Millis(wait.longest).number());
            let line = point.and_then(|point| point.line.as_ref());
            let route = wait.routes.first().map(|(route, _)| route);
            let routes: Vec<_> = wait
                .routes
                .iter()
                .map(|(route, requests)| json!({ "route": route, "requests": requests }))
                .collect();
            json!({
                "route": route, "line": line.map(ToString::to_string),
                "in": point.and_then(|point| point.within.as_ref()), "requests": wait.requests,
                "longest_ms": longest, "routes": routes, "numbers": wait.numbers, "point": point,
            })
        })
        .collect();
    let now = Millis(now).number();
    Ok(document(&json!({
        "schema": 1, "now_ms": now, "waits": waits, "held_up": site.watch.victims(), "why_no_lines": null,
    })))
}
