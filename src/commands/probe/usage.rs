//! Options that do not fit together.

use holdup_probe::{Request, Settings, Target};
use holdup_verdict::experiment::Http2;
use holdup_verdict::{fewest_to_confirm, fewest_to_show};

use crate::cli::{Expectation, MOST_REQUESTS};

/// The most requests that `--limit` sends at once, unless more is asked for.
const MOST_LIMIT: usize = 128;

/// The most bystanders: each has rounds of its own.
const MOST_BESIDE: usize = 4;

/// How many connections are kept open to each bystander.
pub(super) const KEPT_BESIDE: usize = 8;

/// The most requests to a bystander that are not answered.
const UNANSWERED_BESIDE: usize = 64;

/// The most connections to so many bystanders at a time. Only one of them is asked at a time, but the connections
/// to the others are kept.
pub(super) fn connections_beside(bystanders: usize) -> usize {
    match bystanders {
        0 => 0,
        several => UNANSWERED_BESIDE + KEPT_BESIDE * several,
    }
}

/// Checks what is asked for.
///
/// # Errors
///
/// One sentence that names the option, what came, and what is allowed.
pub(super) fn check(
    target: &Target,
    request: &Request,
    settings: &Settings,
    expected: &[Expectation],
) -> Result<(), String> {
    check_urls(target, settings)?;
    if settings.cookie_contrast {
        check_cookie_contrast(request)?;
    }
    for (place, one) in expected.iter().enumerate() {
        if let Some(other) = expected[..place]
            .iter()
            .find(|other| one.contradicts(**other))
        {
            return Err(format!(
                "--expect: {other} and {one} cannot both hold; leave one of them out"
            ));
        }
        check_expected(target, settings, *one)?;
    }
    Ok(())
}

/// Checks that no option is given that only a spread needs.
///
/// # Errors
///
/// When one is given.
pub(super) fn check_ids(header: bool, json: bool) -> Result<(), String> {
    let given = [("--id-header", header), ("--id-json", json)];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(format!(
            "{option} needs --spread M, which measures on which workers connections fall"
        )),
        None => Ok(()),
    }
}

/// The most requests that `--limit` sends at once, from `--max`.
///
/// # Errors
///
/// When there is no `--limit`, or when `--max` is less than `-n`.
pub(super) fn most(
    limit: bool,
    max: Option<usize>,
    requests: usize,
) -> Result<Option<usize>, String> {
    match max {
        Some(_) if !limit => Err(
            "--max is the most requests that --limit sends at once, so it needs --limit".to_owned(),
        ),
        Some(max) if max < requests => Err(format!(
            "--max is {max}, but must be at least as many as the requests at once, {requests} (-n)"
        )),
        _ => Ok(limit.then(|| max.unwrap_or(MOST_LIMIT.max(requests)))),
    }
}

/// Whether HTTP/2 is used.
///
/// # Errors
///
/// When both options are given.
pub(super) fn http2(http1: bool, http2: bool) -> Result<Http2, String> {
    match (http1, http2) {
        (true, true) => {
            Err("--http1 sends nothing over HTTP/2, so it cannot be used with --http2".to_owned())
        }
        (true, false) => Ok(Http2::Off),
        (false, true) => Ok(Http2::Wanted),
        (false, false) => Ok(Http2::IfOffered),
    }
}

fn check_urls(target: &Target, settings: &Settings) -> Result<(), String> {
    if settings.beside.len() > MOST_BESIDE {
        let given = settings.beside.len();
        return Err(format!(
            "--beside is given {given} times; allowed: at most {MOST_BESIDE}"
        ));
    }
    let is_measured = |other: &&Target| page(other) == page(target);
    if let Some(same) = settings.beside.iter().find(is_measured) {
        return Err(format!(
            "--beside {} is the URL that is measured; give another route of the same server, such as a \
             health check",
            same.url()
        ));
    }
    if let Some(same) = settings.versus.iter().find(is_measured) {
        return Err(format!(
            "--versus {} is the URL that is measured; give another one that leads to the same handler, \
             such as the server's behind the proxy",
            same.url()
        ));
    }
    Ok(())
}

/// The URL without what is not sent to the server.
pub(super) fn page(target: &Target) -> &str {
    let url = target.url();
    url.split_once('#').map_or(url, |(page, _)| page)
}

fn check_cookie_contrast(request: &Request) -> Result<(), String> {
    if !request.is_personal() {
        return Err(
            "--cookie-contrast needs a cookie or credential to leave out: give one with -H 'Cookie: …'"
                .to_owned(),
        );
    }
    match request.personal_label() {
        Some(header) => Err(format!(
            "--cookie-contrast needs one session that all requests share, but {{}} in the header {header} \
             gives each request its own: leave {{}} out of it"
        )),
        None => Ok(()),
    }
}

/// Checks that what is expected will be measured.
fn check_expected(
    target: &Target,
    settings: &Settings,
    expected: Expectation,
) -> Result<(), String> {
    let is_https = target.url().starts_with("https://");
    match expected {
        Expectation::Beside(_) if settings.beside.is_empty() => {
            Err(format!("--expect {expected} needs --beside URL"))
        }
        Expectation::Limited(count) => check_limited(settings, count),
        Expectation::Spread(_) => Err(format!("--expect {expected} needs --spread M")),
        Expectation::OneConnection(_) if settings.http2 == Http2::Off => Err(format!(
            "--expect {expected} needs HTTP/2, which --http1 turns off"
        )),
        Expectation::OneConnection(_) if settings.http2 == Http2::IfOffered && !is_https => Err(
            format!("--expect {expected} needs --http2, or a URL that begins with https://"),
        ),
        _ => Ok(()),
    }
}

/// Checks that enough requests are sent at once to show this limit.
fn check_limited(settings: &Settings, count: usize) -> Result<(), String> {
    let (shows, confirms) = (fewest_to_show(count), fewest_to_confirm(count));
    let n = settings.requests;
    match settings.limit {
        None if n < shows => {
            let limit = if confirms <= MOST_LIMIT {
                "--limit, or ".to_owned()
            } else if confirms <= MOST_REQUESTS {
                format!("--limit --max {confirms}, or ")
            } else {
                String::new()
            };
            Err(format!(
                "--expect limited={count} needs {limit}-n {shows} or more; {n} requests at once (-n) cannot show it"
            ))
        }
        Some(most) if most < confirms && confirms > MOST_REQUESTS => Err(format!(
            "--expect limited={count} needs -n {shows} or more instead of --limit, which sends at most \
             {MOST_REQUESTS} requests at once and would need {confirms} to confirm it"
        )),
        Some(most) if most < confirms => Err(format!(
            "--expect limited={count} needs --max {confirms} or more; {most} requests at once (--max) cannot \
             confirm it"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).expect("a URL")
    }

    fn checked(request: &Request, settings: &Settings, expected: &[&str]) -> Result<(), String> {
        let expected: Vec<Expectation> = expected
            .iter()
            .map(|text| text.parse().expect(text))
            .collect();
        check(
            &target("http://localhost/a?b=1"),
            request,
            settings,
            &expected,
        )
    }

    #[test]
    fn another_url_is_not_the_measured_one() {
        let settings = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            checked(&Request::default(), &settings, &[])
        };
        let error = settings(|settings| settings.beside = vec![target("localhost/a?b=1#c")]);
        assert!(error.expect_err("the same").contains("--beside"));
        let error =
            settings(|settings| settings.versus = Some(target("http://localhost:80/a?b=1")));
        assert!(error.expect_err("the same").contains("--versus"));
        let error = settings(|settings| settings.beside = vec![target("localhost/b"); 5]);
        assert!(
            error
                .expect_err("five")
                .contains("5 times; allowed: at most 4")
        );
        let fine = settings(|settings| {
            settings.beside = vec![target("localhost/a?b=2"); 4];
            settings.versus = Some(target("localhost:81/a?b=1"));
        });
        assert_eq!(fine, Ok(()));
    }

    #[test]
    fn a_cookie_contrast_needs_one_cookie_for_all() {
        let mut settings = Settings::default();
        settings.cookie_contrast = true;
        let error = checked(&Request::default(), &settings, &[]).expect_err("no cookie");
        assert!(
            error.contains("needs a cookie or credential to leave out"),
            "{error}"
        );
        let with = |line: &str| Request::default().header(line).expect("a header");
        let error = checked(&with("Cookie: id={}"), &settings, &[]).expect_err("many cookies");
        assert!(error.contains("leave {} out"), "{error}");
        assert_eq!(checked(&with("Cookie: id=1"), &settings, &[]), Ok(()));
    }

    #[test]
    fn what_is_expected_has_to_be_measured() {
        let told = |change: fn(&mut Settings), expected: &[&str]| {
            let mut settings = Settings::default();
            change(&mut settings);
            checked(&Request::default(), &settings, expected)
                .err()
                .unwrap_or_default()
        };
        let plain = |_: &mut Settings| ();
        for (error, part) in [
            (told(plain, &["concurrent", "limited"]), "cannot both hold"),
            (told(plain, &["beside=untouched"]), "needs --beside URL"),
            (told(plain, &["one-connection=limited"]), "needs --http2"),
            (told(plain, &["spread=even"]), "needs --spread M"),
        ] {
            assert!(error.contains(part), "{error:?} {part}");
        }
        assert_eq!(told(plain, &["limited=3", "limited", "single"]), "");
        let wanted = |settings: &mut Settings| settings.http2 = Http2::Wanted;
        assert_eq!(told(wanted, &["one-connection=limited"]), "");
        let off = |settings: &mut Settings| settings.http2 = Http2::Off;
        assert!(told(off, &["one-connection=limited"]).contains("--http1 turns off"));
    }

    #[test]
    fn a_limit_that_is_expected_has_to_be_one_that_can_show() {
        let told = |requests: usize, limit: Option<usize>, count: usize| {
            let mut settings = Settings::default();
            (settings.requests, settings.limit) = (requests, limit);
            let expected = format!("limited={count}");
            checked(&Request::default(), &settings, &[&expected]).err()
        };
        for (requests, limit, count, error) in [
            (4, None, 3, None),
            (
                4,
                None,
                4,
                Some("needs --limit, or -n 5 or more; 4 requests at once (-n) cannot show it"),
            ),
            (4, None, 8, Some("needs --limit, or -n 10 or more;")),
            // One of ten that waits is a straggler.
            (10, None, 9, Some("needs --limit, or -n 11 or more;")),
            (11, None, 9, None),
            (4, None, 64, Some("needs --limit --max 129, or -n 77")),
            (4, None, 600, Some("limited=600 needs -n 721 or more;")),
            (721, None, 600, None),
            (4, Some(128), 63, None),
            (
                4,
                Some(128),
                64,
                Some("needs --max 129 or more; 128 requests at once (--max) cannot confirm it"),
            ),
            (4, Some(4), 3, Some("needs --max 7 or more;")),
            (4, Some(1000), 499, None),
            (
                4,
                Some(1000),
                500,
                Some("needs -n 601 or more instead of --limit, which sends at most 1000"),
            ),
        ] {
            let found = told(requests, limit, count);
            let is_told = match (&found, error) {
                (Some(found), Some(error)) => found.contains(error),
                (found, error) => found.is_none() && error.is_none(),
            };
            assert!(is_told, "{requests} {limit:?} {count}: {found:?}");
        }
    }

    #[test]
    fn max_belongs_to_limit_and_is_at_least_n() {
        assert_eq!(most(false, None, 4), Ok(None));
        assert_eq!(most(true, None, 4), Ok(Some(128)));
        assert_eq!(most(true, None, 200), Ok(Some(200)));
        assert_eq!(most(true, Some(9), 4), Ok(Some(9)));
        assert!(
            most(false, Some(9), 4)
                .expect_err("alone")
                .contains("needs --limit")
        );
        let error = most(true, Some(3), 4).expect_err("too few");
        assert!(
            error.contains("--max is 3") && error.contains("4 (-n)"),
            "{error}"
        );
    }

    #[test]
    fn http1_and_http2_exclude_each_other() {
        assert_eq!(http2(false, false), Ok(Http2::IfOffered));
        assert_eq!(http2(true, false), Ok(Http2::Off));
        assert_eq!(http2(false, true), Ok(Http2::Wanted));
        assert!(http2(true, true).is_err());
    }
}
