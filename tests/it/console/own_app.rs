//! A console for somebody's own app.

use std::net::TcpListener;

use actix_web::{App, HttpResponse, web};
use holdup::Watch;
use holdup::console::StartError;

use super::*;
use crate::support::app::serve;

#[test]
fn its_buttons_are_the_routes_that_the_developer_named() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        serve(move || {
            App::new()
                .route(
                    "/report/{days}",
                    web::get().to(async || {
                        actix_web::rt::time::sleep(std::time::Duration::from_millis(200)).await;
                        HttpResponse::Ok().body("done")
                    }),
                )
                .wrap(watch.clone())
        })
    };
    let console = watch
        .console("127.0.0.1:0")
        .app(format!("http://{}", served.address))
        .button("/report/7?secret=1")
        .start()
        .expect("a console");
    let address = console.address();
    let mut events = Events::read(address);
    let snapshot = events.next().expect("a message");
    assert_eq!(snapshot["lab"], Value::Null);
    assert_eq!(snapshot["buttons"][0]["label"], "/report/7?secret=1");
    let (status, _) = order(address, JSON, r#"{"button":0,"requests":3}"#);
    assert_eq!(status, 202);
    let opened = events.until("its request", |m| is(m, "opened"));
    assert_eq!(opened["route"], "/report/{days}");
    assert_eq!(
        opened["path"], "/report/7",
        "without the query, which may have secrets"
    );
    let done = events.until("its verdict", |m| is(m, "probe") && m["state"] != "running");
    assert_eq!(done["verdict"]["kind"], "concurrent", "{done}");
    assert!(done["from"].is_null() && done["period_ms"].is_null());

    // It ends when it is dropped, with its readers, and its port is free again.
    drop(console);
    while matches!(events.0.chunk(), Ok(Some(_))) {}
    TcpListener::bind(address).expect("the port is free");
}

#[test]
fn what_cannot_be_shown_is_said_when_it_starts() {
    let watch = Watch::new();
    let console = || watch.console("127.0.0.1:0");
    let error = |builder: holdup::console::Builder| builder.start().expect_err("refused");
    let bad = error(console().app("ftp://h"));
    assert!(
        matches!(bad, StartError::App { .. }) && bad.to_string().contains("ftp"),
        "{bad}"
    );
    assert!(matches!(
        error(console().app("nonsense")),
        StartError::App { .. }
    ));
    assert!(matches!(error(console().button("/a")), StartError::NoApp));
    for path in ["report", "//evil.example/", "http://evil.example/", ""] {
        let bad = error(console().app("http://127.0.0.1:1").button(path));
        assert!(matches!(bad, StartError::Button { .. }), "{path}: {bad}");
        assert!(bad.to_string().contains(&format!("{path:?}")), "{bad}");
    }
    let first = console().start().expect("a console");
    let taken = error(watch.console(first.address().to_string()));
    assert!(matches!(taken, StartError::Bind { .. }), "{taken}");
    assert!(taken.to_string().contains(&first.address().to_string()));
    assert!(matches!(
        error(watch.console("nowhere")),
        StartError::Bind { .. }
    ));
}
