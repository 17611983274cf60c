//! What the four handlers share: the query, the ticks on schedule, the formats.
//!
//! A handler takes a [`Countdown`] and passes [`Countdown::respond`] its own loop over the
//! [`Ticks`]. Everything else about the response is the same for all handlers.

mod body;
mod format;
mod query;
mod tick;

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodySize, to_bytes};
use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::Stream;
use tracing::info;

use self::body::{Body, HeadOnly};
pub use self::format::Format;
pub use self::query::{Deliver, Query};
pub use self::tick::{Tick, Ticks};
use crate::problem::Readable;
use crate::streams::{self, Streams};
use holdup_http::problem::Problem;

/// What the handlers of a worker need to know about the lab. Each worker has its own, as app data.
#[derive(Debug, Clone)]
pub struct Context {
    /// The worker's number, counted from 0.
    pub worker: usize,
    /// The longest countdown that a client may ask for.
    pub max_duration: Duration,
    /// The open streams of all workers.
    pub streams: Arc<Streams>,
}

/// The handler's name, as app data of its resource.
#[derive(Debug, Clone, Copy)]
pub struct Handler(pub &'static str);

/// A countdown that a client requested. Its query is valid, and it has a place among the open
/// streams.
///
/// As an extractor it answers 400, 406 or 503 itself (see [`Problem`]). Dropping it frees its
/// place.
#[derive(Debug)]
pub struct Countdown {
    query: Query,
    format: Format,
    /// `None` for `HEAD`, which needs no place.
    place: Option<streams::Stream>,
}

impl Countdown {
    /// The ticks to iterate over, on schedule from the first one.
    pub fn ticks(&self) -> Ticks {
        Ticks::new(self.query.from, self.query.period)
    }

    /// Creates the response from `ticking`: a loop over [`Countdown::ticks`] that yields each tick
    /// and then waits [`Tick::pause`]. The last tick, 0, is added when the loop ends.
    pub async fn respond(self, ticking: impl Stream<Item = Tick> + 'static) -> HttpResponse {
        let Self {
            query,
            format,
            place,
        } = self;
        let mut response = HttpResponse::Ok();
        response
            .insert_header((header::CONTENT_TYPE, format.content_type()))
            // Without this header, a browser waits for more bytes to guess the type.
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            // Without this header, nginx buffers the whole response before it forwards it.
            .insert_header(("x-accel-buffering", "no"))
            .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
            // The console is another origin and reads countdowns, which contain nothing secret.
            .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));

        let Some(place) = place else {
            // The length of the whole body is not known before it is complete, so `HEAD` omits it.
            return response.body(HeadOnly(match query.deliver {
                Deliver::Stream => BodySize::Stream,
                Deliver::Whole => BodySize::None,
            }));
        };
        let body = Body::new(ticking, format, query.label, place);
        match query.deliver {
            Deliver::Stream => response.body(body),
            Deliver::Whole => match to_bytes(body).await {
                Ok(whole) => response.body(whole),
                Err(never) => match never {},
            },
        }
    }

    fn extract(request: &HttpRequest) -> Result<Self, Readable> {
        let context = request.app_data::<Data<Context>>();
        let context = context.expect("the app has a Context as its data");
        let Handler(handler) = *request
            .app_data()
            .expect("the resource has its Handler as data");
        let query = Query::parse(request.query_string(), context.max_duration)?;
        let format = match query.format {
            Some(format) => format,
            None => Format::negotiate(request)?,
        };
        if request.method() == Method::HEAD {
            return Ok(Self {
                query,
                format,
                place: None,
            });
        }
        let place = context.streams.enter(handler, context.worker);
        let place = place.ok_or_else(|| Problem::too_many_streams(context.streams.max()))?;
        let streams::Identity { number, worker, .. } = *place.identity();
        let (from, period, x) = (query.from, query.period, query.label.as_deref());
        info!(
            stream = number,
            handler,
            worker,
            from,
            ?period,
            x,
            "stream started"
        );
        Ok(Self {
            query,
            format,
            place: Some(place),
        })
    }
}

impl FromRequest for Countdown {
    type Error = Readable;
    type Future = Ready<Result<Self, Readable>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::extract(request))
    }
}
