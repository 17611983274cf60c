//! A request belongs to the route that actix matches, however its path is encoded.

use std::fmt::Write as _;

use super::*;

/// Every byte percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02x}");
        encoded
    })
}

/// The characters a pattern may contain: printable ASCII except for the pattern syntax and the slash, and
/// some characters that are not ASCII.
fn characters() -> impl Iterator<Item = char> {
    let ascii = (' '..='~').filter(|c| !"{}/".contains(*c));
    ascii.chain(['é', 'ß', '京', '\u{1f980}'])
}

/// Answers with the route that actix itself matched.
async fn matched(request: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().body(request.match_pattern().unwrap_or_default())
}

#[test]
fn a_route_is_known_however_its_path_is_encoded() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        serve(move || {
            let mut app = App::new();
            for c in characters() {
                app = app.route(&format!("/a{c}b"), web::get().to(matched));
            }
            let user = web::scope("/ü|<{id}>").route("/<pro file>", web::get().to(matched));
            app.service(user)
                .route("/{letters:[a-zäöü]+}", web::get().to(matched))
                .wrap(watch.clone())
        })
    };
    let mut events = watch.subscribe();
    // Each path is requested twice: the second time, the watch has it in its cache.
    let mut cases: Vec<(String, Option<String>)> = Vec::new();
    for c in characters() {
        let path = format!("/a{}b", encoded(&c.to_string()));
        // actix leaves these encoded, so a pattern with them does not match.
        let route = (!"%+".contains(c)).then(|| format!("/a{c}b"));
        cases.extend([(path.clone(), route.clone()), (path, route)]);
    }
    for (path, route) in [
        ("/%61%3C%62", "/a<b"),
        ("/a%3cb", "/a<b"),
        ("/a%25b", "unmatched"),
        ("/a%b", "/a%b"),
        ("/a+b", "/a+b"),
        ("/a%2Fb", "unmatched"),
        ("/a%ffb", "unmatched"),
        ("/%C3%A4%c3%b6", "/{letters:[a-zäöü]+}"),
        ("/abc", "/{letters:[a-zäöü]+}"),
        ("/%C3%BC%7C%3C7%3E/%3Cpro%20file%3E", "/ü|<{id}>/<pro file>"),
        ("/%C3%BC|%3C%3C%3E/%3Cpro%20file%3E", "/ü|<{id}>/<pro file>"),
        ("/%C3%BC%7C%3C7%3E/profile", "unmatched"),
    ] {
        let route = (route != "unmatched").then(|| route.to_owned());
        cases.push((path.to_owned(), route));
    }

    let answers: Vec<_> = cases
        .iter()
        .map(|(path, _)| get(served.address, path))
        .map(|reply| (reply.status == 200).then(|| reply.body()))
        .collect();
    for ((path, route), by_actix) in cases.into_iter().zip(answers) {
        let named = opened(&mut events);
        assert_eq!(by_actix, route, "{path}");
        assert_eq!(named, route.as_deref().unwrap_or("unmatched"), "{path}");
    }
}

/// The route of the next request that the watch publishes.
fn opened(events: &mut Subscription) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(Event::Opened { route, .. }) = events.try_next() {
            return route;
        }
        assert!(Instant::now() < deadline, "no request is published");
        pause(Duration::from_millis(2));
    }
}
