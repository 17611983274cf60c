//! `/healthz`: whether all threads of the watch run.

use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;

use super::site::Site;
use holdup_watch::{ThreadHealth, Watch};

pub(super) async fn healthz(site: Data<Site>) -> HttpResponse {
    let (status, text) = report(&site.watch.as_ref().map(Watch::health).unwrap_or_default());
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(text)
}

/// `ok` while all threads of the watch run. Otherwise the state of each thread, in the format of
/// Kubernetes' own health checks.
fn report(threads: &[ThreadHealth]) -> (StatusCode, String) {
    if threads.iter().all(ThreadHealth::is_ok) {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let mut text = String::new();
    for thread in threads {
        let mark = if thread.is_ok() { '+' } else { '-' };
        // Writing to a string cannot fail.
        writeln!(text, "[{mark}]{} {}", thread.name, thread.state).ok();
    }
    text.push_str("healthz check failed\n");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::thread;

    use holdup_detect::Detector;

    use super::*;

    #[actix_web::test]
    async fn a_thread_that_does_not_run_fails_the_check_and_is_named() {
        let detector = Detector::with_spawner(Arc::new(|name, run| {
            if name == "holdup-log" {
                return Err(io::Error::other("no room"));
            }
            let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
            Ok(thread.thread().clone())
        }));
        assert_eq!(
            report(&detector.health()),
            (StatusCode::OK, "ok\n".to_owned()),
            "no thread is needed before the first worker"
        );
        let _worker = detector.worker(|task| drop(actix_rt::spawn(task)));
        let (status, text) = report(&detector.health());
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.contains(&"[+]holdup-watch running"), "{text}");
        let failed = "[-]holdup-log not started: the system had no room for a thread";
        assert!(lines.contains(&failed), "{text}");
        assert_eq!(lines.last(), Some(&"healthz check failed"));
    }
}
