//! What is about to be sent, before it is sent: to which URL, how many requests, and how long at most.

use std::fmt::Write as _;

use holdup_model::HumanDuration;
use holdup_probe::{Settings, Target};
use holdup_verdict::experiment::Http2;

/// The most requests to a bystander in one round …
const BESIDE_ROUND: usize = 400;

/// … while it is alone, on two schedules, each with eight connections that are opened …
const BESIDE_ALONE: usize = 5 + 2 * (24 + 8);

/// … and how often a round with one number of requests is made, if it freezes the bystander for a short time.
const BESIDE_TIMES: usize = 6;

/// The most rounds of `--limit`.
const LIMIT_ROUNDS: usize = 16;

/// The text, with a line for each URL and contrast. `None` if no contrast is asked for.
pub(super) fn text(target: &Target, settings: &Settings) -> Option<String> {
    let mut lines = contrasts(target, settings);
    if lines.is_empty() {
        return None;
    }
    let n = settings.requests;
    lines.insert(
        0,
        format!("{} to {}, {n} at once", requests(17 * n + 20), target.url()),
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
    // From one request to all of them, by doubling; the first number may be tried once more. With --limit, the
    // most are one more than the limit that was found.
    let at_once = n.max(settings.limit.unwrap_or(0));
    let doubled = (0..).map(|power| 1 << power);
    let mut numbers: Vec<usize> = doubled.take_while(|number| *number < at_once).collect();
    numbers.push(at_once);
    let rounds = BESIDE_TIMES * numbers.len() + 1;
    let beside_them = BESIDE_TIMES * numbers.iter().sum::<usize>() + 1;
    for beside in &settings.beside {
        lines.push(format!(
            "{} to {}, and {BESIDE_ROUND} more in each of {rounds} rounds (--beside)",
            requests(BESIDE_ALONE),
            beside.url(),
        ));
        lines.push(format!(
            "{beside_them} more requests to {url} meanwhile, in rounds of 1 to {at_once} at once"
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
            4 * n + 2
        ));
    }
    if settings.cookie_contrast {
        lines.push(format!(
            "{} more requests to {url}, {} of them without cookies and credentials (--cookie-contrast)",
            26 * n + 27,
            19 * n + 27
        ));
    }
    if let Some(versus) = &settings.versus {
        lines.push(format!(
            "{} to {}, {n} at once, and {} more to {url} (--versus)",
            requests(19 * n + 27),
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
        text(&target("localhost/a"), &settings)
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
- 88 requests to http://localhost/a, 4 at once
- 69 requests to http://localhost/b, and 400 more in each of 43 rounds (--beside)
- 763 more requests to http://localhost/a meanwhile, in rounds of 1 to 64 at once
- 69 requests to http://localhost/c, and 400 more in each of 43 rounds (--beside)
- 763 more requests to http://localhost/a meanwhile, in rounds of 1 to 64 at once
- 1024 more requests to http://localhost/a, in 16 rounds of up to 64 at once (--limit)
- 18 more requests to http://localhost/a, over HTTP/2 (--http2)
- 131 more requests to http://localhost/a, 103 of them without cookies and credentials (--cookie-contrast)
- 103 requests to http://localhost:81/a, 4 at once, and 28 more to http://localhost/a (--versus)
Each takes up to one minute, or, at once with others, as long as all of them need one after the other, but at \
most ten minutes (--timeout).
";
        assert_eq!(text.as_deref(), Some(expected));
    }

    #[test]
    fn a_bystander_is_asked_beside_one_two_and_more_requests() {
        for (n, rounds, more) in [(2, 13, 19), (4, 19, 43), (5, 25, 73)] {
            let text = said(|settings| {
                settings.requests = n;
                settings.beside = vec![target("localhost/b")];
            });
            let text = text.expect("a contrast");
            let told = format!("in each of {rounds} rounds (--beside)\n- {more} more requests");
            assert!(text.contains(&told), "{n}: {text}");
        }
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
