//! `holdup_watch::testing` in the actix test harness, in real time: which apps fail, which pass, and with
//! which message.

use std::cell::Cell;
use std::time::Duration;
use std::{io, thread};

use actix_web::body::BodyStream;
use actix_web::rt::time;
use actix_web::test::init_service;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, Error, HttpRequest, HttpResponse};
use futures_util::{StreamExt as _, stream};
use holdup_model::Failure;
use holdup_testkit::harness::{get, panic_of};
use holdup_verdict::{Delivery, Kind, Reason, delivery};
use holdup_watch::testing::{assert_concurrent, measure, race};
use tokio::sync::Semaphore;

/// How long one request of these tests takes: much longer than the delays of a busy machine.
const WORK: Duration = Duration::from_millis(150);

#[actix_web::test]
async fn a_handler_that_blocks_before_it_answers_is_serialized() {
    #[expect(clippy::disallowed_methods, reason = "blocking is what is tested")]
    async fn blocking() -> HttpResponse {
        thread::sleep(WORK);
        HttpResponse::Ok().body("done")
    }
    let app = init_service(App::new().route("/", web::get().to(blocking))).await;
    let measured = measure(&app, get("/"), 3).await;
    assert_eq!(measured.verdict.kind, Kind::Serialized, "{measured:#?}");
    assert_eq!(measured.verdict.steps, [1, 1, 1]);
    assert_eq!(delivery(&measured.alone[0]), Delivery::Single);
}

#[actix_web::test]
async fn a_pool_of_two_is_limited_to_two_at_a_time() {
    async fn pooled(pool: Data<Semaphore>) -> HttpResponse {
        let _connection = pool.acquire().await;
        time::sleep(WORK).await;
        HttpResponse::Ok().body("done")
    }
    let pool = Data::new(Semaphore::new(2));
    let app = App::new().app_data(pool).route("/", web::get().to(pooled));
    let measured = measure(&init_service(app).await, get("/"), 4).await;
    assert_eq!(measured.verdict.kind, Kind::Limited, "{measured:#?}");
    assert_eq!(measured.verdict.steps, [2, 2]);
}

#[actix_web::test]
async fn an_inconclusive_verdict_fails_too() {
    let app = App::new().route("/", web::get().to(HttpResponse::Ok));
    let app = init_service(app).await;
    for (route, reason) in [("/", "too short to judge"), ("/missing", "got status 404")] {
        let message = panic_of(assert_concurrent(&app, get(route), 4)).await;
        assert!(message.contains("actual: inconclusive\n"), "{message}");
        assert!(message.contains(reason), "{message}");
    }
}

#[actix_web::test]
async fn a_body_that_breaks_off_and_a_handler_that_fails_are_recorded_differently() {
    async fn broken() -> HttpResponse {
        let chunks = [Ok(Bytes::from("half")), Err(io::Error::other("disk gone"))];
        HttpResponse::Ok().body(BodyStream::new(stream::iter(chunks).boxed_local()))
    }
    async fn failing() -> Result<HttpResponse, Error> {
        Err(actix_web::error::ErrorServiceUnavailable("full"))
    }
    let app = App::new()
        .route("/broken", web::get().to(broken))
        .route("/failing", web::get().to(failing));
    let app = init_service(app).await;

    let lanes = race(&app, [get("/broken")(0), get("/failing")(1)])
        .await
        .lanes;
    let broken = Failure::Other("body: disk gone".to_owned());
    assert_eq!((lanes[0].failure(), lanes[0].bytes()), (Some(&broken), 4));
    assert_eq!((lanes[1].failure(), lanes[1].status()), (None, Some(503)));
}

#[actix_web::test]
async fn each_request_is_made_anew_with_a_number_of_its_own() {
    async fn slow() -> HttpResponse {
        time::sleep(Duration::from_millis(20)).await;
        HttpResponse::Ok().finish()
    }
    let app = init_service(App::new().route("/", web::get().to(slow))).await;
    let numbers = Cell::new(Vec::new());
    let request = |number| {
        let mut made = numbers.take();
        made.push(number);
        numbers.set(made);
        get("/")(number)
    };
    let measured = measure(&app, request, 1).await;
    assert_eq!(measured.verdict.reason, Some(Reason::TooFew));
    assert_eq!(numbers.take(), [0, 1, 2, 3]);
    assert_eq!(measured.at_once.lanes[0].label(), "/?x=3");
}

/// Measures a handler whose duration depends on the request's number. Returns the measurement and the
/// number of requests it made.
async fn measured_by_number(takes: fn(usize) -> u64) -> (holdup_watch::testing::Measured, usize) {
    let slow = move |request: HttpRequest| async move {
        let number = request.query_string().strip_prefix("x=");
        let number = number.and_then(|number| number.parse().ok());
        let takes = takes(number.expect("a number"));
        time::sleep(Duration::from_millis(takes)).await;
        HttpResponse::Ok().finish()
    };
    let app = init_service(App::new().route("/", web::get().to(slow))).await;
    let made = Cell::new(0);
    let request = |number| {
        made.set(number + 1);
        get("/")(number)
    };
    let measured = measure(&app, request, 4).await;
    (measured, made.get())
}

/// The most requests that a measurement with four concurrent requests may make.
const MOST: usize = 20 * 4 + 21;

#[actix_web::test]
async fn a_verdict_that_one_pause_could_have_caused_is_measured_again() {
    // Two of the first four concurrent requests are late, as if they had waited; none of the next four is.
    let late = |number| if number == 5 || number == 6 { 300 } else { 150 };
    let (measured, made) = measured_by_number(late).await;
    assert_eq!(measured.verdict.kind, Kind::Concurrent, "{measured:#?}");
    // One warm-up request, two alone and twice four concurrent ones; then two alone and four concurrent ones.
    assert!((17..=MOST).contains(&made), "{made}");
}

#[actix_web::test]
async fn baselines_that_differ_are_measured_again_but_not_forever() {
    let once = |number| if number == 1 { 400 } else { 150 };
    let (measured, made) = measured_by_number(once).await;
    assert_eq!(measured.verdict.kind, Kind::Concurrent, "{measured:#?}");
    assert!((13..=MOST).contains(&made), "{made}");

    let always = |number| if number % 2 == 1 { 400 } else { 150 };
    let (measured, made) = measured_by_number(always).await;
    assert_eq!(measured.verdict.kind, Kind::Inconclusive, "{measured:#?}");
    assert!((61..=MOST).contains(&made), "{made}");
}

#[actix_web::test]
async fn a_certain_verdict_is_not_measured_again() {
    let numbers = Cell::new(0);
    let request = |number| {
        numbers.set(number);
        get("/missing")(number)
    };
    let app = init_service(App::new()).await;
    let measured = measure(&app, request, 4).await;
    assert_eq!(measured.verdict.kind, Kind::Inconclusive, "{measured:#?}");
    assert_eq!(numbers.get(), 6);
}

/// Where requests waited for each other: what the assertion says. The lines are those with the `.await`.
#[cfg(all(
    feature = "stacks",
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod waited {
    use actix_http::Request;
    use actix_web::body::MessageBody;
    use actix_web::dev::{Service, ServiceResponse};
    use holdup_watch::Watch;
    use tokio::sync::Mutex;

    use super::*;

    /// The right moment to look must not be missed on a busy machine.
    const LONG: Duration = Duration::from_millis(400);

    const LOCK: u32 = line!() + 3;
    const LOCKED: u32 = line!() + 4;
    async fn keeps_a_lock(lock: Data<Mutex<u32>>) -> String {
        let mut count = lock.lock().await;
        *count += 1;
        time::sleep(LONG).await;
        count.to_string()
    }

    const ACQUIRE: u32 = line!() + 2;
    async fn needs_a_connection(pool: Data<Semaphore>) -> &'static str {
        let _connection = pool.acquire().await;
        time::sleep(LONG).await;
        "done"
    }

    const SECOND: u32 = line!() + 3;
    async fn locks_after_its_work(lock: Data<Mutex<()>>) -> &'static str {
        time::sleep(LONG).await;
        let _locked = lock.lock().await;
        time::sleep(LONG).await;
        "done"
    }

    const BODY: u32 = line!() + 6;
    async fn locks_in_its_body(lock: Data<Mutex<()>>) -> HttpResponse {
        HttpResponse::Ok().streaming(stream::unfold(Some(lock), |lock| async move {
            let lock = lock?;
            time::sleep(Duration::ZERO).await;
            // The lock is kept until the chunk is there.
            let locked = lock.lock().await;
            time::sleep(LONG).await;
            drop(locked);
            Some((Ok::<_, Error>(Bytes::from("done")), None))
        }))
    }

    /// What the assertion says of the app, and where the requests waited.
    async fn failure<B: MessageBody>(
        app: impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    ) -> String {
        panic_of(assert_concurrent(&app, get("/"), 4)).await
    }

    /// The lines at which they waited, with the last part of the function's name, and how many of those that were
    /// asked waited elsewhere.
    async fn places<B: MessageBody>(
        app: impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    ) -> Vec<(u32, String, usize)> {
        let measured = measure(&app, get("/"), 4).await;
        assert_ne!(measured.verdict.kind, Kind::Concurrent, "{measured:#?}");
        let Some(waited) = &measured.waited else {
            panic!("{measured:#?}");
        };
        let places = waited.waits.iter().map(|wait| {
            let point = wait.point.as_ref().expect("a place");
            let line = point.line.as_ref().and_then(|line| line.line);
            let within = point.within.as_deref().unwrap_or_default();
            let (_, function) = within.rsplit_once("::").unwrap_or_default();
            let elsewhere = waited.asked - wait.requests;
            (line.unwrap_or_default(), function.to_owned(), elsewhere)
        });
        places.collect()
    }

    #[actix_web::test]
    async fn a_lock_that_is_kept_across_an_await_is_named_and_so_is_what_its_holder_waits_for() {
        let lock = Data::new(Mutex::new(0_u32));
        let app = App::new().app_data(lock);
        let app = init_service(app.route("/", web::get().to(keeps_a_lock))).await;
        let message = failure(app).await;
        let told = format!(
            " waited at testing::waited::keeps_a_lock (tests/testing.rs:{LOCK}), in tokio::sync::"
        );
        assert!(message.contains(&told), "{message}");
        let told = format!(
            ".\nThe other one waited at testing::waited::keeps_a_lock (tests/testing.rs:{LOCKED}), \
             in tokio::time::"
        );
        assert!(message.contains(&told), "{message}");
        let remedy = "- If they waited for a lock: drop its guard before the next .await.\n";
        assert!(message.ends_with(remedy), "{message}");
    }

    #[actix_web::test]
    async fn a_timeout_around_it_is_where_only_the_holder_waits_elsewhere() {
        let lock = Data::new(Mutex::new(0_u32));
        let in_time = async |lock| {
            let answer = time::timeout(LONG * 100, keeps_a_lock(lock)).await;
            answer.expect("in time")
        };
        let app = App::new().app_data(lock);
        let app = init_service(app.route("/", web::get().to(in_time))).await;
        let message = failure(app).await;
        let told =
            format!(" waited at testing::waited::keeps_a_lock (tests/testing.rs:{LOCK}), in ");
        assert!(message.contains(&told), "{message}");
        let others: Vec<_> = message
            .lines()
            .filter(|line| line.contains("other"))
            .collect();
        let [other] = others[..] else {
            panic!("{message}")
        };
        assert!(other.starts_with("The other one waited at "), "{message}");
        assert!(other.contains(" and at "), "{message}");
        assert!(
            other.contains(&format!("tests/testing.rs:{LOCKED}")),
            "{message}"
        );
    }

    #[actix_web::test]
    async fn it_is_found_behind_a_watch_too() {
        let (lock, watch) = (Data::new(Mutex::new(0_u32)), Watch::new());
        let app = App::new().app_data(lock).wrap(watch.clone());
        let app = init_service(app.route("/", web::get().to(keeps_a_lock))).await;
        let places = places(app).await;
        assert_eq!(places[0], (LOCK, "lock".to_owned(), 1));
        assert_eq!(places[1].0, LOCKED);
        watch.assert_no_holds();
    }

    #[actix_web::test]
    async fn a_pool_of_two_leaves_two_waiting() {
        let pool = Data::new(Semaphore::new(2));
        let app = App::new().app_data(pool);
        let app = init_service(app.route("/", web::get().to(needs_a_connection))).await;
        let places = places(app).await;
        assert_eq!(places[0], (ACQUIRE, "acquire".to_owned(), 2));
        assert_eq!((places[1].0, places[1].2), (ACQUIRE + 1, 2));
    }

    #[actix_web::test]
    async fn a_lock_after_other_work_is_found_by_a_later_look() {
        let lock = Data::new(Mutex::new(()));
        let app = App::new().app_data(lock);
        let app = init_service(app.route("/", web::get().to(locks_after_its_work))).await;
        let places = places(app).await;
        assert_eq!(places[0], (SECOND, "lock".to_owned(), 1));
    }

    #[actix_web::test]
    async fn a_body_that_waits_is_found() {
        let lock = Data::new(Mutex::new(()));
        let app = App::new().app_data(lock);
        let app = init_service(app.route("/", web::get().to(locks_in_its_body))).await;
        let places = places(app).await;
        assert_eq!(places[0], (BODY, "lock".to_owned(), 1));
    }

    #[actix_web::test]
    async fn of_handlers_that_block_it_is_not_said_that_they_wait() {
        #[expect(clippy::disallowed_methods, reason = "blocking is what is tested")]
        async fn blocking() -> &'static str {
            time::sleep(Duration::from_millis(1)).await;
            thread::sleep(LONG);
            "done"
        }
        let app = init_service(App::new().route("/", web::get().to(blocking))).await;
        let message = failure(app).await;
        assert!(!message.contains("after they were sent"), "{message}");
        assert!(message.contains("web::block"), "{message}");
    }

    #[actix_web::test]
    async fn of_handlers_that_run_at_the_same_time_nothing_is_said() {
        async fn sleeps() -> &'static str {
            time::sleep(LONG).await;
            "done"
        }
        let app = App::new().route("/", web::get().to(sleeps));
        let measured = measure(&init_service(app).await, get("/"), 4).await;
        assert_eq!(measured.verdict.kind, Kind::Concurrent, "{measured:#?}");
        assert!(measured.waited.is_none(), "{measured:#?}");
    }
}
