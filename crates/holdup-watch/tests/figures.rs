//! The figures of watches for the recorder that the app has installed.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, web};
use holdup_testkit::app::{Served, serve, serve_on};
use holdup_testkit::client::{Reply, connect, get};
use holdup_testkit::{PATIENCE, pause};
use holdup_watch::Watch;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// A recorder that keeps all figures, by name and labels.
#[derive(Default, Clone)]
struct Kept {
    counters: Series<AtomicU64>,
    gauges: Series<AtomicU64>,
    histograms: Series<Samples>,
}

type Series<T> = Arc<Mutex<HashMap<Key, Arc<T>>>>;

#[derive(Default)]
struct Samples(Mutex<Vec<f64>>);

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        lock(&self.0).push(value);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(series(&self.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(series(&self.gauges, key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(series(&self.histograms, key))
    }
}

fn series<T: Default>(of: &Series<T>, key: &Key) -> Arc<T> {
    Arc::clone(lock(of).entry(key.clone()).or_default())
}

/// The series of a metric, by its labels' values.
fn labelled<T, V>(of: &Series<T>, name: &str, value: impl Fn(&T) -> V) -> BTreeMap<String, V> {
    let all = lock(of);
    let named = all.iter().filter(|(key, _)| key.name() == name);
    let labelled = named.map(|(key, of)| {
        let labels: Vec<_> = key.labels().map(metrics::Label::value).collect();
        (labels.join(", "), value(of))
    });
    labelled.collect()
}

impl Kept {
    fn counter(&self, name: &str, labels: &str) -> u64 {
        let all = labelled(&self.counters, name, |count| count.load(Ordering::Relaxed));
        all.get(labels).copied().unwrap_or_default()
    }

    fn gauge(&self, name: &str, labels: &str) -> f64 {
        let value = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Relaxed));
        let all = labelled(&self.gauges, name, value);
        all.get(labels).copied().unwrap_or(f64::NAN)
    }

    fn gauge_is(&self, name: &str, labels: &str, number: u32) -> bool {
        self.gauge(name, labels)
            .total_cmp(&f64::from(number))
            .is_eq()
    }

    fn histogram(&self, name: &str) -> BTreeMap<String, Vec<f64>> {
        labelled(&self.histograms, name, |samples| lock(&samples.0).clone())
    }
}

/// The recorder that is installed.
fn installed() -> &'static Kept {
    static KEPT: LazyLock<Kept> = LazyLock::new(|| {
        let kept = Kept::default();
        metrics::set_global_recorder(kept.clone()).expect("the only one");
        kept
    });
    &KEPT
}

/// One test at a time: the gauges show all watches of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    lock(&ALONE)
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never happens: {what}");
        pause(Duration::from_millis(5));
    }
}

/// A route that blocks its worker until it is let go.
struct Blocking {
    served: Served,
    let_go: Arc<AtomicBool>,
}

impl Blocking {
    fn start(watch: Watch, workers: usize, route: &'static str) -> Self {
        let let_go = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&let_go);
        let served = serve_on(workers, move || {
            let flag = Arc::clone(&flag);
            let block = move || {
                let deadline = Instant::now() + PATIENCE;
                while !flag.load(Ordering::Relaxed) && Instant::now() < deadline {
                    pause(Duration::from_millis(5));
                }
                async { HttpResponse::Ok().finish() }
            };
            App::new()
                .route(route, web::get().to(block))
                .wrap(watch.clone())
        });
        Self { served, let_go }
    }

    fn ask(&self, path: &'static str) -> JoinHandle<u16> {
        let address = self.served.address;
        thread::spawn(move || get(address, path).status)
    }

    fn let_go(&self, client: JoinHandle<u16>) {
        self.let_go.store(true, Ordering::Relaxed);
        assert_eq!(client.join().expect("it gets its answer"), 200);
    }
}

#[test]
fn the_gauges_of_two_watches_add_up() {
    let _alone = alone();
    let one = Blocking::start(Watch::new().log_level(None), 1, "/one");
    // The first watch is there before a recorder is installed, if this test runs first.
    let figures = installed();
    let two = Blocking::start(Watch::new().log_level(None), 2, "/two");
    let clients = (one.ask("/one"), two.ask("/two"));
    until("both are blocked", || {
        figures.gauge_is("holdup_workers_held", "", 2)
    });
    until("both holds are shown", || {
        ["GET /one", "GET /two"]
            .iter()
            .all(|route| figures.gauge("holdup_current_hold_seconds", route) > 0.1)
    });
    until("all workers are counted", || {
        figures.gauge_is("holdup_workers", "", 3) && figures.gauge_is("holdup_requests_open", "", 2)
    });

    one.let_go(clients.0);
    until("one is free", || {
        figures.gauge_is("holdup_workers_held", "", 1)
            && figures.gauge_is("holdup_current_hold_seconds", "GET /one", 0)
            && figures.gauge_is("holdup_requests_open", "", 1)
    });
    assert!(figures.gauge("holdup_current_hold_seconds", "GET /two") > 0.1);
    drop(one);
    until("the other watch is left", || {
        figures.gauge_is("holdup_workers", "", 2)
    });
    two.let_go(clients.1);
    drop(two);
    until("nothing is left", || {
        [
            "holdup_workers",
            "holdup_workers_held",
            "holdup_requests_open",
        ]
        .iter()
        .all(|name| figures.gauge_is(name, "", 0))
            && figures.gauge_is("holdup_current_hold_seconds", "GET /two", 0)
    });
}

#[test]
fn blocked_seconds_grow_while_the_hold_lasts_and_then_are_the_culprits_time() {
    let _alone = alone();
    let (figures, watch) = (installed(), Watch::new().log_level(None));
    // A route with characters that have a meaning elsewhere is counted under its own name.
    let app = Blocking::start(watch.clone(), 1, r"/a<b>/{id:\d+}");
    let route = r"GET /a<b>/{id:\d+}";
    let blocked = || figures.counter("holdup_blocked_seconds_total", route);
    let client = app.ask("/a%3Cb%3E/12");
    until("a second is counted during the hold", || blocked() >= 1);
    assert!(!client.is_finished());
    app.let_go(client);
    for _ in 0..3 {
        app.let_go(app.ask("/a%3Cb%3E/13"));
    }
    let holds = || figures.histogram("holdup_hold_duration_seconds");
    let labels = format!("blocked, {route}, future");
    let is_over = || holds().get(&labels).is_some_and(|all| !all.is_empty());
    until("the hold is over", is_over);

    let recorded = watch.holds();
    let durations = &holds()[&labels];
    assert_eq!(durations.len(), 1, "{recorded:?}");
    assert!((durations[0] - recorded[0].duration.as_secs_f64()).abs() < 0.001);
    let culprits = recorded.iter().flat_map(|hold| &hold.culprits);
    let busy: Duration = culprits.map(|culprit| culprit.busy).sum();
    // It is counted after the hold itself.
    until("the culprits' time is counted", || {
        blocked() == busy.as_secs()
    });
}

#[test]
fn requests_of_more_routes_than_are_told_apart_are_all_counted() {
    const ROUTES: usize = 700;
    let _alone = alone();
    let (figures, watch) = (installed(), Watch::new().log_level(None));
    let served = {
        let watch = watch.clone();
        serve(move || {
            let mut app = App::new();
            for number in 0..ROUTES {
                let answer = async || HttpResponse::Ok().finish();
                app = app.route(&format!("/flood/{number}"), web::get().to(answer));
            }
            app.wrap(watch.clone())
        })
    };
    let mut stream = connect(served.address);
    for number in 0..ROUTES {
        for _ in 0..2 {
            let request = format!("GET /flood/{number} HTTP/1.1\r\nHost: x\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("sent");
            let reply = Reply::read(stream.try_clone().expect("a descriptor"));
            assert_eq!(reply.expect("an answer").body(), "");
        }
    }
    let all = 2 * ROUTES;
    until("all are counted", || of_flood(figures) == all);
    let durations = figures.histogram("holdup_held_up_duration_seconds");
    let flood = durations
        .iter()
        .filter(|(route, _)| route.starts_with("GET /flood/"));
    let (routes, requests) = flood.fold((0, 0), |(routes, requests), (_, samples)| {
        (routes + 1, requests + samples.len())
    });
    assert!(routes <= 512, "{routes}");
    assert_eq!(durations["other routes"].len(), all - requests);

    let times = watch.held_up_times();
    let counted: u64 = times.iter().map(holdup_watch::HeldUpTimes::requests).sum();
    assert_eq!(counted, all as u64);
}

/// How many requests of the flood are in the histogram.
fn of_flood(figures: &Kept) -> usize {
    let durations = figures.histogram("holdup_held_up_duration_seconds");
    let is_it = |route: &str| route.starts_with("GET /flood/") || route == "other routes";
    let of_it = durations.iter().filter(|(route, _)| is_it(route));
    of_it.map(|(_, samples)| samples.len()).sum()
}
