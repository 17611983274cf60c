//! A request that was held up, and one that held its worker, say so in their own spans.

use std::collections::BTreeMap;

use actix_web::test::{TestRequest, call_service, init_service};
use futures_util::join;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Instrument, Level, Metadata, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::*;

/// What the watch has written into a span.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    name: &'static str,
    level: Level,
    fields: Fields,
    /// The path in the span that it belongs to.
    span: Option<String>,
}

/// Keeps what the watch writes into spans, and the paths of the spans.
#[derive(Clone, Default)]
struct Keeps(Arc<Mutex<Vec<Told>>>);

struct Path(String);

/// The fields by name.
#[derive(Debug, Clone, Default, PartialEq)]
struct Fields {
    texts: BTreeMap<&'static str, String>,
    times: BTreeMap<&'static str, f64>,
    numbers: BTreeMap<&'static str, i64>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.texts.insert(field.name(), format!("{value:?}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.times.insert(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.numbers.insert(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.texts.insert(field.name(), value.to_owned());
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
        let path = fields.texts.remove("path").unwrap_or_default();
        span.extensions_mut().insert(Path(path));
    }

    /// Only spans of the global subscriber are linked: this one may have another span with that number.
    fn on_follows_from(&self, _: &tracing::Id, _: &tracing::Id, _: Context<'_, S>) {
        self.0.lock().expect("nobody panics with it").push(Told {
            name: "a link",
            level: Level::ERROR,
            fields: Fields::default(),
            span: None,
        });
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "holdup::span" {
            return;
        }
        // A layer that exports spans would report it as the line that blocks.
        assert_eq!(
            (event.metadata().file(), event.metadata().line()),
            (None, None)
        );
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = context.event_span(event);
        let span = span.and_then(|span| Some(span.extensions().get::<Path>()?.0.clone()));
        self.0.lock().expect("nobody panics with it").push(Told {
            name: event.metadata().name(),
            level: *event.metadata().level(),
            fields,
            span,
        });
    }
}

impl Keeps {
    /// What was told, but not that the request that blocks was held up: a busy machine may do that.
    fn told(&self) -> Vec<Told> {
        let mut told = self.0.lock().expect("nobody panics with it").clone();
        told.retain(|told| {
            let blocks = told.span.as_deref() == Some("/blocks");
            (told.name == "holdup.hold") == blocks
        });
        told
    }
}

/// Sends a request that sleeps for a moment, and one that blocks meanwhile, to an app with spans. Returns what
/// it tells the subscriber of this thread, once it has told as much as `expected`. `spans_are_outside` says which of the
/// two was wrapped last.
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
async fn requests_say_in_their_own_spans_that_they_held_a_worker_or_were_held_up() {
    let mut told = told(&Watch::new(), true, 3).await;
    told.sort_by(|one, other| one.span.cmp(&other.span));
    assert_eq!(told.len(), 3, "{told:?}");
    for (told, path) in told.iter().zip(["/blocks", "/sleeps/1", "/sleeps/2"]) {
        assert_eq!(told.span.as_deref(), Some(path), "{told:?}");
        assert_eq!(told.level, Level::INFO, "{told:?}");
        assert!(told.fields.times["holdup.duration"] >= 0.2, "{told:?}");
    }

    let Fields {
        texts,
        times,
        numbers,
    } = &told[0].fields;
    assert_eq!(told[0].name, "holdup.hold");
    let expected = [
        ("holdup.kind", "blocked"),
        ("holdup.part", "future"),
        ("holdup.route", "GET /blocks"),
    ];
    for (name, text) in expected {
        assert_eq!(texts[name], text);
    }
    let summary = &texts["holdup.summary"];
    assert!(summary.starts_with("GET /blocks (future, "), "{summary}");
    assert!(times["holdup.busy"] >= 0.2, "{told:?}");
    assert!(numbers["holdup.polls"] >= 1, "{told:?}");
    assert_eq!(numbers["holdup.open_requests"], 2);
    assert!(numbers.contains_key("holdup.worker"), "{told:?}");

    for told in &told[1..] {
        let texts = &told.fields.texts;
        assert_eq!(told.name, "holdup.held_up");
        assert_eq!(texts["holdup.route"], "GET /sleeps/{id}");
        assert_eq!(texts["holdup.by.route"], "GET /blocks");
        let summary = &texts["holdup.summary"];
        let sentence = "GET /sleeps/{id} was held up for ";
        assert!(summary.starts_with(sentence), "{summary}");
        assert!(summary.contains(" by GET /blocks"), "{summary}");
        assert!(told.fields.times["holdup.by.duration"] >= 0.2, "{told:?}");
    }
}

#[actix_web::test]
async fn without_a_span_around_the_watch_or_with_the_log_off_nothing_is_said() {
    assert_eq!(told(&Watch::new(), false, 0).await, []);
    let silent = Watch::new().log_level(None);
    assert_eq!(told(&silent, true, 0).await, []);
}

#[actix_web::test]
async fn a_request_that_may_block_does_not_say_so() {
    let allows = Watch::new().allow("GET /blocks", Duration::from_secs(60));
    let told = told(&allows, true, 2).await;
    let is_held_up = |told: &Told| told.name == "holdup.held_up";
    assert!(told.len() == 2 && told.iter().all(is_held_up), "{told:?}");
}
