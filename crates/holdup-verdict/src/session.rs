//! How requests without cookies and credentials fare.

use serde::Serialize;

use super::contrast::{Contrast, contrast, how};
use super::verdict::{Kind, Verdict};
use holdup_model::{HumanDuration, Lane};

/// Requests with and without a cookie do the same work if one alone takes at most this many times as long as
/// the other …
const AS_LONG: f64 = 1.5;

/// … or if the two differ by no more than this, the noise of one measurement.
const AS_LONG_BY: f64 = 0.02;

/// How requests without cookies and credentials fare, compared with requests that all have the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// How the requests without them ran.
    pub verdict: Kind,
    /// How many ran at a time, if it shows.
    pub at_a_time: Option<usize>,
    /// Whether it is certain that more of them ran at a time than of those with the cookie or credential.
    #[serde(skip)]
    pub freer: bool,
    /// The finding in one sentence.
    pub sentence: String,
}

impl Session {
    /// The finding if the two cannot be compared.
    pub(super) fn not_compared(sentence: String) -> Self {
        Self {
            verdict: Kind::Inconclusive,
            at_a_time: None,
            freer: false,
            sentence,
        }
    }

    /// Compares the verdict on requests `without` cookies and credentials with that on requests `with` them.
    pub(super) fn compared(with: &Verdict, without: &Verdict) -> Self {
        Self {
            verdict: without.kind,
            at_a_time: without.at_a_time,
            freer: contrast(with, without) == Contrast::More,
            sentence: sentence(with, without),
        }
    }
}

fn sentence(with: &Verdict, without: &Verdict) -> String {
    let n = with.lanes;
    if without.kind == Kind::Inconclusive {
        let why = without.because().unwrap_or_default();
        return format!(
            "Requests without the cookie or credential cannot be compared with those that have it: {why}."
        );
    }
    let (with_it, without_it) = (how(with), how(without));
    let both = format!(
        "With the same cookie or credential, the {n} requests ran {with_it}; without it, they ran \
         {without_it}"
    );
    let alike = format!("Without the cookie or credential, the {n} requests ran {without_it}, too");
    match (contrast(with, without), with.kind) {
        (Contrast::Same, Kind::Concurrent) => format!("{alike}."),
        (Contrast::Same, _) => format!("{alike}: it is no lock by session."),
        (Contrast::More, Kind::Serialized) => format!("{both}: a lock by session."),
        (Contrast::More, _) => format!("{both}: a limit for each session."),
        (Contrast::Fewer, _) => {
            format!("{both}: it is something that requests without a session share.")
        }
        (Contrast::Unclear, _) => format!("{both}, which does not show whether they differ."),
    }
}

/// Why requests alone `with` and `without` cookies and credentials cannot be compared, in one sentence:
/// without them, the server refuses the request, or does something else.
pub(super) fn cannot_be_compared(with: &[Lane], without: &[Lane]) -> Option<String> {
    let status = with.first().and_then(Lane::status);
    for lane in without {
        if let Some(failure) = lane.failure() {
            return Some(format!(
                "Without the cookie or credential, a request alone failed: {failure}."
            ));
        }
        if lane.status() != status {
            return Some(format!(
                "Without the cookie or credential, the server answers {}, so the two cannot be compared; \
                 measure a route that has a session but needs no log-in.",
                match lane.status() {
                    Some(status @ 300..400) => format!("with a redirect ({status})"),
                    Some(status) => status.to_string(),
                    None => "nothing".to_owned(),
                }
            ));
        }
    }
    let shortest = |lanes: &[Lane]| lanes.iter().filter_map(Lane::duration).min();
    let (with, without) = shortest(with).zip(shortest(without))?;
    let (short, long) = (with.min(without), with.max(without));
    let (short, long) = (short.as_secs_f64(), long.as_secs_f64());
    (long > (short * AS_LONG).max(short + AS_LONG_BY)).then(|| {
        format!(
            "Without the cookie or credential, a request alone takes {} instead of {}: the server does \
             something else for it, so the two cannot be compared.",
            HumanDuration(without),
            HumanDuration(with)
        )
    })
}

/// Why there is nothing to compare with, in one sentence.
pub(super) fn nothing_to_compare(with: &Verdict) -> Option<String> {
    (with.kind == Kind::Inconclusive).then(|| {
        "Requests without the cookie or credential were not compared, because the verdict on those that \
         have it is inconclusive."
            .to_owned()
    })
}
