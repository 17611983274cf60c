//! The cost of `Watch` for a handler that does nothing: the throughput under `wrk`, alternating
//! with the same app without it, and with `tokio-metrics`' `TaskMonitor` around the handler.
//!
//! ```console
//! cargo bench --bench cost -- [ROUNDS] [SECONDS]
//! ```
//!
//! `cost serve KIND ADDRESS` serves one of the apps, for a profiler.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use actix_web::{App, HttpServer, Responder, rt, web};
use holdup_watch::Watch;
use tokio_metrics::TaskMonitor;

const KINDS: [&str; 3] = ["bare", "watch", "task-monitor"];

async fn trivial() -> impl Responder {
    "done"
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", kind, address] => rt::System::new().block_on(serve(kind, address)),
        [] => compare(7, 4),
        [rounds] => compare(number(rounds)?, 4),
        [rounds, seconds, ..] => compare(number(rounds)?, number(seconds)?),
    }
}

fn number(text: &str) -> io::Result<u32> {
    text.parse()
        .map_err(|_| io::Error::other(format!("{text:?} is not a whole number")))
}

async fn serve(kind: &str, address: &str) -> io::Result<()> {
    // All three apps are the same except for what is measured.
    let (watch, monitor) = (Watch::new(), TaskMonitor::new());
    macro_rules! run {
        ($app:expr) => {{
            let server = HttpServer::new($app).workers(1).bind(address)?;
            println!("{}", server.addrs()[0]);
            server.run().await
        }};
    }
    match kind {
        "bare" => run!(|| App::new().route("/", web::get().to(trivial))),
        "watch" => {
            run!(move || App::new()
                .route("/", web::get().to(trivial))
                .wrap(watch.clone()))
        }
        "task-monitor" => run!(move || {
            let monitor = monitor.clone();
            App::new().route("/", web::get().to(move || monitor.instrument(trivial())))
        }),
        _ => Err(io::Error::other(format!("{kind:?} is none of {KINDS:?}"))),
    }
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(kind: &str) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", kind, "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no output"))?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self {
            child,
            url: format!("http://{}/", line.trim()),
        })
    }

    /// The throughput in requests per second, and the server's CPU time per request in
    /// microseconds.
    fn load(&self, seconds: u32) -> io::Result<(f64, f64)> {
        let before = self.cpu_ticks()?;
        let duration = format!("-d{seconds}s");
        let output = Command::new("wrk")
            .args(["-t1", "-c32", &duration, &self.url])
            .output();
        let output = output.map_err(|error| io::Error::other(format!("wrk: {error}")))?;
        let cpu = self.cpu_ticks()? - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Requests/sec:"));
        let rate: Option<f64> = rate.and_then(|rate| rate.trim().parse().ok());
        let rate = rate.ok_or_else(|| io::Error::other(format!("wrk said {text}")))?;
        // All figures of /proc have the resolution of a clock tick, a hundredth of a second.
        Ok((rate, cpu * 10_000.0 / (rate * f64::from(seconds))))
    }

    fn cpu_ticks(&self) -> io::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace();
        Ok(fields
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<f64>().ok())
            .sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn compare(rounds: u32, seconds: u32) -> io::Result<()> {
    let servers = [
        Server::start(KINDS[0])?,
        Server::start(KINDS[1])?,
        Server::start(KINDS[2])?,
    ];
    for server in &servers {
        server.load(1)?;
    }
    let mut seen: [Vec<(f64, f64)>; 3] = Default::default();
    for _ in 0..rounds {
        for (server, seen) in servers.iter().zip(&mut seen) {
            seen.push(server.load(seconds)?);
        }
    }
    println!("{rounds} rounds of {seconds} s each, in turn; medians");
    println!(
        "{:<14}{:>12}{:>16}{:>22}",
        "app", "requests/s", "CPU µs/request", "of bare (by round)"
    );
    for (kind, figures) in KINDS.iter().zip(&seen) {
        let ratios = figures
            .iter()
            .zip(&seen[0])
            .map(|(this, bare)| this.0 / bare.0)
            .collect();
        let rates = figures.iter().map(|figure| figure.0).collect();
        let cpu = figures.iter().map(|figure| figure.1).collect();
        let (rate, cpu, ratio) = (median(rates), median(cpu), median(ratios));
        println!("{kind:<14}{rate:>12.0}{cpu:>16.2}{ratio:>22.3}");
    }
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
