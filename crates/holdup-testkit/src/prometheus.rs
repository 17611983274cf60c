//! A real Prometheus, and `promtool`, which checks an exposition.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::client::get;
use crate::external::{External, folder};
use crate::{PATIENCE, pause};

/// Runs `promtool check metrics` on an exposition. Returns its output as an error if it has any
/// complaint.
pub fn check_metrics(exposition: &str) -> Result<(), String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (scripts/test installs it)");
    // promtool reads to the end of its input before it prints anything. The pipe is closed right
    // after the write.
    let written = promtool
        .stdin
        .take()
        .expect("piped")
        .write_all(exposition.as_bytes());
    let output = promtool.wait_with_output().expect("our own child");
    if output.status.success() {
        written.expect("it reads everything");
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&said)
    ))
}

/// Scrapes one target every second.
pub struct Prometheus(External);

impl Prometheus {
    pub fn start(target: SocketAddr, path: &str) -> Self {
        let folder = folder();
        // JSON is also valid YAML.
        let config = json!({
            "global": { "scrape_interval": "1s", "scrape_timeout": "1s" },
            "scrape_configs": [{
                "job_name": "holdup",
                "metrics_path": path,
                "static_configs": [{ "targets": [target.to_string()] }],
            }],
        });
        let file = folder.join("prometheus.yml");
        fs::write(&file, config.to_string()).expect("it is writable");
        let option = |name: &str, path| {
            format!(
                "--{name}={}",
                fs::canonicalize(path).expect("it is there").display()
            )
        };
        let mut command = Command::new("prometheus");
        command
            .arg("--web.listen-address=127.0.0.1:0")
            .arg(option("config.file", &file))
            .arg(option("storage.tsdb.path", &folder));
        let listening = ["\"Listening on\"", "address=127.0.0.1:"];
        let prometheus = Self(External::saying(command, &listening, Some(folder)));
        let deadline = Instant::now() + PATIENCE;
        while get(prometheus.0.address, "/-/ready").status != 200 {
            assert!(Instant::now() < deadline, "Prometheus is never ready");
            pause(Duration::from_millis(50));
        }
        prometheus
    }

    /// The current result of an expression, which for most expressions is a list of series.
    pub fn query(&self, expression: &str) -> Value {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", expression)
            .finish();
        let mut answer = self.api(&format!("query?{query}"));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].take()
    }

    /// Waits until the result satisfies the condition, and returns it. A scrape takes up to a
    /// second.
    pub fn query_until(&self, expression: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let result = self.query(expression);
            if wanted(&result) {
                return result;
            }
            assert!(
                Instant::now() < deadline,
                "{expression} is {result}; the targets: {:#}",
                self.api("targets")
            );
            pause(Duration::from_millis(100));
        }
    }

    fn api(&self, path: &str) -> Value {
        let answer = get(self.0.address, &format!("/api/v1/{path}")).rest();
        serde_json::from_str(&answer).expect("JSON")
    }
}
