//! Ten thousand requests of all kinds on several workers: every sum of what they lost is the same.

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::AtomicU64;

use holdup_detect::{Detector, Spawner};
use holdup_testkit::app::serve_on;
use holdup_testkit::client::Reply;
use holdup_watch::{Spent, Victim};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::*;

/// Clients, and how many requests each sends.
const CLIENTS: usize = 40;
const EACH: usize = 250;

/// A recorder that keeps counters: their values by name and labels.
#[derive(Default, Clone)]
struct Counters(Arc<Mutex<HashMap<Key, Arc<AtomicU64>>>>);

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.0.lock().expect("nobody panics with it");
        let counter = counters.entry(key.clone()).or_default();
        Counter::from_arc(Arc::clone(counter))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl Counters {
    /// The lost seconds, by route and by whom.
    fn held_up(&self) -> HashMap<(String, String), u64> {
        let counters = self.0.lock().expect("nobody panics with it");
        let held_up = counters
            .iter()
            .filter(|(key, _)| key.name() == "holdup_held_up_seconds_total");
        let labelled = held_up.map(|(key, counter)| {
            let label = |name: &str| {
                let label = key.labels().find(|label| label.key() == name);
                label.expect("the label").value().to_owned()
            };
            let seconds = counter.load(Ordering::Relaxed);
            ((label("route"), label("by")), seconds)
        });
        labelled.collect()
    }
}

/// A watch whose figures go to these counters.
fn watch(counters: &Counters) -> Watch {
    let counters = counters.clone();
    let spawner: Spawner = Arc::new(move |name, run| {
        let counters = counters.clone();
        let run = move || metrics::with_local_recorder(&counters, run);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(thread.thread().clone())
    });
    Watch::from(Detector::with_spawner(spawner)).log_level(None)
}

/// Handlers that sleep, block, wait for a lock, work in pieces, stream, and are told by another thread.
fn mixed_app(watch: &Watch) -> Served {
    let (watch, lock) = (watch.clone(), Arc::new(tokio::sync::Mutex::new(())));
    serve_on(3, move || {
        let lock = web::Data::from(Arc::clone(&lock));
        let sleeps = async || {
            rt::time::sleep(Duration::from_millis(3)).await;
            "done"
        };
        let blocks = async || {
            pause(Duration::from_millis(110));
            "done"
        };
        let locks = async |lock: web::Data<tokio::sync::Mutex<()>>| {
            let _locked = lock.lock().await;
            rt::time::sleep(Duration::from_millis(1)).await;
            "done"
        };
        let pieces = async || {
            for _ in 0..4 {
                pause(Duration::from_millis(5));
                tokio::task::yield_now().await;
            }
            "done"
        };
        let streams = async || {
            HttpResponse::Ok().streaming(stream! {
                for _ in 0..3 {
                    rt::time::sleep(Duration::from_millis(2)).await;
                    yield Ok::<_, actix_web::Error>(Bytes::from_static(b"chunk"));
                }
            })
        };
        let pool = async || web::block(|| "done").await.expect("it runs");
        App::new()
            .app_data(lock)
            .route("/sleeps", web::get().to(sleeps))
            .route("/blocks", web::get().to(blocks))
            .route("/locks", web::get().to(locks))
            .route("/pieces", web::get().to(pieces))
            .route("/streams", web::get().to(streams))
            .route("/pool", web::get().to(pool))
            .wrap(watch.clone())
    })
}

/// Sends a client's requests one after the other, on connections that it keeps. Some it gives up.
fn client(address: std::net::SocketAddr, client: usize) {
    let mut stream = connect(address);
    for number in 0..EACH {
        let kind = client * 7 + number;
        let path = match kind % 10 {
            _ if kind.is_multiple_of(211) => "/blocks",
            0 | 1 => "/streams",
            2 => "/locks",
            3 => "/pool",
            4 if kind.is_multiple_of(3) => "/pieces",
            _ => "/sleeps",
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        if kind.is_multiple_of(23) {
            // It leaves before the answer has come.
            stream = connect(address);
            continue;
        }
        let same = stream.try_clone().expect("a descriptor");
        let reply = Reply::read(same).expect("an answer");
        assert_eq!(reply.status, 200, "{path}");
        drop(reply.rest());
    }
    // The last answer may be one that was given up. The server then closes the connection.
    stream.shutdown(std::net::Shutdown::Write).ok();
    stream.read_to_end(&mut Vec::new()).ok();
}

#[test]
fn the_sums_of_what_ten_thousand_requests_lost_are_the_same_everywhere() {
    let counters = Counters::default();
    let watch = watch(&counters);
    let mut events = watch.subscribe();
    events.want_chunks(false);
    let served = mixed_app(&watch);
    let address = served.address;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| thread::spawn(move || client(address, number)))
        .collect();

    let (mut opened, mut ended) = (HashMap::new(), Vec::<(Duration, Spent)>::new());
    let deadline = Instant::now() + PATIENCE * 3;
    let all = CLIENTS * EACH;
    let mut sent = false;
    while !sent || !opened.is_empty() {
        match events.try_next() {
            Some(Event::Opened { lane, at, .. }) => drop(opened.insert(lane, at)),
            Some(Event::Ended {
                lane, at, spent, ..
            }) => {
                let opened = opened.remove(&lane).expect("it was opened");
                ended.push((at.saturating_sub(opened), spent));
            }
            Some(Event::Lost { events }) => panic!("{events} events are lost"),
            Some(_) => {}
            None => {
                sent = clients.iter().all(thread::JoinHandle::is_finished);
                pause(Duration::from_millis(1));
            }
        }
        assert!(Instant::now() < deadline, "{} of {all} ended", ended.len());
    }
    for client in clients {
        client.join().expect("it gets its answers");
    }
    // Of those that were given up, the server may not have read some.
    assert!(
        ended.len() <= all && ended.len() * 10 >= all * 9,
        "{}",
        ended.len()
    );

    let mut lost = Duration::ZERO;
    for (age, spent) in &ended {
        assert_eq!(
            spent.running + spent.waiting + spent.held_up,
            *age,
            "{spent:?}"
        );
        let by: Duration = spent.by.iter().map(|blame| blame.held_up).sum();
        assert_eq!(by, spent.held_up, "{spent:?}");
        lost += by;
    }
    let sum = |victims: &[Victim]| -> Duration { victims.iter().map(|one| one.held_up).sum() };
    let mut victims = watch.victims();
    while sum(&victims) < lost && Instant::now() < deadline {
        pause(Duration::from_millis(5));
        victims = watch.victims();
    }
    assert_eq!(sum(&victims), lost, "{victims:?}");
    assert!(
        lost >= Duration::from_secs(5),
        "hardly anybody was held up: {lost:?}"
    );
    for victim in &victims {
        assert!(victim.longest <= victim.held_up, "{victim}");
        assert!(victim.held_up <= victim.longest * u32::try_from(victim.requests).expect("few"));
    }

    // The counters have whole seconds; the fractions are carried.
    let expected: HashMap<_, _> = victims
        .iter()
        .map(|victim| {
            let by = victim.by.as_ref();
            let by = by.map_or_else(|| "unattributed".to_owned(), ToString::to_string);
            ((victim.route.to_string(), by), victim.held_up.as_secs())
        })
        .collect();
    while counters.held_up() != expected && Instant::now() < deadline {
        pause(Duration::from_millis(5));
    }
    assert_eq!(counters.held_up(), expected);
    println!(
        "{} requests lost {lost:?} to {} pairs; in the metric: {} s",
        ended.len(),
        victims.len(),
        expected.values().sum::<u64>()
    );
}
