//! In the actix test harness: code that is no watched request blocks the test's thread, while a request
//! waits and while none does.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use actix::{Actor, Addr, Context, Handler, Message, MessageResult};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

use super::*;

/// An actor whose handler blocks, such as one that writes to a database.
struct Chat;

struct Say;

impl Message for Say {
    type Result = &'static str;
}

impl Actor for Chat {
    type Context = Context<Self>;
}

impl Handler<Say> for Chat {
    type Result = MessageResult<Say>;

    fn handle(&mut self, _: Say, _: &mut Self::Context) -> Self::Result {
        block();
        MessageResult("said")
    }
}

async fn asks_an_actor(chat: web::Data<Addr<Chat>>) -> impl Responder {
    chat.send(Say).await.expect("the actor lives")
}

async fn awaits_a_local_task() -> impl Responder {
    let (done, awaited) = oneshot::channel();
    rt::spawn(async {
        block();
        done.send("done").expect("the handler waits");
    });
    awaited.await.expect("it is sent")
}

/// Libraries spawn such tasks. They may run on any thread; here, they run on the test's.
async fn awaits_a_task_of_the_runtime() -> impl Responder {
    tokio::spawn(async { block() }).await.expect("it ends");
    "done"
}

/// The handler's own work is shorter than the threshold.
async fn computes_a_little_and_awaits_a_task() -> impl Responder {
    let task = rt::spawn(async { block() });
    pause(Duration::from_millis(30));
    task.await.expect("it ends");
    "done"
}

/// The handler is polled between two blocking tasks, which are a hold only together.
async fn awaits_two_tasks() -> impl Responder {
    let half = || rt::spawn(async { pause(LONG / 2) });
    let tasks = [half(), half()];
    pause(Duration::from_millis(30));
    join_all(tasks).await;
    "done"
}

async fn streams_what_a_task_sends() -> impl Responder {
    let (send, mut lines) = mpsc::channel::<Bytes>(1);
    rt::spawn(async move {
        send.send(Bytes::from_static(b"first")).await.ok();
        rt::time::sleep(Duration::from_millis(5)).await;
        block();
        send.send(Bytes::from_static(b"second")).await.ok();
    });
    HttpResponse::Ok().streaming(stream! {
        while let Some(line) = lines.recv().await {
            yield Ok::<_, actix_web::Error>(line);
        }
    })
}

async fn waits_a_little() -> impl Responder {
    rt::time::sleep(Duration::from_millis(20)).await;
    "done"
}

async fn streams_two() -> impl Responder {
    HttpResponse::Ok().streaming(stream! {
        yield Ok::<_, actix_web::Error>(Bytes::from_static(b"first"));
        rt::time::sleep(Duration::from_millis(5)).await;
        yield Ok(Bytes::from_static(b"second"));
    })
}

/// The app in the harness, wrapped by the watch.
macro_rules! app {
    ($watch:expr) => {
        init_service(
            App::new()
                .app_data(web::Data::new(Chat.start()))
                .route("/actor", web::get().to(asks_an_actor))
                .route("/local", web::get().to(awaits_a_local_task))
                .route("/runtime", web::get().to(awaits_a_task_of_the_runtime))
                .route(
                    "/little",
                    web::get().to(computes_a_little_and_awaits_a_task),
                )
                .route("/two", web::get().to(awaits_two_tasks))
                .route("/stream", web::get().to(streams_what_a_task_sends))
                .route("/wait", web::get().to(waits_a_little))
                .route("/chunks", web::get().to(streams_two))
                .route("/healthy", web::get().to(healthy))
                .wrap($watch.clone()),
        )
        .await
    };
}

fn request(path: &str) -> actix_http::Request {
    TestRequest::with_uri(path).to_request()
}

#[actix_web::test]
async fn a_task_that_blocks_while_a_handler_awaits_it_fails_the_test() {
    for path in ["/actor", "/local", "/runtime", "/little", "/two", "/stream"] {
        let watch = Watch::new();
        let app = app!(watch);
        let response = call_service(&app, request(path)).await;
        read_body(response).await;
        let message = failure(&watch);
        let expected = "\n  something outside the watched requests held worker 0 for ";
        assert!(message.contains(expected), "{path}: {message}");
        assert!(message.contains("a spawned task, an actor"), "{message}");
        assert!(message.contains(", 1 other request open"), "{message}");
    }
}

#[actix_web::test]
async fn it_fails_also_when_another_request_waits_and_when_requests_are_tasks() {
    let watch = Watch::new();
    let app = app!(watch);
    let fire_and_forget = async {
        rt::time::sleep(Duration::from_millis(5)).await;
        rt::spawn(async { block() });
    };
    let mut waits = pin!(call_service(&app, request("/healthy")));
    let (response, ()) = tokio::join!(waits.as_mut(), fire_and_forget);
    assert_eq!(response.status(), 200);
    failure(&watch);

    let watch = Watch::new();
    let app = app!(watch);
    let waits = rt::spawn(call_service_of(app, "/healthy"));
    rt::time::sleep(Duration::from_millis(5)).await;
    rt::spawn(async { block() }).await.expect("it ends");
    waits.await.expect("it ends");
    failure(&watch);
}

async fn call_service_of<S, B>(app: S, path: &str) -> actix_web::dev::ServiceResponse<B>
where
    S: Service<
            actix_http::Request,
            Response = actix_web::dev::ServiceResponse<B>,
            Error = actix_web::Error,
        >,
    B: MessageBody,
{
    call_service(&app, request(path)).await
}

#[cfg(feature = "stacks")]
#[actix_web::test]
async fn its_line_is_named() {
    let watch = Watch::new();
    let app = init_service(
        App::new()
            .route(
                "/task",
                web::get().to(async || {
                    rt::spawn(async { pause(LONG * 6) }).await.expect("it ends");
                    "done"
                }),
            )
            .wrap(watch.clone()),
    )
    .await;
    call_service(&app, request("/task")).await;
    let message = failure(&watch);
    let line = ", at holdup_testkit::pause (";
    assert!(message.contains("something outside"), "{message}");
    assert!(message.contains(line), "{message}");
    let file = "/holdup-testkit/src/lib.rs:";
    assert!(message.contains(file), "{message}");
    assert!(message.contains(", in std::thread::sleep"), "{message}");
    let here = "watch::outside::its_line_is_named";
    assert!(message.contains(here), "its stack leads here: {message}");
}

#[actix_web::test]
async fn a_test_that_blocks_while_no_request_waits_passes() {
    let watch = Watch::new();
    let app = app!(watch);
    block();
    call_service(&app, request("/wait")).await;
    block();
    // The loop runs an iteration.
    rt::time::sleep(Duration::from_millis(30)).await;
    // Called, and not asked for an answer.
    let asked = app.call(request("/wait"));
    block();
    asked.await.expect("an answer");
    // The test reads this stream slowly, although more of it may be ready.
    let response = call_service(&app, request("/chunks")).await;
    block();
    let mut body = pin!(response.into_body());
    for _ in 0..2 {
        let chunk = poll_fn(|cx| body.as_mut().poll_next(cx)).await;
        chunk.expect("a chunk").expect("no error");
        block();
        rt::time::sleep(Duration::from_millis(30)).await;
    }
    // A request that is given up waits for nothing.
    {
        let mut given_up = pin!(app.call(request("/wait")));
        poll_fn(|cx| {
            assert!(given_up.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    block();
    rt::time::sleep(Duration::from_millis(30)).await;
    watch.assert_no_holds();
}

#[actix_web::test]
async fn a_watch_on_a_server_and_in_the_harness_tells_the_two_apart() {
    let watch = Watch::new();
    let app = app!(watch);
    let served = {
        let watch = watch.clone();
        serve(move || {
            App::new()
                .route("/spawned", web::get().to(in_a_spawned_task))
                .wrap(watch.clone())
        })
    };
    call_service(&app, request("/wait")).await;
    // The watch's heartbeat must run on the worker before the task does.
    get(served.address, "/none");
    get(served.address, "/spawned");
    // The test waits for the server's, and blocks its own thread by it.
    holds(&watch, 1);
    while !watch.holds().iter().any(|hold| hold.worker != 0) {
        pause(Duration::from_millis(5));
    }
    let message = failure(&watch);
    assert!(message.contains(" worker 1 "), "{message}");
    assert!(!message.contains(" worker 0 "), "{message}");
}
