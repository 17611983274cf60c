//! The verdict in words: one sentence, and the numbers that support it.

use std::time::Duration;

use super::advice;
use super::groups;
use super::platform::Platform;
use super::reason::Reason;
use super::verdict::{Kind, Verdict};
use holdup_model::{HumanDuration, Lane, Timeline};

/// The beginning of the line of evidence that lists the steps.
pub(super) const STEPS: &str = "requests that finished in each step of one solo time: ";

impl Verdict {
    /// The [reason](Verdict::reason) in words, without a full stop.
    pub fn because(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        Some(because(reason, self))
    }

    /// Rewords how a request failed if a [failure](Reason::Failed) is the reason, so that a program can add a
    /// remedy that it knows. Any other verdict is returned unchanged.
    ///
    /// ```
    /// use std::time::Duration;
    /// use holdup_model::{Failure, Lane, Timeline};
    /// use holdup_verdict::judge;
    ///
    /// let mut lane = Lane::start("/", Duration::ZERO);
    /// lane.fail(Duration::from_millis(1), Failure::Refused);
    /// let verdict = judge(&[lane], &Timeline::default());
    /// let verdict = verdict.with_failure(|what| format!("{what} (is it running?)"));
    /// assert!(verdict.sentence.ends_with(" (is it running?)."), "{}", verdict.sentence);
    /// ```
    #[must_use]
    pub fn with_failure(mut self, words: impl FnOnce(&str) -> String) -> Self {
        if let Some(Reason::Failed { what, .. }) = &mut self.reason {
            *what = words(what);
            self.sentence = sentence(&self);
        }
        self
    }

    /// Writes the sentence and the advice again, after the kind or the reason has changed.
    pub(super) fn reword(&mut self) {
        self.sentence = sentence(self);
        self.advice = advice::lines(self, Platform::Unknown);
    }
}

/// The verdict in one sentence.
fn sentence(verdict: &Verdict) -> String {
    let n = verdict.lanes;
    let solo = HumanDuration(verdict.solo.unwrap_or_default());
    match (verdict.kind, &verdict.reason) {
        (Kind::Concurrent, _) => format!(
            "Concurrent: all {n} requests ran at the same time, in {}; one alone took {}.",
            HumanDuration(verdict.makespan.unwrap_or_default()),
            solo,
        ),
        (Kind::Serialized, Some(Reason::Shared)) => format!(
            "Serialized: the {n} requests together took {}, as long as they would one after the other, \
             although they did not end one by one.",
            HumanDuration(verdict.makespan.unwrap_or_default()),
        ),
        (Kind::Serialized, Some(Reason::LeftBehind { .. })) => {
            format!("Serialized: {}.", verdict.because().unwrap_or_default())
        }
        (Kind::Serialized, reason) => {
            let pace = verdict.makespan.unwrap_or_default() / u32::try_from(n).unwrap_or(u32::MAX);
            format!(
                "Serialized: the {n} requests ran one at a time, one finish every {}{}.",
                HumanDuration(pace),
                match reason {
                    Some(Reason::OwnPace { factor }) =>
                        format!(", {factor:.1} × as long as one request alone"),
                    _ => String::new(),
                },
            )
        }
        (Kind::Limited, Some(Reason::Shared)) => format!(
            "Limited: all {n} requests ran side by side, but slowed down as if they shared {} cores, or as many of \
             something else.",
            verdict.at_a_time.unwrap_or_default(),
        ),
        (Kind::Limited, Some(Reason::Rate { burst, each, every })) => format!(
            "Limited: {burst} of {n} requests went through together, and then {each} every {}, as with a \
             rate limit.",
            HumanDuration(*every),
        ),
        (Kind::Limited, reason) => format!(
            "Limited: at most {} of {n} requests ran at a time{}.",
            verdict.at_a_time.unwrap_or_default(),
            match reason {
                Some(Reason::Uneven) => ", in queues of uneven length".to_owned(),
                Some(Reason::OwnPace { factor }) =>
                    format!(", and each batch took {factor:.1} × as long as one request alone"),
                _ => String::new(),
            }
        ),
        (Kind::Inconclusive, _) => format!(
            "Inconclusive: {}.",
            verdict.because().unwrap_or_else(|| "no reason".to_owned())
        ),
    }
}

/// The reason of a verdict, without a full stop.
fn because(reason: &Reason, verdict: &Verdict) -> String {
    let n = verdict.lanes;
    let solo = HumanDuration(verdict.solo.unwrap_or_default());
    let who = |count: &usize, alone: &bool| {
        if *alone {
            "the single (baseline) request".to_owned()
        } else {
            format!("{count} of {n} concurrent requests")
        }
    };
    match reason {
        Reason::Uneven => "the queues are of uneven length".to_owned(),
        Reason::Shared => match verdict.kind {
            Kind::Serialized => {
                "together they took as long as they would one after the other".to_owned()
            }
            _ => "all ran side by side, but slowed down as if they shared fewer cores, or fewer of something else"
                .to_owned(),
        },
        Reason::OwnPace { factor } => {
            format!("each batch takes {factor:.1} × as long as one request alone")
        }
        Reason::Rate { burst, each, every } => format!(
            "{burst} of {n} requests went through at first, and then {each} every {}, as with a rate \
             limit, or with retries at an interval",
            HumanDuration(*every)
        ),
        Reason::LeftBehind {
            answer,
            behind,
            maybe_rate,
        } => left_behind(HumanDuration(*answer), HumanDuration(*behind), *maybe_rate),
        Reason::TooFew => {
            "there were fewer than two requests at once, so there is nothing to compare".to_owned()
        }
        Reason::NoSolo => "no request was measured alone".to_owned(),
        Reason::Failed { count, what, alone } => format!("{} failed: {what}", who(count, alone)),
        Reason::Endless { chunks } => format!(
            "the response is a stream without an end: {chunks} chunks came within the time allowed"
        ),
        Reason::WebSocket => {
            "this is a WebSocket's route, and a WebSocket cannot be probed".to_owned()
        }
        Reason::ClientTooSlow { busy, late } => client_too_slow(*busy, *late),
        Reason::Status {
            count,
            status,
            alone,
            after,
            well,
        } => who(count, alone) + &got(*status, *after, *well),
        Reason::TooShort => {
            format!("a request alone takes only {solo}, which is too short to judge")
        }
        Reason::Kept { first, later } => format!(
            "the first request took {}, but later ones {}: either an answer is cached, whatever label the \
             URL has, or the first request started something up",
            HumanDuration(*first),
            HumanDuration(*later)
        ),
        Reason::Distant { round_trip } => format!(
            "a request alone takes {solo}, most of which may be the network's: one round trip takes {}",
            HumanDuration(*round_trip)
        ),
        Reason::SoloVaries { low, high } => format!(
            "a request alone took {} one time and {} another",
            HumanDuration(*low.min(high)),
            HumanDuration(*high.max(low))
        ),
        Reason::NotAtOnce => "the requests did not start together".to_owned(),
        Reason::SlowConnects { count } => format!(
            "{count} of {n} connections took about a second or longer to be accepted, so their first \
             attempts must have been dropped"
        ),
        Reason::FasterThanAlone { count } => {
            format!("{count} of {n} requests were answered much faster than one alone")
        }
        Reason::Stragglers { count } => {
            format!("{count} of {n} requests waited, while the others were as fast as one alone")
        }
        Reason::WorseThanOneByOne => {
            "the concurrent requests took longer than one after the other would have".to_owned()
        }
        Reason::Slowed => {
            "all requests were slowed down alike, and none waited for another".to_owned()
        }
        Reason::PartOneByOne { each } => format!(
            "one request finished every {}, while one alone takes {solo}: part of the work is done one \
             at a time, and the rest is not",
            HumanDuration(*each)
        ),
        Reason::Irregular => "the finish times fit no number of requests at a time".to_owned(),
        Reason::ComparedDiffer { first, again } => format!(
            "the requests that they are compared with ran {}",
            differs(*first, *again)
        ),
        Reason::Differs { first, again } => {
            format!("two measurements differ: {}", differs(*first, *again))
        }
    }
}

fn differs(first: Option<usize>, again: Option<usize>) -> String {
    let count = |at_a_time: Option<usize>| match at_a_time {
        Some(count) => format!("{count} at a time"),
        None => "no clear number".to_owned(),
    };
    let started = if first.is_some() && first < again {
        "; part of the server may have been starting up"
    } else {
        ""
    };
    format!("first {}, then {}{started}", count(first), count(again))
}

fn left_behind(answer: HumanDuration, behind: HumanDuration, maybe_rate: bool) -> String {
    if maybe_rate {
        format!(
            "each answer comes after {answer}, but the next ones wait {behind}: either what a request leaves \
             behind blocks them, or a rate limit lets one through at a time"
        )
    } else {
        format!(
            "each answer comes after {answer}, but what a request leaves behind blocks the next ones \
             for {behind}"
        )
    }
}

/// The status in words, and how many of the successful requests ran at a time.
fn got(status: u16, after: Option<Duration>, well: Option<usize>) -> String {
    let why = match (status, after) {
        (500.., Some(after)) => {
            format!(" after {}, perhaps a pool's time-out", HumanDuration(after))
        }
        (408 | 429 | 503, _) => " (turned away, or queued for too long)".to_owned(),
        (400.., _) => String::new(),
        _ => ", unlike the others".to_owned(),
    };
    let well = well.map(|well| format!("; the successful ones ran {well} at a time"));
    format!(" got status {status}{why}{}", well.unwrap_or_default())
}

/// The numbers, a line each.
pub(super) fn evidence(verdict: &Verdict, alone: &[Lane], at_once: &Timeline) -> Vec<String> {
    let mut lines = Vec::new();
    let solos: Vec<_> = alone.iter().filter_map(Lane::duration).map(shown).collect();
    if !solos.is_empty() {
        lines.push(format!("alone: {}", solos.join(", ")));
    }
    if let Some(makespan) = verdict.makespan {
        lines.push(format!(
            "{} at once: {}",
            verdict.lanes,
            HumanDuration(makespan)
        ));
    }
    if let Some(speedup) = verdict.speedup {
        lines.push(format!(
            "k = {} × alone ÷ at once = {speedup:.2} ({} if concurrent, 1 if serialized)",
            verdict.lanes, verdict.lanes
        ));
    }
    let own_pace = matches!(verdict.reason, Some(Reason::OwnPace { .. }));
    if let Some(steps) = steps(verdict).filter(|_| !own_pace) {
        lines.push(format!("{STEPS}{steps}"));
    } else if let Some(groups) = groups::listed(at_once, verdict.solo.unwrap_or_default()) {
        lines.push(format!("finishes: {groups}"));
    }
    lines
}

/// The numbers of the second measurement of the same requests.
pub(super) fn again(verdict: &Verdict) -> String {
    if let (Some(Reason::LeftBehind { .. }), Some(last)) =
        (&verdict.reason, verdict.evidence.last())
    {
        return format!("measured again: {last}");
    }
    let makespan = HumanDuration(verdict.makespan.unwrap_or_default());
    let steps = steps(verdict).map(|steps| format!("; finished in each step: {steps}"));
    format!(
        "{} at once, measured again: {makespan}{}",
        verdict.lanes,
        steps.unwrap_or_default()
    )
}

fn steps(verdict: &Verdict) -> Option<String> {
    let steps: Vec<_> = verdict.steps.iter().map(usize::to_string).collect();
    (!steps.is_empty()).then(|| steps.join(", "))
}

fn shown(time: Duration) -> String {
    HumanDuration(time).to_string()
}

fn client_too_slow(busy: Duration, late: Duration) -> String {
    // The client of a test does not count its work.
    if busy.is_zero() {
        return format!(
            "what measured was kept from running for {}, which alone may have made the requests end late",
            HumanDuration(late)
        );
    }
    format!(
        "the prober itself was too slow: it worked for {} and was kept from working for {}, which alone may have \
         made the requests end late",
        HumanDuration(busy),
        HumanDuration(late)
    )
}
