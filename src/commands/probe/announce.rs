//! What is about to be sent, before it is sent: to which URL, how many requests, and how long at most.

use std::fmt::Write as _;

use holdup_model::HumanDuration;
use holdup_probe::{Settings, Target};
use holdup_verdict::experiment::{Http2, MOST_BESIDE_ROUNDS};

/// The most requests to a bystander in one round …
const BESIDE_ROUND: usize = 400;

/// … while it is alone, on two schedules, each with eight connections that are opened …
const BESIDE_ALONE: usize = 5 + 2 * (24 + 8);

/// The most rounds of `--limit`.
const LIMIT_ROUNDS: usize = 16;

/// The text, with a line for each URL and contrast. `None` if no contrast is asked for.
pub(super) fn text(
    target: &Target,
    settings: &Settings,
    console: Option<&Target>,
) -> Option<String> {
    let mut lines = contrasts(target, settings);
    if let Some(console) = console {
        lines.push(format!(
            "a few requests to {}, whose events are followed meanwhile (--console)",
            console.url()
        ));
    }
    if lines.is_empty() {
        return None;
    }
    let n = settings.requests;
    lines.insert(
        0,
        format!("{} to {}, {n} at once", requests(18 * n + 20), target.url()),
    );
    let mut text = "About to send at most:\n".to_owned();
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    text += &longest(settings);
    Some(text)
}

/// How long each request may take.
fn longest(settings: &Settings) -> String {
    if let Some(timeout) = settings.timeout {
        return format!("Each takes up to {} (--timeout).\n", HumanDuration(timeout));
    }
    let lasting = settings.end.lasting;
    let lasting = lasting.map(|lasting| format!(", and {} more (--for)", HumanDuration(lasting)));
    format!(
        "Each takes up to one minute, or, at once with others, as long as all of them need one after the \
         other, but at most ten minutes (--timeout){}.\n",
        lasting.unwrap_or_default()
    )
}

/// What the contrasts that were asked for send.
fn contrasts(target: &Target, settings: &Settings) -> Vec<String> {
    let (n, url) = (settings.requests, target.url());
    let mut lines = Vec::new();
    // From one request to all of them, by doubling; the first number may be tried once more.
    // One more if connections that are kept open occupy the server.
    let rounds = MOST_BESIDE_ROUNDS + 1;
    // With --limit, up to one more than the number that was found.
    let at_once = settings.limit.map_or(n, |most| most.max(n));
    for beside in &settings.beside {
        lines.push(format!(
            "{} to {}, and {BESIDE_ROUND} more in each of {rounds} rounds (--beside)",
            requests(BESIDE_ALONE),
            beside.url(),
        ));
        lines.push(format!(
            "{} more requests to {url} meanwhile, in rounds of 1 to {at_once} at once",
            rounds * at_once
        ));
    }
    if let Some(most) = settings.limit {
        lines.push(format!(
            "{} more requests to {url}, in {LIMIT_ROUNDS} rounds of up to {most} at once (--limit)",
            LIMIT_ROUNDS * most
        ));
    }
    if settings.http2 == Http2::Wanted {
        lines.push(format!(
            "{} more requests to {url}, over HTTP/2 (--http2)",
            8 * n + 2
        ));
    }
    if settings.cookie_contrast {
        lines.push(format!(
            "{} more requests to {url}, {} of them without cookies and credentials (--cookie-contrast)",
            28 * n + 27,
            21 * n + 27
        ));
    }
    if let Some(versus) = &settings.versus {
        lines.push(format!(
            "{} to {}, {n} at once, and {} more to {url} (--versus)",
            requests(21 * n + 27),
            versus.url(),
            7 * n
        ));
    }
    lines
}

fn requests(count: usize) -> String {
    format!("{count} requests")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).expect("a URL")
    }

    fn said(change: impl Fn(&mut Settings)) -> Option<String> {
        let mut settings = Settings::default();
        change(&mut settings);
        text(&target("localhost/a"), &settings, None)
    }

    #[test]
    fn nothing_is_said_without_a_contrast() {
        assert_eq!(said(|_| ()), None);
        // By default, HTTP/2 is used only if the server offers it.
        assert_eq!(said(|settings| settings.http2 = Http2::Off), None);
    }

    #[test]
    fn each_url_is_named_with_the_most_requests_and_the_longest_time() {
        let text = said(|settings| {
            settings.beside = vec![target("localhost/b"), target("localhost/c")];
            settings.versus = Some(target("localhost:81/a"));
            settings.limit = Some(64);
            settings.cookie_contrast = true;
            settings.http2 = Http2::Wanted;
        });
        let expected = "\
About to send at most:
- 92 requests to http://localhost/a, 4 at once
- 69 requests to http://localhost/b, and 400 more in each of 13 rounds (--beside)
- 832 more requests to http://localhost/a meanwhile, in rounds of 1 to 64 at once
- 69 requests to http://localhost/c, and 400 more in each of 13 rounds (--beside)
- 832 more requests to http://localhost/a meanwhile, in rounds of 1 to 64 at once
- 1024 more requests to http://localhost/a, in 16 rounds of up to 64 at once (--limit)
- 34 more requests to http://localhost/a, over HTTP/2 (--http2)
- 139 more requests to http://localhost/a, 111 of them without cookies and credentials (--cookie-contrast)
- 111 requests to http://localhost:81/a, 4 at once, and 28 more to http://localhost/a (--versus)
Each takes up to one minute, or, at once with others, as long as all of them need one after the other, but at \
most ten minutes (--timeout).
";
        assert_eq!(text.as_deref(), Some(expected));
    }

    #[test]
    fn a_console_is_named() {
        let console = target("localhost:8081");
        let text = text(&target("localhost/a"), &Settings::default(), Some(&console));
        let line = "\n- a few requests to http://localhost:8081/, whose events are followed meanwhile \
                    (--console)\n";
        assert!(
            text.as_ref().is_some_and(|text| text.contains(line)),
            "{text:?}"
        );
    }

    #[test]
    fn a_time_out_that_is_given_holds_for_all() {
        let text = said(|settings| {
            settings.versus = Some(target("localhost:81/a"));
            settings.timeout = Some(Duration::from_secs(5));
        });
        let text = text.expect("a contrast");
        assert!(
            text.ends_with("\nEach takes up to 5.00 s (--timeout).\n"),
            "{text}"
        );
    }
}
