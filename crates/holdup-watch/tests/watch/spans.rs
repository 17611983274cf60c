//! A request that was held up says so in its own span.

use actix_web::test::{TestRequest, call_service, init_service};
use futures_util::join;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Instrument, Level, Metadata, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::*;

/// An event with the target of the watch.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    level: Level,
    message: String,
    held_up_ms: f64,
    /// The path in the span that it belongs to.
    span: Option<String>,
}

/// Keeps the events of the watch, and the paths of the spans.
#[derive(Clone, Default)]
struct Keeps(Arc<Mutex<Vec<Told>>>);

struct Path(String);

#[derive(Default)]
struct Fields {
    message: String,
    held_up_ms: f64,
    path: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "held_up_ms" {
            self.held_up_ms = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "path" {
            value.clone_into(&mut self.path);
        }
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keeps {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = context.span(id).expect("it was made");
        span.extensions_mut().insert(Path(fields.path));
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "holdup" {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = context.event_span(event);
        let span = span.and_then(|span| Some(span.extensions().get::<Path>()?.0.clone()));
        self.0.lock().expect("nobody panics with it").push(Told {
            level: *event.metadata().level(),
            message: fields.message,
            held_up_ms: fields.held_up_ms,
            span,
        });
    }
}

impl Keeps {
    /// What was told, but not of the request that blocks: a busy machine may hold it up.
    fn told(&self) -> Vec<Told> {
        let mut told = self.0.lock().expect("nobody panics with it").clone();
        told.retain(|event| event.span.as_deref() != Some("/blocks"));
        told
    }
}

/// Sends a request that sleeps for a moment, and one that blocks meanwhile, to an app with spans. Returns what the
/// watch tells the subscriber of this thread, once it has told as much as `expected`. `spans_are_outside` says which of
/// the two was wrapped last.
async fn told(watch: &Watch, spans_are_outside: bool, expected: usize) -> Vec<Told> {
    // With one subscriber only, tracing would ask the subscriber of the first thread that reaches a log line.
    let _another = Dispatch::new(Registry::default());
    let keeps = Keeps::default();
    let _subscribed = tracing::subscriber::set_default(Registry::default().with(keeps.clone()));
    let sleeps = async || {
        rt::time::sleep(Duration::from_millis(20)).await;
        "done"
    };
    let app = App::new()
        .route("/sleeps/{id}", web::get().to(sleeps))
        .route("/blocks", web::get().to(between_awaits));
    let request = |path| TestRequest::with_uri(path).to_request();
    macro_rules! in_spans {
        ($app:expr) => {
            $app.wrap_fn(|request, next| {
                let span = info_span!("request", path = request.path());
                next.call(request).instrument(span)
            })
        };
    }
    macro_rules! ask {
        ($app:expr) => {{
            let app = init_service($app).await;
            join!(
                call_service(&app, request("/sleeps/1")),
                call_service(&app, request("/sleeps/2")),
                call_service(&app, request("/blocks"))
            );
        }};
    }
    if spans_are_outside {
        ask!(in_spans!(app.wrap(watch.clone())));
    } else {
        ask!(in_spans!(app).wrap(watch.clone()));
    }
    let deadline = Instant::now() + PATIENCE;
    let victims = || {
        let victims = watch.victims().into_iter();
        let by_a_request = victims.filter(|victim| victim.by.is_some());
        by_a_request.map(|victim| victim.requests).sum::<u64>()
    };
    while victims() < 2 {
        assert!(Instant::now() < deadline, "nobody was held up");
        rt::time::sleep(Duration::from_millis(2)).await;
    }
    while keeps.told().len() < expected && Instant::now() < deadline {
        rt::time::sleep(Duration::from_millis(2)).await;
    }
    // So that more would be noticed.
    rt::time::sleep(Duration::from_millis(50)).await;
    keeps.told()
}

#[actix_web::test]
async fn a_request_that_was_held_up_says_so_in_its_own_span() {
    let mut told = told(&Watch::new(), true, 2).await;
    told.sort_by(|one, other| one.span.cmp(&other.span));
    assert_eq!(told.len(), 2, "{told:?}");
    for (event, path) in told.iter().zip(["/sleeps/1", "/sleeps/2"]) {
        assert_eq!(event.span.as_deref(), Some(path), "{event:?}");
        assert_eq!(event.level, Level::INFO, "{event:?}");
        let message = &event.message;
        let sentence = "GET /sleeps/{id} was held up for ";
        assert!(message.starts_with(sentence), "{message}");
        assert!(message.contains(" by GET /blocks"), "{message}");
        assert!(event.held_up_ms >= 200.0, "{event:?}");
    }
}

#[actix_web::test]
async fn without_a_span_around_the_watch_or_with_the_log_off_nothing_is_said() {
    assert_eq!(told(&Watch::new(), false, 0).await, []);
    assert_eq!(told(&Watch::new().log_level(None), true, 0).await, []);
}
