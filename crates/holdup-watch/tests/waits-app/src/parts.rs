//! Parts of a request other than its handler: extractors that read a slow upload, a middleware and bodies.

use actix_multipart::Multipart;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Json, Payload, ServiceConfig};
use actix_web::{Error, HttpResponse};
use futures_util::StreamExt;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;

static NEVER: Notify = Notify::const_new();

async fn bytes(_: Bytes) -> &'static str {
    "done"
}

async fn text(_: String) -> &'static str {
    "done"
}

async fn json(_: Json<Vec<u8>>) -> &'static str {
    "done"
}

async fn payload(mut payload: Payload) -> &'static str {
    while payload.next().await.is_some() {} // payload
    "done"
}

async fn multipart(mut form: Multipart) -> &'static str {
    while form.next().await.is_some() {} // multipart
    "done"
}

async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    NEVER.notified().await; // middleware
    next.call(request).await
}

/// It waits in the handler, of which the middleware's line tells nothing.
async fn through(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    next.call(request).await
}

async fn behind() -> &'static str {
    NEVER.notified().await; // behind
    "done"
}

async fn stream() -> HttpResponse {
    HttpResponse::Ok().streaming(async_stream::stream! {
        yield Ok::<_, Error>(Bytes::from_static(b"begun"));
        NEVER.notified().await; // stream
        yield Ok(Bytes::from_static(b"done"));
    })
}

/// The body is a library's, so that no code of the app's own is on the stack.
async fn channel() -> HttpResponse {
    let (send, receive) = mpsc::channel::<Result<Bytes, Error>>(1);
    send.send(Ok(Bytes::from_static(b"begun"))).await.ok();
    std::mem::forget(send);
    HttpResponse::Ok().streaming(ReceiverStream::new(receive))
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/bytes", web::to(bytes))
        .route("/text", web::to(text))
        .route("/json", web::to(json))
        .route("/payload", web::to(payload))
        .route("/multipart", web::to(multipart))
        .service(
            web::resource("/middleware")
                .wrap(from_fn(middleware))
                .to(async || "done"),
        )
        .service(web::resource("/behind").wrap(from_fn(through)).to(behind))
        .route("/stream", web::to(stream))
        .route("/channel", web::to(channel));
}
