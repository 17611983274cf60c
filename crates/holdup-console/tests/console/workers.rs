//! The strips of an app with several workers show which of them are held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use holdup_testkit::app::{Served, serve_on};
use holdup_testkit::browser::{Browser, Kind};
use holdup_testkit::pause;
use holdup_testkit::workers::Connection;
use holdup_watch::Watch;

use super::*;

/// An app whose handler blocks until the test releases it.
fn app(watch: &Watch, let_go: &Arc<AtomicBool>, workers: usize) -> Served {
    let (watch, let_go) = (watch.clone(), Arc::clone(let_go));
    serve_on(workers, move || {
        let number = watch.worker();
        let block = async |let_go: Data<AtomicBool>| {
            let deadline = Instant::now() + PATIENCE;
            while !let_go.load(Ordering::Relaxed) && Instant::now() < deadline {
                pause(Duration::from_millis(10));
            }
            HttpResponse::Ok().body("done")
        };
        App::new()
            .app_data(Data::from(Arc::clone(&let_go)))
            .route(
                "/number",
                web::get().to(move || async move { number.to_string() }),
            )
            .route("/block", web::get().to(block))
            .wrap(watch.clone())
    })
}

/// The numbers of all workers, and of those that a blocking request holds.
fn workers(state: &Value) -> (Vec<u64>, Vec<u64>) {
    let number = |worker: &Value| worker["worker"].as_u64().expect("a number");
    let all = state["workers"].as_array().expect("a list");
    let is_blocked = |worker: &&Value| worker["held"]["culprits"][0]["route"] == "/block";
    let held = all.iter().filter(is_blocked);
    (all.iter().map(number).collect(), held.map(number).collect())
}

async fn each_held_worker_is_shown(count: usize, held: &[u64]) {
    let (watch, let_go) = (Watch::new(), Arc::default());
    let served = app(&watch, &let_go, count);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0")
        .start()
        .expect("a console");
    let browser = Browser::start(Kind::Chromium).await;
    browser
        .goto(&format!("http://{}/", console.address()))
        .await;
    let connections = Connection::to_each(served.address, count);
    let is_held = |worker: usize| held.contains(&(worker as u64));
    let (blocked, mut free): (Vec<_>, Vec<_>) = connections
        .into_iter()
        .partition(|connection| is_held(connection.worker));
    let clients: Vec<_> = blocked
        .into_iter()
        .map(|mut connection| thread::spawn(move || connection.get("/block")))
        .collect();

    for worker in 0..count {
        let strip = format!("[data-worker='{worker}'][data-held={}]", is_held(worker));
        browser.wait_for(&strip).await;
    }
    let deadline = Instant::now() + PATIENCE;
    let all: Vec<_> = (0..count as u64).collect();
    loop {
        let now = workers(&state(console.address()));
        if now == (all.clone(), held.to_vec()) {
            break;
        }
        assert!(Instant::now() < deadline, "{now:?}");
        pause(Duration::from_millis(20));
    }
    for connection in &mut free {
        assert_eq!(connection.get("/number"), connection.worker.to_string());
    }
    let strips = "document.querySelectorAll('#workers [data-worker]').length";
    assert_eq!(browser.eval(strips).await, count);
    assert!(clients.iter().all(|client| !client.is_finished()));

    let_go.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.join().expect("an answer"), "done");
    }
    for worker in 0..count {
        let strip = format!("[data-worker='{worker}'][data-held=false]");
        browser.wait_for(&strip).await;
    }
    browser.finish().await;
}

#[tokio::test]
async fn one_held_worker_of_two_is_shown_beside_the_free_one() {
    each_held_worker_is_shown(2, &[1]).await;
}

#[tokio::test]
async fn two_held_workers_of_two_are_shown() {
    each_held_worker_is_shown(2, &[0, 1]).await;
}

#[tokio::test]
async fn two_held_workers_of_four_are_shown() {
    each_held_worker_is_shown(4, &[1, 3]).await;
}
