//! What is said, and whether no more than that is asked.

use std::time::Duration;

use holdup_model::{Failure, Lane};
use holdup_verdict::Sample;
use holdup_verdict::experiment::{Answers, Experiment, Policy, RoundKind, Step, To};

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
- 94 requests to http://localhost/a, 4 at once
- 62 requests to http://localhost/b, and 409 more in each of 13 rounds (--beside)
- 832 more requests to http://localhost/a meanwhile, in rounds of 1 to 64 at once
- 62 requests to http://localhost/c, and 409 more in each of 13 rounds (--beside)
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
fn http_2_is_named_where_the_server_may_offer_it() {
    let line = "\n- 34 more requests to https://h/a, over HTTP/2, if the server offers it (--http1 turns it \
                off)\n";
    for (url, http2, named) in [
        ("https://h/a", Http2::IfOffered, true),
        ("https://h/a", Http2::Off, false),
        ("http://h/a", Http2::IfOffered, false),
    ] {
        let mut settings = Settings::default();
        settings.http2 = http2;
        assert_eq!(
            text(&target(url), &settings, None),
            None,
            "no contrast is asked for"
        );
        settings.limit = Some(8);
        let text = text(&target(url), &settings, None).expect("a contrast");
        assert_eq!(text.contains(line), named, "{text}");
    }
}

/// A server that behaves in another way in each round, by chance.
struct Erratic {
    dice: u64,
    now: Duration,
}

impl Erratic {
    fn below(&mut self, most: u64) -> u64 {
        // Knuth's generator, of which the high bits are the better ones.
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % most
    }

    /// Requests that run side by side, one after the other, or so many at a time, and of which some fail.
    fn lanes(&mut self, count: usize, each: Duration) -> Vec<Lane> {
        let at_a_time = 1 + self.below(count.max(1) as u64) as u32;
        let (faulty, varied) = (self.below(8) == 0, self.below(4) == 0);
        let lanes = (0..count).map(|place| {
            let mut lane = Lane::start("/", self.now);
            let turn = place as u32 / at_a_time + 1;
            let more = if varied {
                each * self.below(200) as u32 / 100
            } else {
                Duration::ZERO
            };
            let end = self.now + each * turn + more;
            if faulty && self.below(4) == 0 {
                lane.fail(end, Failure::Reset);
            } else {
                lane.record_head(end, 200);
                lane.finish(end);
            }
            lane
        });
        let lanes: Vec<_> = lanes.collect();
        self.now += each * count as u32;
        lanes
    }
}

/// How many requests an experiment with such a server asks for, by what [`text`] says of them.
#[derive(Debug, Default)]
struct Asked {
    measured: usize,
    over_http2: usize,
    varied: usize,
    beside: usize,
    limit: usize,
    bystander: usize,
}

fn asked(policy: Policy, seed: u64) -> Asked {
    let mut server = Erratic {
        dice: seed,
        now: Duration::ZERO,
    };
    let each = Duration::from_millis([100, 400, 1500][server.below(3) as usize]);
    let mut experiment = Experiment::new(policy);
    let mut asked = Asked::default();
    while let Step::Ask(round) = experiment.next().clone() {
        let count = round.asks.len();
        let to = round.asks.first().map(|ask| ask.to);
        *match round.kind {
            RoundKind::Connection => &mut asked.over_http2,
            RoundKind::Session | RoundKind::Versus => &mut asked.varied,
            RoundKind::Beside => &mut asked.beside,
            RoundKind::Limit => &mut asked.limit,
            RoundKind::BesideAlone => &mut asked.bystander,
            _ => &mut asked.measured,
        } += count;
        let mut answers = Answers::default();
        if let Some(bystander) = round.bystander {
            let opened = if bystander.kept > 0 {
                bystander.kept + 1
            } else {
                0
            };
            asked.bystander += bystander.most + opened;
            let few = bystander.most.min(40);
            let lanes = server.lanes(few, Duration::from_millis(5));
            let kept = |place: usize| (place % 2 == 1 && bystander.kept > 0).then_some(place % 8);
            let samples = lanes.into_iter().enumerate();
            answers.samples = samples
                .map(|(place, lane)| Sample {
                    lane,
                    kept: kept(place),
                })
                .collect();
        }
        let each = match to {
            Some(To::Bystander(_)) => Duration::from_millis(5),
            _ => each,
        };
        answers.lanes = server.lanes(count, each);
        experiment.feed(answers);
    }
    asked
}

#[test]
fn no_experiment_asks_more_than_is_said() {
    for (seed, n) in (0..400).zip([2, 3, 4, 9].into_iter().cycle()) {
        let policy = |change: fn(&mut Policy)| {
            let mut policy = Policy::outside(n);
            change(&mut policy);
            policy
        };
        let limit = 16;
        let plain = asked(policy(|_| ()), seed);
        assert!(plain.measured <= measured(n), "{n} {seed}: {plain:?}");
        let http2 = asked(policy(|policy| policy.http2 = Http2::Wanted), seed);
        assert!(http2.over_http2 <= over_http2(n), "{n} {seed}: {http2:?}");
        for change in [
            (|policy| policy.session = true) as fn(&mut Policy),
            |policy| policy.versus = true,
        ] {
            let found = asked(policy(change), seed);
            assert!(found.varied <= varied(n), "{n} {seed}: {found:?}");
            assert!(
                found.measured <= measured(n) + compared(n),
                "{n} {seed}: {found:?}"
            );
        }
        let found = asked(policy(|policy| policy.limit = Some(16)), seed);
        assert!(found.limit <= LIMIT_ROUNDS * limit, "{n} {seed}: {found:?}");
        let found = asked(policy(|policy| policy.bystanders = 1), seed);
        let rounds = MOST_BESIDE_ROUNDS + 1;
        assert!(found.beside <= rounds * n, "{n} {seed}: {found:?}");
        assert!(
            found.bystander <= BESIDE_ALONE + rounds * BESIDE_ROUND,
            "{n} {seed}: {found:?}"
        );
    }
}

#[test]
fn a_console_is_named() {
    let console = target("localhost:8081");
    let mut settings = Settings::default();
    settings.timeout = Some(Duration::from_secs(2));
    let text = text(&target("localhost/a"), &settings, Some(&console)).expect("a console");
    let line = "\n- a few requests to http://localhost:8081/, and one more each second, while its \
                events are followed (--console); it has 10.0 s to answer\n";
    assert!(text.contains(line), "{text}");
    let ends = "\nEach request to the server takes up to 2.00 s (--timeout).\n";
    assert!(text.ends_with(ends), "{text}");
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
