//! What other threads are told of open requests, on a loop of tokio's.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use holdup_detect::{Detector, Request, Route, Worker};
use holdup_model::{OpenRequest, Part, RequestState};
use tokio::task::{LocalSet, spawn_local, yield_now};

/// Runs a worker's loop until `run` has ended.
fn on_worker<F: Future>(detector: &Detector, run: impl FnOnce(Rc<Worker>) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let runtime = runtime.expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let worker = detector.worker(|task| drop(spawn_local(task)));
        run(worker).await
    })
}

fn route(worker: &Worker) -> NonZeroU32 {
    let (method, pattern) = ("GET", "/".to_owned());
    worker.route_number(Route { method, pattern })
}

fn open(worker: &Rc<Worker>) -> Request {
    Request::open(worker, route(worker), |_| ("/", None))
}

/// Polls a request once, with what its future or body returns.
fn poll(request: &Request, part: Part, result: Poll<()>) {
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(request.poll(part, &mut context, |_| result), result);
}

fn state(requests: &[OpenRequest]) -> &'static str {
    match requests {
        [] => "none",
        [request] => match request.state {
            RequestState::Running { .. } => "running",
            RequestState::Woken { .. } => "woken",
            RequestState::Waiting { .. } => "waiting",
            RequestState::Sending { .. } => "sending",
            _ => "unknown",
        },
        _ => "several",
    }
}

#[test]
fn a_request_is_listed_from_its_beginning_to_its_end() {
    let detector = Detector::new();
    on_worker(&detector, async |worker| {
        let now = || state(&detector.requests());
        assert_eq!(now(), "none");
        let request = open(&worker);
        assert_eq!(now(), "woken");
        let call = request.enter(Part::Call);
        assert_eq!(now(), "running");
        drop(call);
        // Its future was not polled yet.
        assert_eq!(now(), "woken");
        let mut kept = None;
        let mut context = Context::from_waker(Waker::noop());
        let polled = request.poll(Part::Future, &mut context, |context| {
            assert_eq!(now(), "running");
            kept = Some(context.waker().clone());
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        assert_eq!(now(), "waiting");
        kept.iter().for_each(Waker::wake_by_ref);
        assert_eq!(now(), "woken");
        poll(&request, Part::Future, Poll::Ready(()));
        assert_eq!(now(), "sending");
        poll(&request, Part::Body, Poll::Pending);
        assert_eq!(now(), "waiting");
        // A poll that panics.
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            request.poll::<()>(Part::Body, &mut Context::from_waker(Waker::noop()), |_| {
                std::panic::panic_any("on purpose")
            })
        }));
        assert!(caught.is_err());
        drop(request);
        assert_eq!(now(), "none");
        // A waker that outlives its request changes nothing for the next one.
        let next = open(&worker);
        poll(&next, Part::Future, Poll::Pending);
        kept.iter().for_each(Waker::wake_by_ref);
        assert_eq!(now(), "waiting");
    });
}

#[test]
fn the_oldest_requests_come_first() {
    let detector = Detector::new();
    on_worker(&detector, async |worker| {
        let mut requests: Vec<_> = (0..300).map(|_| open(&worker)).collect();
        // Seats are used again in another order.
        for n in [250, 120, 7] {
            requests.remove(n);
            requests.push(open(&worker));
        }
        let listed = detector.requests();
        assert!(listed.is_sorted_by_key(|request| request.number));
        assert_eq!(listed.len(), 300);
    });
}

/// A future that is never ready, and counts how often it is polled.
fn never(polls: &Arc<AtomicU32>) -> impl Future<Output = ()> + use<> {
    let (polls, mut waker) = (Arc::clone(polls), None);
    poll_fn(move |context| {
        polls.fetch_add(1, Ordering::Relaxed);
        drop(waker.replace(context.waker().clone()));
        Poll::Pending
    })
}

async fn poll_as_request(request: Request, mut future: Pin<Box<dyn Future<Output = ()>>>) {
    poll_fn(|context| {
        request.poll(Part::Future, context, |context| {
            future.as_mut().poll(context)
        })
    })
    .await;
}

/// Has a worker with this many requests that wait, each a task of its own, and calls `look` on another thread.
fn with_waiting<T: Send + 'static>(
    count: u32,
    look: impl FnOnce(&Detector, &AtomicU32) -> T + Send + 'static,
) -> T {
    let (detector, polls) = (Detector::new(), Arc::<AtomicU32>::default());
    on_worker(&detector, async |worker| {
        for _ in 0..count {
            spawn_local(poll_as_request(open(&worker), Box::pin(never(&polls))));
        }
        while polls.load(Ordering::Relaxed) < count {
            yield_now().await;
        }
        let other = thread::spawn({
            let (detector, polls) = (detector.clone(), Arc::clone(&polls));
            move || look(&detector, &polls)
        });
        while !other.is_finished() {
            yield_now().await;
        }
        other.join().expect("it looks")
    })
}

/// Looks until so many polls have been made. On a busy machine, a worker that does not get a core is not waited for.
fn look_until(detector: &Detector, polls: &AtomicU32, count: u32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while polls.load(Ordering::Relaxed) < count {
        assert!(Instant::now() < deadline, "{polls:?}");
        detector.requests();
    }
}

#[test]
fn no_more_than_256_requests_are_woken_in_a_second() {
    const OPEN: u32 = 1000;
    with_waiting(OPEN, |detector, polls| {
        let started = Instant::now();
        look_until(detector, polls, OPEN + 256);
        for _ in 0..10 {
            assert_eq!(detector.requests().len(), OPEN as usize);
        }
        let woken = polls.load(Ordering::Relaxed) - OPEN;
        // On a slow machine, some seconds may have passed.
        let seconds = u32::try_from(started.elapsed().as_secs()).expect("not that many");
        assert!(woken <= 256 * (seconds + 1), "{woken} in {seconds} s");
    });
}

#[test]
fn a_request_is_asked_once_for_as_long_as_it_waits() {
    with_waiting(50, |detector, polls| {
        look_until(detector, polls, 100);
        for _ in 0..10 {
            detector.requests();
        }
        assert_eq!(polls.load(Ordering::Relaxed), 100);
    });
}

/// A middleware that does not poll the request, as one that waits for something itself.
#[test]
fn a_request_that_is_not_polled_costs_the_waiting_time_once() {
    let detector = Detector::new();
    on_worker(&detector, async |worker| {
        let request = open(&worker);
        poll(&request, Part::Future, Poll::Pending);
        let (tell, told) = mpsc::channel();
        let other = thread::spawn({
            let detector = detector.clone();
            move || {
                for _ in 0..8 {
                    let started = Instant::now();
                    assert_eq!(state(&detector.requests()), "waiting");
                    tell.send(started.elapsed()).expect("it is received");
                }
            }
        });
        while !other.is_finished() {
            yield_now().await;
        }
        let took: Vec<_> = told.try_iter().collect();
        // The first call waits for a tenth of a second, unless a busy machine does not run the worker. One of the
        // others is not disturbed, even on a busy machine.
        let fastest = took[1..].iter().min();
        assert!(fastest < Some(&Duration::from_millis(50)), "{took:?}");
        // It answers when it is polled, and is asked again when it was polled once more.
        poll(&request, Part::Future, Poll::Pending);
    });
}

#[test]
fn a_request_that_ends_while_it_is_asked_is_not_waited_for() {
    let detector = Detector::new();
    on_worker(&detector, async |worker| {
        // Not all of the calls meet the end of a request.
        for _ in 0..20 {
            let request = open(&worker);
            poll(&request, Part::Future, Poll::Pending);
            let other = thread::spawn({
                let detector = detector.clone();
                move || detector.requests().len()
            });
            yield_now().await;
            drop(request);
            while !other.is_finished() {
                yield_now().await;
            }
            assert!(other.join().expect("it looks") <= 1);
        }
        assert_eq!(state(&detector.requests()), "none");
    });
}

/// A request that was opened by itself, and is polled by another one.
#[test]
fn a_request_that_another_one_polls_is_polled_as_often_as_it_is_woken() {
    let detector = Detector::new();
    on_worker(&detector, async |worker| {
        let polls = Arc::<AtomicU32>::default();
        let inner = poll_as_request(open(&worker), Box::pin(never(&polls)));
        let task = spawn_local(poll_as_request(open(&worker), Box::pin(inner)));
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        let both = detector.look().await;
        assert!(
            both.iter()
                .all(|request| matches!(request.state, RequestState::Waiting { .. })),
            "{both:?}"
        );
        for _ in 0..100 {
            yield_now().await;
        }
        // Once for each of the two.
        let polls = polls.load(Ordering::Relaxed);
        assert!((2..=3).contains(&polls), "{polls}");
        task.abort();
    });
}

#[test]
fn all_of_many_requests_are_asked_by_a_test() {
    let (detector, polls) = (Detector::new(), Arc::<AtomicU32>::default());
    on_worker(&detector, async |worker| {
        for _ in 0..3000 {
            spawn_local(poll_as_request(open(&worker), Box::pin(never(&polls))));
        }
        while polls.load(Ordering::Relaxed) < 3000 {
            yield_now().await;
        }
        assert_eq!(detector.look().await.len(), 3000);
        assert_eq!(polls.load(Ordering::Relaxed), 6000);
    });
}

/// The CPU time of the calling thread.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[test]
#[ignore = "a figure: on a machine with nothing else to do, in a release build"]
fn ten_thousand_requests_are_listed_within_50_ms_while_every_worker_is_held() {
    const WORKERS: usize = 2;
    const EACH: usize = 5000;
    let (detector, gate) = (Detector::new(), Mutex::new(()));
    let closed = gate.lock().expect("nobody panics with it");
    let (tell, told) = mpsc::channel();
    let hold = || {
        let polls = Arc::<AtomicU32>::default();
        on_worker(&detector, async |worker| {
            for _ in 0..EACH {
                spawn_local(poll_as_request(open(&worker), Box::pin(never(&polls))));
            }
            while polls.load(Ordering::Relaxed) < 5000 {
                yield_now().await;
            }
            let holds = open(&worker);
            let poll = holds.enter(Part::Future);
            tell.send(()).expect("it is received");
            drop(gate.lock());
            drop(poll);
        });
    };
    let mut took: Vec<_> = thread::scope(|scope| {
        let threads = [(); WORKERS].map(|()| scope.spawn(hold));
        threads
            .iter()
            .for_each(|_| told.recv().expect("it is sent"));
        while detector.held_now().len() < WORKERS {
            thread::yield_now();
        }
        let call = |_| {
            let (started, cpu) = (Instant::now(), own_cpu());
            let listed = detector.requests();
            let took = (started.elapsed(), own_cpu() - cpu);
            assert_eq!(listed.len(), WORKERS * (EACH + 1));
            took
        };
        let took = (0..20).map(call).collect();
        drop(closed);
        took
    });
    took.sort_unstable();
    let (shortest, median, longest) = (took[0].0, took[took.len() / 2].0, took[took.len() - 1].0);
    let cpu = took.iter().map(|&(_, cpu)| cpu).max().unwrap_or_default();
    println!(
        "10,002 open, both workers held: {shortest:.1?} to {longest:.1?}, median {median:.1?}; \
         CPU time at most {cpu:.1?}"
    );
    assert!(longest < Duration::from_millis(50), "{took:?}");
}
