//! In the actix test harness, where the app runs on the test's own thread.

use super::*;

#[actix_web::test]
async fn the_size_of_a_body_is_unchanged() {
    let watch = Watch::new();
    let app = App::new()
        .wrap(watch.clone())
        .route("/", web::get().to(async || "four"));
    let app = actix_web::test::init_service(app).await;
    for listening in [false, true] {
        let _events = listening.then(|| watch.subscribe());
        let request = actix_web::test::TestRequest::get().to_request();
        let response = app.call(request).await.expect("an answer");
        assert_eq!(response.response().body().size(), BodySize::Sized(4));
        assert_eq!(actix_web::test::read_body(response).await, "four");
    }
    watch.assert_no_holds();
}

#[actix_web::test]
async fn a_hold_in_the_harness_fails_the_test_within_the_same_loop_iteration() {
    let watch = Watch::new();
    let app = App::new()
        .wrap(watch.clone())
        .route("/drop/{id}", web::get().to(in_a_drop));
    let app = actix_web::test::init_service(app).await;
    let request = actix_web::test::TestRequest::get()
        .uri("/drop/1")
        .to_request();
    actix_web::test::call_service(&app, request).await;
    let message = failure(&watch);
    assert!(message.contains("GET /drop/{id} (future, "), "{message}");
    assert!(message.contains("web::block"), "{message}");
}

#[cfg(feature = "stacks")]
#[actix_web::test]
async fn a_failure_has_the_stack_of_the_blocking_call() {
    let watch = Watch::new();
    let blocks = async || {
        // Long enough for a sample even on a busy machine.
        pause(LONG * 6);
        "done"
    };
    let app = App::new().route("/", web::get().to(blocks));
    let app = actix_web::test::init_service(app.wrap(watch.clone())).await;
    let request = actix_web::test::TestRequest::get().to_request();
    actix_web::test::call_service(&app, request).await;
    let message = failure(&watch);
    let holds = watch.holds();
    // On a busy machine, the test itself may cause another hold before its request.
    let hold = holds.iter().find(|hold| !hold.culprits.is_empty());
    let hold = hold.expect("the handler's");
    assert_eq!(hold.activity, Some(Activity::Sleeping), "{message}");
    assert_eq!(hold.lines[0].function, "holdup_testkit::pause");
    assert_eq!(hold.lines[0].called.as_deref(), Some("std::thread::sleep"));
    let stack: Vec<_> = message
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    let position = |start: &str| stack.iter().position(|line| line.starts_with(start));
    let sleep = position("std::thread::sleep").expect("the call");
    let own = position("holdup_testkit::pause (");
    assert_eq!(own, Some(sleep + 1), "{message}");
    let file = "/holdup-testkit/src/lib.rs:";
    assert!(stack[sleep + 1].contains(file), "{message}");
    // The stack ends at the wrapped service: the test itself is not part of it.
    let handler = "watch::harness::a_failure_has_the_stack_of_the_blocking_call (tests/watch/";
    assert_eq!(position(handler), Some(sleep + 2), "{message}");
    assert_eq!(stack.len(), sleep + 3, "{message}");
}

/// An app whose only route blocks for less than the threshold.
fn a_while() -> App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let handler = async || {
        pause(Duration::from_millis(12));
        "done"
    };
    App::new().route("/while", web::get().to(handler))
}

#[actix_web::test]
async fn a_test_that_blocks_between_requests_is_no_hold_of_the_app() {
    let watch = Watch::new();
    let app = actix_web::test::init_service(a_while().wrap(watch.clone())).await;
    for _ in 0..10 {
        let request = actix_web::test::TestRequest::get()
            .uri("/while")
            .to_request();
        actix_web::test::call_service(&app, request).await;
    }
    pause(LONG);
    let request = actix_web::test::TestRequest::get()
        .uri("/while")
        .to_request();
    actix_web::test::call_service(&app, request).await;
    watch.assert_no_holds();
    rt::time::sleep(Duration::from_millis(50)).await;
    watch.assert_no_holds();
}

#[test]
fn an_app_that_outlives_its_loop_is_no_held_worker_and_the_next_one_is_watched() {
    let watch = Watch::new();
    let first =
        rt::System::new().block_on(actix_web::test::init_service(a_while().wrap(watch.clone())));
    pause(LONG);
    assert_eq!(watch.held_now(), []);

    let blocks = async || {
        block();
        "done"
    };
    rt::System::new().block_on(async {
        let app = App::new().route("/", web::get().to(blocks));
        let app = actix_web::test::init_service(app.wrap(watch.clone())).await;
        let request = actix_web::test::TestRequest::get().to_request();
        actix_web::test::call_service(&app, request).await;
        // The loop runs an iteration.
        rt::time::sleep(Duration::from_millis(50)).await;
    });
    // On a busy machine, the test itself may cause another hold before its request.
    let holds = holds(&watch, 1);
    let culprit = holds.iter().find_map(|hold| hold.culprits.first());
    assert_culprit(culprit.expect("the handler"), "/", Part::Future);
    drop(first);
}
