//! Which requests are answered by a console that listens on all addresses, as in the Docker image.
//! All traffic goes to 127.0.0.1.

use holdup_testkit::console::asked;

use super::*;
use crate::server::Server;

/// A lab whose console listens on all addresses, and the address at which to reach it.
fn open_to_all(arguments: &[&str]) -> (Server, SocketAddr) {
    let mut all = vec!["--console", "0.0.0.0:0"];
    all.extend(arguments);
    let server = Server::start(&all);
    let address = server.console();
    assert!(address.ip().is_unspecified(), "{address}");
    (server, SocketAddr::from(([127, 0, 0, 1], address.port())))
}

#[test]
fn host_names_are_checked_on_every_address() {
    let (_server, console) = open_to_all(&[
        "--public-url",
        "https://Lab.Example:9000/",
        "--allow-host",
        "Console.Example",
        "--allow-host",
        "prometheus_target",
    ]);
    let port = console.port();
    for own in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        "LOCALHOST.:1".to_owned(),
        "lab.localhost".to_owned(),
        "[::1]:8081".to_owned(),
        "192.0.2.7".to_owned(),
        "lab.example:9000".to_owned(),
        "lab.example".to_owned(),
        "console.example".to_owned(),
        "CONSOLE.EXAMPLE.:443".to_owned(),
        "prometheus_target:8081".to_owned(),
    ] {
        for path in ["/", "/state", "/metrics"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {own}");
            assert_eq!(asked(console, &request).0, 200, "{own}{path}");
        }
    }
    for (other, name) in [
        (format!("evil.example:{port}"), "evil.example"),
        ("Evil.Example.".to_owned(), "evil.example"),
        (
            "localhost.evil.example".to_owned(),
            "localhost.evil.example",
        ),
        ("127.0.0.1.nip.io".to_owned(), "127.0.0.1.nip.io"),
        ("a.console.example".to_owned(), "a.console.example"),
    ] {
        for path in ["/", "/events", "/state", "/healthz", "/nowhere"] {
            let (status, told) = asked(console, &format!("GET {path} HTTP/1.1\r\nHost: {other}"));
            assert_eq!(status, 403, "{other}{path}");
            let remedy = format!("or start with --allow-host {name}");
            assert!(told.ends_with(&remedy), "{told}");
        }
        // A page of that site, in the form that its browser sends.
        let order = format!(
            "POST /probe HTTP/1.1\r\nHost: {other}\r\nOrigin: http://{other}\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: 0"
        );
        assert_eq!(asked(console, &order).0, 403, "{other}");
        let stop = order.replacen("POST", "DELETE", 1);
        assert_eq!(asked(console, &stop).0, 403, "{other}");
    }
    assert_eq!(state(console)["probe"], Value::Null, "nothing was started");
}

#[test]
fn a_request_names_one_host_that_can_be_read() {
    let (_server, console) = open_to_all(&[]);
    for host in [
        "",
        "[::1",
        "[::z]",
        "a..b",
        "a b",
        "a/b",
        "a@localhost",
        "a:1:2",
        "%6cocalhost",
        "ä",
    ] {
        let (status, told) = asked(console, &format!("GET /state HTTP/1.1\r\nHost: {host}"));
        assert_eq!(status, 400, "{host:?}");
        assert!(told.starts_with("Host is "), "{told}");
    }
    // actix refuses what HTTP itself forbids.
    assert_eq!(asked(console, "GET /state HTTP/1.1").0, 400);
    let two = "GET /state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example";
    assert_eq!(asked(console, two).0, 400);

    let (status, told) = asked(console, "GET /state HTTP/1.0");
    assert_eq!(status, 400);
    assert!(told.starts_with("Host is \"\"; allowed: "), "{told}");
    assert_eq!(
        asked(console, "GET /state HTTP/1.0\r\nHost: localhost").0,
        200
    );
    assert_eq!(
        asked(console, "GET /state HTTP/1.0\r\nHost: evil.example").0,
        403
    );

    for (target, host, expected) in [
        ("http://localhost/state", "localhost", 200),
        ("http://127.0.0.1:1/state", "localhost:8081", 200),
        ("http://evil.example/state", "localhost", 403),
        ("http://localhost@evil.example/state", "localhost", 403),
        ("http://localhost/state", "evil.example", 403),
        ("http://a..b/state", "localhost", 400),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}");
        assert_eq!(asked(console, &request).0, expected, "{target} {host}");
    }
    assert_eq!(asked(console, "GET http://localhost/state HTTP/1.0").0, 400);
}

#[test]
fn another_sites_page_takes_no_readers_place() {
    let (_server, console) = open_to_all(&[]);
    let image = |site: &str, path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {console}\r\nSec-Fetch-Site: {site}\r\n\
             Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image"
        )
    };
    for site in ["cross-site", "same-site"] {
        for path in [
            "/",
            "/events",
            "/state",
            "/trace.json",
            "/metrics",
            "/ui/main.js",
        ] {
            let (status, told) = asked(console, &image(site, path));
            assert_eq!(status, 403, "{site} {path}");
            assert!(
                told.starts_with("another site's page made this request"),
                "{told}"
            );
        }
        let link = image(site, "/")
            .replace("no-cors", "navigate")
            .replace("image", "document");
        assert_eq!(asked(console, &link).0, 200, "{site}");
        let link = link.replace("GET / ", "GET /events ");
        assert_eq!(asked(console, &link).0, 403, "{site}");
    }
    // The connections stay open, like those of a page that loads images. There are more than the
    // console has places.
    let images: Vec<_> = (0..20)
        .map(|_| {
            let request = format!("{}\r\n\r\n", image("cross-site", "/events"));
            send(console, request.as_bytes()).expect("an answer")
        })
        .collect();
    assert!(images.iter().all(|reply| reply.status == 403));

    // Allowed are the page itself, typed URLs, clients that are not browsers, and old browsers.
    let mut readers: Vec<_> = (0..16).map(|_| Events::read(console)).collect();
    assert!(readers.iter_mut().all(|events| events.next().is_some()));
    drop(readers);
    for site in ["same-origin", "none"] {
        assert_eq!(asked(console, &image(site, "/state")).0, 200, "{site}");
    }
}
