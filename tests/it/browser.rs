//! A tab in a real Chromium.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::support::server::{PATIENCE, Server};

struct Chromium {
    driver: Child,
    client: Client,
}

impl Chromium {
    async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (./scripts/test installs it)");
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = lines
            .find_map(|line| {
                let line = line.expect("text");
                let (_, port) = line.split_once("started successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says its port");
        // Goes on reading, so that the driver never waits to write.
        std::thread::spawn(move || lines.for_each(drop));

        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let capabilities = json!({ "goog:chromeOptions": { "args": arguments },
            // Do not wait for the page to end: it is a stream.
            "pageLoadStrategy": "none" });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        Self { driver, client }
    }

    async fn stop(mut self) {
        self.client.close().await.expect("Chromium ends");
        self.driver.kill().expect("our own child");
        self.driver.wait().expect("our own child");
    }

    async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

#[tokio::test]
async fn a_tab_shows_the_ticks_as_they_come() {
    let server = Server::start(&[]);
    let chromium = Chromium::start().await;
    let url = format!(
        "http://{}/coroutine?from=5&period=500ms&x=tab",
        server.address
    );
    chromium.client.goto(&url).await.expect("the tab opens");

    // Samples the tab's text until the countdown is over; each new length is kept.
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while seen.last() != Some(&6) {
        assert!(Instant::now() < deadline, "ticks seen so far: {seen:?}");
        let lines = chromium
            .text()
            .await
            .lines()
            .filter(|line| line.contains("#1 \"tab\""))
            .count();
        if lines > 0 && seen.last() != Some(&lines) {
            seen.push(lines);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    chromium.stop().await;
    assert!(seen.len() >= 3, "the text grew in steps: {seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
}
