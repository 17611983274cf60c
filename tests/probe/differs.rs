//! `{}`, where requests differ, and redirects or caches that change what was measured.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use holdup_testkit::odd::{serve, write};
use holdup_testkit::{PATIENCE, pause};

use super::{expect, json, probe};

const WORK: Duration = Duration::from_millis(200);

const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n";

/// A request as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    path: String,
    id: String,
    body: String,
}

impl Asked {
    fn read(stream: &TcpStream) -> Option<Self> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut from = BufReader::new(stream);
        let mut asked = Self::default();
        let mut length = 0;
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.split(' ').nth(1)?.clone_into(&mut asked.path);
        loop {
            line.clear();
            from.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "x-id" => value.trim().clone_into(&mut asked.id),
                "content-length" => length = value.trim().parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body).ok()?;
        asked.body = String::from_utf8(body).ok()?;
        Some(asked)
    }
}

/// A server that reads all of a request before it answers, with a thread for each.
fn answering(answer: impl Fn(Asked) -> String + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                if let Some(asked) = Asked::read(&stream) {
                    write(&stream, answer(asked));
                }
            });
        }
    });
    address
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_label_of_its_own_is_in_each_place_and_no_query_is_added() {
    let all = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&all);
    let address = answering(move |asked| {
        lock(&told).push(asked);
        pause(WORK);
        DONE.to_owned()
    });
    let url = format!("http://{address}/item/{{}}?a={{}}&b={{{{}}}}");
    let body = r#"{"empty":{},"id":"{}"}"#;
    let arguments = [&url, "-H", "X-Id: <{}>", "-d", body, "-n3"];
    let document = json(&arguments);
    let all = std::mem::take(&mut *lock(&all));
    let label = |asked: &Asked| {
        let label = asked.id.trim_matches(['<', '>']).to_owned();
        let expected = Asked {
            path: format!("/item/{label}?a={label}&b={{}}"),
            id: format!("<{label}>"),
            body: format!(r#"{{"empty":{{}},"id":"{label}"}}"#),
        };
        assert_eq!(*asked, expected);
        label
    };
    let mut times = HashMap::<_, usize>::new();
    for asked in &all {
        *times.entry(label(asked)).or_default() += 1;
    }
    let name = |label: &String| label.split('-').nth(1).map(str::to_owned);
    let names: BTreeSet<_> = times.keys().filter_map(name).collect();
    for expected in ["warm", "solo1", "solo2", "1", "2", "3"] {
        assert!(names.contains(expected), "{times:?}");
    }
    for (label, times) in &times {
        // The identical URLs: the same label for all, and a repeated request.
        let expected = if label.ends_with("same0") { 4 } else { 1 };
        assert!(
            *times == expected || label.contains("same"),
            "{label}: {times}"
        );
    }
    let lanes = document["phases"][1]["lanes"].as_array().expect("lanes");
    for lane in lanes {
        let url = lane["url"].as_str().expect("a URL");
        assert!(url.starts_with(&format!("http://{address}/item/")), "{url}");
        assert!(!url.contains("%7B") && !url.contains("x="), "{url}");
    }

    assert_eq!(document["url"], url);
    let text = probe(&[&url, "-H", "X-Id: {}", "-n2"]);
    let text = String::from_utf8(text.stdout).expect("UTF-8");
    assert!(text.starts_with(&format!("{url}\n")), "{text}");
    let told = "Each request has a label of its own in the place of {}: in the URL's path, the URL's query, the header x-id.";
    assert!(text.replace('\n', " ").contains(told), "{text}");
}

#[test]
fn one_answer_for_all_is_reported_if_the_server_ignores_the_query() {
    // Serves one request at a time; requests for the same path meanwhile get the first one's answer.
    let flights = Mutex::new(HashMap::<String, Arc<Mutex<Option<String>>>>::new());
    let worker = Mutex::new(0);
    let address = answering(move |asked| {
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        let flight = Arc::clone(lock(&flights).entry(path.clone()).or_default());
        let mut shared = lock(&flight);
        let answer = shared.get_or_insert_with(|| {
            let mut number = lock(&worker);
            pause(WORK);
            *number += 1;
            lock(&flights).remove(&path);
            format!("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{number:08}")
        });
        answer.clone()
    });
    let url = format!("http://{address}/report");
    expect(&url, &[], "concurrent", Some(4));
    let text = probe(&[&url]);
    let text = String::from_utf8(text.stdout)
        .expect("UTF-8")
        .replace("\n  ", " ");
    assert!(
        text.contains("All concurrent answers are the same to the byte"),
        "{text}"
    );
    assert!(text.contains("put {} into the part of the URL"), "{text}");

    expect(&format!("{url}/{{}}"), &[], "serialized", Some(1));
}

#[test]
fn an_answer_from_a_cache_is_reported() {
    let address = serve(|stream, _| {
        pause(WORK);
        let head = "HTTP/1.1 200 OK\r\nAge: 12\r\nContent-Length: 5\r\n\r\n";
        write(&stream, format!("{head}done\n"));
    });
    let text = probe(&[&address.to_string(), "-n3"]);
    let text = String::from_utf8(text.stdout)
        .expect("UTF-8")
        .replace("\n  ", " ");
    assert!(
        text.contains("3 of 3 answers say that they come from a cache (Age: 12)"),
        "{text}"
    );
}

/// Sends `/report` to `to`, and answers all else after a while.
pub(super) fn redirecting(to: &'static str) -> SocketAddr {
    answering(move |asked| {
        if asked.path.starts_with("/report?") {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n");
            return head + "Content-Length: 0\r\n\r\n";
        }
        pause(WORK);
        DONE.to_owned()
    })
}

#[test]
fn a_redirect_to_another_page_is_reported_and_fails_the_expectation() {
    let address = redirecting("/login?next=report");
    let from = format!("http://{address}/report");
    let document = expect(&from, &[], "concurrent", Some(4));
    assert_eq!(document["redirected_from"], serde_json::json!([from]));
    assert_eq!(
        document["url"],
        format!("http://{address}/login?next=report")
    );

    let output = probe(&[&from, "--expect=concurrent"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("/report redirects to another page"),
        "{error}"
    );
    let text = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
    assert!(
        text.contains(", measured at /login, where /report redirects."),
        "{text}"
    );

    // If this URL itself is given, it is the requested page.
    let given = format!("http://{address}/login");
    let document = expect(&given, &[], "concurrent", Some(4));
    assert_eq!(document["redirected_from"], serde_json::json!([]));
}

#[test]
fn a_redirect_that_only_adds_a_slash_is_the_same_page() {
    let address = redirecting("/report/");
    let from = format!("http://{address}/report");
    expect(&from, &[], "concurrent", Some(4));
    let output = probe(&[&from, "--expect=serialized"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("measured at"), "{text}");
}
