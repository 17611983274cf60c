//! Which requests the console of a user's own app answers.

use holdup_testkit::console::asked;

use super::*;

#[test]
fn the_builder_allows_host_names() {
    let watch = holdup_watch::Watch::new();
    let console =
        holdup_console::Console::builder(&watch, "0.0.0.0:0").allow_host("console.example");
    let console = console.start().expect("a console");
    let address = SocketAddr::from(([127, 0, 0, 1], console.address().port()));
    let of = |host: &str| asked(address, &format!("GET /state HTTP/1.1\r\nHost: {host}"));
    assert_eq!(of("console.example:8443").0, 200);
    assert_eq!(of("localhost").0, 200);
    let (status, told) = of("evil.example");
    assert_eq!(status, 403);
    let remedy = "or allow it with Builder::allow_host(\"evil.example\")";
    assert!(told.ends_with(remedy), "{told}");
}
