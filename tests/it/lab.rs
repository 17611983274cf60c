//! The lab's app in the actix test harness.

use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::init_service;
use actix_web::{App, Error};
use holdup::countdown::Context;
use holdup::routes;
use holdup::streams::Streams;

/// An app, in the form that the harness calls.
pub(crate) trait Harness:
    Service<Request, Response = ServiceResponse<Self::Body>, Error = Error>
{
    type Body: MessageBody;
}

impl<S, B: MessageBody> Harness for S
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
{
    type Body = B;
}

pub(crate) async fn lab() -> impl Harness {
    let context = Context {
        worker: 0,
        max_duration: Duration::from_secs(60),
        streams: Arc::new(Streams::new(16)),
    };
    init_service(App::new().configure(|config| routes::configure(config, context))).await
}
