//! The countdown in axum, with one thread or a thread for each core: `holdup-peer-axum PORT [--all-cores]`

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_stream::stream;
use axum::Router;
use axum::body::Body;
use axum::extract::Query;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::time::{Instant, sleep_until};

static STREAMS: AtomicU64 = AtomicU64::new(0);

#[derive(Deserialize)]
struct Countdown {
    from: u32,
    #[serde(with = "humantime_serde")]
    period: Duration,
}

#[derive(Serialize)]
struct Line {
    remaining: u32,
    handler: &'static str,
    stream: u64,
    worker: usize,
    elapsed_ms: f64,
    late_ms: f64,
}

async fn coroutine(Query(Countdown { from, period }): Query<Countdown>) -> impl IntoResponse {
    let stream = STREAMS.fetch_add(1, Ordering::Relaxed) + 1;
    let ticking = stream! {
        let first = Instant::now();
        for k in 0..=from {
            let due = first + period * k;
            if k > 0 {
                sleep_until(due).await;
            }
            let now = Instant::now();
            let line = Line {
                remaining: from - k,
                handler: "coroutine",
                stream,
                worker: 0,
                elapsed_ms: tenths_of_ms(now - first),
                late_ms: tenths_of_ms(now - due),
            };
            let mut chunk = serde_json::to_vec(&line).expect("a line of numbers is JSON");
            chunk.push(b'\n');
            yield Ok::<_, Infallible>(chunk);
        }
    };
    (
        [(CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(ticking),
    )
}

fn tenths_of_ms(duration: Duration) -> f64 {
    (duration.as_micros() as f64 / 100.0).round() / 10.0
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = arguments.first().and_then(|port| port.parse().ok());
    let port = port.expect("the port is the first argument");
    let mut runtime = if arguments.iter().any(|argument| argument == "--all-cores") {
        runtime::Builder::new_multi_thread()
    } else {
        // One thread, like the other peers.
        runtime::Builder::new_current_thread()
    };
    runtime.enable_all().build()?.block_on(serve(port))
}

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/coroutine", get(coroutine))).await
}
