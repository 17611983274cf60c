//! `POST /probe` and `DELETE /probe`.

use std::future::ready;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse};

use super::order::Probes;
use crate::guard;
use holdup_http::problem::Problem;

/// Paths to append to the list of routes.
pub(crate) const PATHS: &str = ", /probe";

/// The largest body that is accepted. An order is far smaller.
const BODY: usize = 4096;

/// Adds the path that accepts orders.
pub(crate) fn configure(config: &mut ServiceConfig, probes: &Arc<Probes>) {
    let refused = |request: HttpRequest| {
        let problem = Problem::method_not_allowed(request.method().as_str(), "DELETE, POST");
        ready(problem.response())
    };
    config.service(
        web::resource("/probe")
            .app_data(Data::from(Arc::clone(probes)))
            .app_data(PayloadConfig::new(BODY))
            .route(web::post().to(start))
            .route(web::delete().to(stop))
            .default_service(web::to(refused)),
    );
}

async fn start(
    probes: Data<Probes>,
    request: HttpRequest,
    body: Result<Bytes, Error>,
) -> Result<HttpResponse, Problem> {
    guard::check_same_origin(&request)?;
    let json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(json)
    {
        let detail = "the body's Content-Type has to be application/json";
        return Err(Problem::unsupported_type(detail.to_owned()));
    }
    let body = body.map_err(|_| Problem::too_large(BODY))?;
    let order = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_body(format!("the body cannot be used: {error}")))?;
    let id = probes.start(&order)?;
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "id": id })))
}

async fn stop(probes: Data<Probes>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    guard::check_same_origin(&request)?;
    probes.stop();
    Ok(HttpResponse::NoContent().finish())
}
