//! The lab's app in the actix test harness, with paused time: its answer to each request.

use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, read_body};
use holdup::routes;
use serde_json::{Value, json};

use crate::lab::{Harness, lab};

/// With paused time, waiting costs nothing: the clock jumps to the next timer, in order.
async fn paused_lab() -> impl Harness {
    tokio::time::pause();
    lab().await
}

async fn get(lab: &impl Harness, uri: &str, accept: Option<&str>) -> (StatusCode, String, String) {
    let mut request = TestRequest::get().uri(uri);
    if let Some(accept) = accept {
        request = request.insert_header(("accept", accept));
    }
    let response = call_service(lab, request.to_request()).await;
    let content_type = response
        .headers()
        .get("content-type")
        .expect("a content type");
    let content_type = content_type.to_str().expect("text").to_owned();
    let status = response.status();
    let body = read_body(response).await;
    (
        status,
        content_type,
        String::from_utf8(body.to_vec()).expect("UTF-8"),
    )
}

#[actix_web::test]
async fn a_countdown_in_ndjson_has_one_line_per_tick() {
    let lab = paused_lab().await;
    let (status, content_type, body) = get(&lab, "/coroutine?from=2&x=a%22b", None).await;
    assert_eq!(
        (status, content_type.as_str()),
        (StatusCode::OK, "application/x-ndjson")
    );
    assert!(body.ends_with('\n'));
    for (k, line) in body.lines().enumerate() {
        let mut tick: Value = serde_json::from_str(line).expect("JSON");
        // The runtime's clock counts whole milliseconds, so it may be one behind.
        let late = tick["late_ms"].take().as_f64().expect("a number");
        let elapsed = tick["elapsed_ms"].take().as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&late), "{body}");
        assert!(
            (elapsed - late - 1000.0 * [0.0, 1.0, 2.0][k]).abs() < 0.2,
            "{body}"
        );
        let expected = json!({
            "remaining": 2 - k, "handler": "coroutine", "stream": 1, "worker": 0,
            "elapsed_ms": null, "late_ms": null, "x": "a\"b",
        });
        assert_eq!(tick, expected);
    }
    assert_eq!(body.lines().count(), 3);
}

#[actix_web::test]
async fn a_countdown_in_text_has_one_sentence_per_tick_for_any_label() {
    let lab = paused_lab().await;
    let (_, content_type, body) = get(
        &lab,
        "/callback?from=1&period=250ms&x=a%0Ab&format=text",
        None,
    )
    .await;
    assert_eq!(content_type, "text/plain; charset=utf-8");
    let lines: Vec<_> = body.lines().collect();
    assert_eq!(lines.len(), 2, "{body}");
    assert_eq!(lines[0], r#"callback #1 "a\nb"    1  after 0.000 s"#);
    assert!(
        lines[1].starts_with(r#"callback #1 "a\nb"    0  after 0.25"#),
        "{body}"
    );
}

#[actix_web::test]
async fn a_countdown_in_events_ends_with_an_end_event() {
    let lab = paused_lab().await;
    let (_, content_type, body) = get(&lab, "/coroutine?from=1", Some("text/event-stream")).await;
    assert_eq!(content_type, "text/event-stream; charset=utf-8");
    let events: Vec<_> = body.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 3, "{body}");
    for (event, remaining) in events.iter().zip([1, 0]) {
        let data = event.strip_prefix("event: tick\ndata: ").expect("a tick");
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["remaining"], remaining);
    }
    assert_eq!(events[2], "event: end\ndata: {\"remaining\":0}");
}

#[actix_web::test]
async fn accept_chooses_the_format_unless_the_query_does() {
    let lab = paused_lab().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    for (query, accept, expected) in [
        ("", None, "application/x-ndjson"),
        ("", Some("*/*"), "application/x-ndjson"),
        ("", Some(""), "application/x-ndjson"),
        ("", Some(browser), "text/plain; charset=utf-8"),
        ("", Some("text/*"), "text/plain; charset=utf-8"),
        (
            "",
            Some("text/event-stream, */*"),
            "text/event-stream; charset=utf-8",
        ),
        (
            "",
            Some("application/x-ndjson;q=0.1, text/plain;q=0.2"),
            "text/plain; charset=utf-8",
        ),
        // For each type the most exact range counts, whatever a wider range allows.
        (
            "",
            Some("text/plain;q=0, text/html;q=0, text/*"),
            "text/event-stream; charset=utf-8",
        ),
        (
            "&format=sse",
            Some(browser),
            "text/event-stream; charset=utf-8",
        ),
        ("&format=ndjson", Some("image/png"), "application/x-ndjson"),
    ] {
        let (status, content_type, _) =
            get(&lab, &format!("/coroutine?from=1{query}"), accept).await;
        assert_eq!(status, StatusCode::OK, "{query} {accept:?}");
        assert_eq!(content_type, expected, "{query} {accept:?}");
    }
}

#[actix_web::test]
async fn accept_that_leaves_nothing_gets_406_and_what_there_is() {
    let lab = paused_lab().await;
    for accept in ["image/png", "application/json", "*/*;q=0", "nonsense"] {
        let (status, content_type, body) = get(&lab, "/coroutine", Some(accept)).await;
        assert_eq!(status, StatusCode::NOT_ACCEPTABLE, "{accept}");
        assert_eq!(content_type, "application/problem+json");
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(problem["parameter"], "Accept");
        assert_eq!(problem["value"], accept);
        assert!(
            problem["allowed"]
                .as_str()
                .is_some_and(|text| text.contains("x-ndjson"))
        );
    }
}

#[actix_web::test]
async fn a_problem_names_the_bad_parameter_its_value_and_what_is_allowed() {
    let lab = paused_lab().await;
    let long = "v".repeat(65);
    for (parameter, value) in [
        ("from", "0"),
        ("from", "601"),
        ("from", "-1"),
        ("from", "5.0"),
        ("from", "99999999999999999999"),
        ("from", ""),
        ("period", "0ms"),
        ("period", "61s"),
        ("period", "1"),
        ("period", "999us"),
        ("period", "soon"),
        ("period", "999999999999999999999999y"),
        ("deliver", "later"),
        ("format", "xml"),
        ("format", "NDJSON"),
        ("x", long.as_str()),
    ] {
        let (status, content_type, body) =
            get(&lab, &format!("/coroutine?{parameter}={value}"), None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{parameter}={value}");
        assert_eq!(content_type, "application/problem+json");
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["parameter"], parameter);
        assert_eq!(problem["value"], value);
        for text in ["type", "title", "detail", "allowed"] {
            assert!(
                problem[text].as_str().is_some_and(|text| !text.is_empty()),
                "{body}"
            );
        }
    }
}

#[actix_web::test]
async fn from_times_period_is_bounded_and_a_parameter_is_given_once() {
    let lab = paused_lab().await;
    let (status, _, body) = get(&lab, "/coroutine?from=61", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("from × period at most 60 s"), "{body}");
    let (status, _, _) = get(&lab, "/coroutine?from=600&period=100ms", None).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _, body) = get(&lab, "/coroutine?from=1&from=2", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("one value, not several"), "{body}");
}

#[actix_web::test]
async fn unknown_parameters_are_ignored() {
    let lab = paused_lab().await;
    let (status, _, _) = get(&lab, "/coroutine?from=1&y=2&&%00=%ff&=&utm_source=x", None).await;
    assert_eq!(status, StatusCode::OK);
}

#[actix_web::test]
async fn headers_keep_browsers_and_proxies_from_buffering_the_stream() {
    let lab = paused_lab().await;
    let response = call_service(&lab, TestRequest::get().uri("/callback").to_request()).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-accel-buffering", "no"),
        ("cache-control", "no-store, no-transform"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(response.headers().get(name).expect(name), value);
    }
    assert!(response.headers().get("content-encoding").is_none());
}

#[actix_web::test]
async fn head_answers_the_same_head_and_takes_no_place() {
    let lab = paused_lab().await;
    for _ in 0..20 {
        let request = TestRequest::default()
            .method(Method::HEAD)
            .uri("/blocking?from=60");
        let response = call_service(&lab, request.to_request()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers().get("content-type").expect("one"),
            "application/x-ndjson"
        );
        assert!(read_body(response).await.is_empty());
    }
    let request = TestRequest::default()
        .method(Method::HEAD)
        .uri("/blocking?from=0");
    let response = call_service(&lab, request.to_request()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn other_methods_get_405_and_other_paths_404_with_what_there_is() {
    let lab = paused_lab().await;
    for path in [
        "/",
        "/blocking",
        "/coroutine",
        "/callback",
        "/threadpool",
        "/healthz",
    ] {
        for method in [
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
        ] {
            let request = TestRequest::default().method(method).uri(path);
            let response = call_service(&lab, request.to_request()).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(response.headers().get("allow").expect("Allow"), "GET, HEAD");
        }
        assert!(routes::PATHS.split(", ").any(|listed| listed == path));
    }
    for path in ["/nope", "/blocking/", "/Blocking", "/%00", "//"] {
        let (status, _, body) = get(&lab, path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(body.contains(routes::PATHS), "{body}");
    }
}

#[actix_web::test]
async fn the_index_is_text_for_curl_and_a_page_for_a_browser() {
    let lab = paused_lab().await;
    let (_, content_type, text) = get(&lab, "/", Some("*/*")).await;
    assert_eq!(content_type, "text/plain; charset=utf-8");
    assert!(text.contains("curl -N 'http://"), "{text}");
    let (_, content_type, page) = get(&lab, "/", Some("text/html,*/*;q=0.8")).await;
    assert_eq!(content_type, "text/html; charset=utf-8");
    for handler in ["blocking", "coroutine", "callback", "threadpool"] {
        assert!(text.contains(&format!("/{handler}?x=1")), "{handler}");
        assert!(
            page.contains(&format!("href=\"/{handler}?x=1\"")),
            "{handler}"
        );
    }
}

#[actix_web::test]
async fn a_host_with_markup_in_it_is_not_shown() {
    let lab = paused_lab().await;
    let request = TestRequest::get().uri("/").insert_header(("host", "<b>'x"));
    let request = request.insert_header(("accept", "text/html"));
    let body = read_body(call_service(&lab, request.to_request()).await).await;
    assert!(!String::from_utf8_lossy(&body).contains("<b>'x"));
}
