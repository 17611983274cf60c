//! `POST /replay`: plays, pauses, and goes to a time.

use std::future::ready;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse};

use super::control::Control;
use crate::guard;
use crate::site::Site;
use holdup_http::problem::Problem;

/// Paths to append to the list of routes.
pub(crate) const PATHS: &str = ", /replay";

/// The largest body that is accepted.
const BODY: usize = 4096;

/// Adds the path that accepts controls.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let refused = |request: HttpRequest| {
        let problem = Problem::method_not_allowed(request.method().as_str(), "POST");
        ready(problem.response())
    };
    config.service(
        web::resource("/replay")
            .app_data(PayloadConfig::new(BODY))
            .route(web::post().to(control))
            .default_service(web::to(refused)),
    );
}

async fn control(
    site: Data<Site>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Result<HttpResponse, Problem> {
    guard::check_same_origin(&request)?;
    let json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    let kind = request.headers().get(header::CONTENT_TYPE);
    if !kind.is_some_and(json) {
        let detail = "the body's Content-Type has to be application/json";
        return Err(Problem::unsupported_type(detail.to_owned()));
    }
    let body = body.map_err(|_| Problem::too_large(BODY))?;
    let bad = |why: String| Problem::bad_body(format!("the body cannot be used: {why}"));
    let control: Control = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    let control = control.check().map_err(bad)?;
    if let Some(replay) = &site.replay {
        let stopping = |_| Problem::unavailable("the replay is stopping".to_owned());
        replay.send(control).await.map_err(stopping)?;
    }
    Ok(HttpResponse::NoContent().finish())
}
