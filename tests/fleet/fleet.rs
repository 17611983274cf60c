//! A fleet that `scripts/fleet` starts, and its Prometheus.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::client::get;
use holdup_testkit::{PATIENCE, pause};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use serde_json::Value;
use url::form_urlencoded::Serializer;

pub(crate) struct Fleet {
    child: Child,
    pub(crate) nginx: SocketAddr,
    pub(crate) prometheus: SocketAddr,
    pub(crate) labs: Vec<Lab>,
    said: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct Lab {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) console: SocketAddr,
    id: i32,
}

impl Lab {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.id).expect("not zero")
    }

    pub(crate) fn kill(&self) {
        kill_process(self.pid(), Signal::KILL).expect("it runs");
    }
}

/// The address behind a scheme, without a path.
fn address(url: &str) -> Option<SocketAddr> {
    url.strip_prefix("http://")?.split('/').next()?.parse().ok()
}

impl Fleet {
    /// Starts three labs with two workers each, scraped every second, and waits until Prometheus has read all of them.
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fleet");
        let program = Path::new(env!("CARGO_BIN_EXE_holdup"));
        let mut child = Command::new(script)
            .args(["--interval", "1s"])
            .env("HOLDUP", program.parent().expect("a folder"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // All that it starts is in its group, and ends with the test.
            .process_group(0)
            .spawn()
            .expect("scripts/fleet starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let told = read_until(&mut lines, "Ctrl-C");
        let column = |name: &str, column: usize| {
            let line = told.iter().find(|line| line.starts_with(name));
            let word = line.and_then(|line| line.split_whitespace().nth(column));
            word.unwrap_or_else(|| panic!("no column {column} of {name} in {told:#?}"))
        };
        let labs = ["lab-1", "lab-2", "lab-3"].map(|name| Lab {
            name: name.to_owned(),
            address: address(column(name, 1)).expect("an address"),
            console: address(column(name, 3)).expect("an address"),
            id: column(name, 5).parse().expect("a number"),
        });
        let said = Arc::default();
        let fleet = Self {
            child,
            nginx: address(column("nginx", 1)).expect("an address"),
            prometheus: address(column("prometheus", 1)).expect("an address"),
            labs: labs.into(),
            said: Arc::clone(&said),
        };
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                said.lock().expect("nobody panics with it").push(line);
            }
        });
        fleet.until("count(up == 1)", |result| result[0]["value"][1] == "3");
        fleet
    }

    /// What the script has said since everything was started.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().expect("nobody panics with it").clone()
    }

    /// Sends a signal to the script alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Sends a signal to all processes, as a terminal does on Ctrl-C.
    pub(crate) fn signal_all(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).expect("it runs");
    }

    /// Whether a process of the fleet is left.
    pub(crate) fn is_there(&self) -> bool {
        test_kill_process_group(self.pid()).is_ok()
    }

    fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("process ids fit");
        Pid::from_raw(id).expect("not zero")
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = || self.child.try_wait().expect("our own child");
        waited("the end of scripts/fleet", status)
    }

    /// The answer of Prometheus' API to a path with a query.
    pub(crate) fn api(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let query = Serializer::new(String::new()).extend_pairs(query).finish();
        let reply = get(self.prometheus, &format!("/api/v1/{path}?{query}"));
        let mut answer: Value = serde_json::from_str(&reply.rest()).expect("JSON");
        assert_eq!(answer["status"], "success", "{path} {query}: {answer}");
        answer["data"].take()
    }

    /// Waits until the result of an expression satisfies the condition, and returns it.
    pub(crate) fn until(&self, expression: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        waited(expression, || {
            let mut data = self.api("query", &[("query", expression)]);
            let result = data["result"].take();
            wanted(&result).then_some(result)
        })
    }

    /// The alerts of this name that fire.
    pub(crate) fn firing(&self, name: &str) -> Vec<Value> {
        let mut data = self.api("alerts", &[]);
        let Value::Array(alerts) = data["alerts"].take() else {
            panic!("no alerts in {data}");
        };
        let fires = |alert: &Value| alert["labels"]["alertname"] == name;
        let all = alerts.into_iter().filter(fires);
        all.filter(|alert| alert["state"] == "firing").collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // The script stops everything, and deletes its folder.
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut told = false;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            if !told {
                kill_process(self.pid(), Signal::TERM).ok();
                told = true;
            }
            pause(Duration::from_millis(50));
        }
        // Without a process left, there is no group.
        kill_process_group(self.pid(), Signal::KILL).ok();
        self.child.wait().ok();
    }
}

/// The lines up to one that begins like this.
fn read_until(lines: &mut BufReader<ChildStdout>, last: &str) -> Vec<String> {
    let mut told = Vec::new();
    for line in lines.lines() {
        let line = line.expect("UTF-8");
        let is_last = line.starts_with(last);
        told.push(line);
        if is_last {
            return told;
        }
    }
    panic!("scripts/fleet ended, after {told:#?}");
}

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn waited<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        pause(Duration::from_millis(100));
    }
}

/// Requests to these paths, one after the other for each path, until it is dropped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<thread::JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr, paths: &[&str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |path: &&str| {
            let (stop, path) = (Arc::clone(&stop), (*path).to_owned());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let reply = get(address, &path);
                    assert_eq!(reply.status, 200, "{path}");
                    reply.rest();
                    pause(Duration::from_millis(20));
                }
            })
        };
        let clients = paths.iter().map(client).collect();
        Self { stop, clients }
    }

    /// Stops, and fails if a request has failed.
    pub(crate) fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().expect("every request was answered");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
