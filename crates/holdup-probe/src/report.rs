//! The report of a probe, and the notes that are added to its verdict.

use std::ops::Range;
use std::time::Instant;

use super::elsewhere;
use super::inside::{Asked, Culprit, Inside};
use super::settings::Settings;
use super::target::Target;
use super::tls;
use holdup_model::{Failure, Lane, Timeline};
use holdup_verdict::experiment::Findings;
use holdup_verdict::{Delivery, Identical, Platform, Verdict, one_answer};

/// What was measured, and what it means.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The URL that was measured: where the redirects led.
    pub url: String,
    /// The URLs that redirected there, in order.
    pub redirected_from: Vec<String>,
    /// Where `{}` was replaced by each request's own label, in words; empty if a query was added instead.
    pub places: Vec<String>,
    /// How many requests at once were asked for.
    pub requests: usize,
    /// The requests alone. The one that warmed up, if it failed, or if it was found to take no longer than
    /// later ones.
    pub alone: Vec<Lane>,
    /// Requests after a pause, each with the one that was asked right after its answer, and those asked
    /// right after requests at once: to see what requests leave behind. Empty unless it was suspected.
    pub rested: Vec<Lane>,
    /// The requests at once with unique URLs.
    pub unique: Option<Timeline>,
    /// The requests at once with the same URL.
    pub same: Option<Timeline>,
    /// How many of the unique ones ran at a time.
    pub verdict: Verdict,
    /// How the answer to a request alone is delivered.
    pub delivery: Delivery,
    /// The comparison of identical URLs with unique ones.
    pub identical: Option<Identical>,
    /// What the app itself saw meanwhile. [`probe`](super::probe) leaves it empty; put there what
    /// [`Watching::finish`](super::Watching::finish) returns.
    pub inside: Option<Inside>,
    /// Scheme, host and port of the URL.
    pub(super) origin: String,
    /// The path of the URL, and the method of the requests.
    path: String,
    method: String,
    /// When requests were open.
    rounds: Vec<Range<Instant>>,
    /// The page that was measured, and the one that was asked for, if they are not the same.
    elsewhere: Option<(String, String)>,
}

impl Report {
    /// Whether redirects led to another page than the one that was asked for: a log-in, for example. A
    /// difference in a slash at the end, `https`, `www.` or the query does not make another page.
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Whether the verdict is inconclusive because the server's certificate does not verify.
    /// [`Settings::insecure`] accepts any certificate.
    pub fn is_unverified(&self) -> bool {
        let failures = self.alone.iter().filter_map(Lane::failure);
        failures.into_iter().any(|failure| match failure {
            Failure::Other(why) => tls::is_about_trust(why),
            _ => false,
        })
    }

    /// The route that held the app's workers while the requests ran, as far as [`inside`](Self::inside) shows
    /// it.
    pub fn culprit(&self) -> Option<Culprit> {
        self.inside.as_ref()?.culprit(&Asked {
            method: &self.method,
            path: &self.path,
            rounds: &self.rounds,
        })
    }

    /// Adds what the verdict's numbers do not show: that another page was measured, or that one answer may
    /// have served all.
    fn add_notes(&mut self) {
        let verdict = &mut self.verdict;
        if let Some((measured, from)) = &self.elsewhere {
            let sentence = verdict.sentence.trim_end_matches('.');
            verdict.sentence =
                format!("{sentence}, measured at {measured}, where {from} redirects.");
        }
        let unique = self.unique.as_ref();
        if let Some(sentence) = unique.and_then(|unique| one_answer(&self.alone, unique)) {
            verdict.evidence.push(sentence);
            verdict.advice.push(
                "Make sure that the server tells these requests apart: put {} into the part of the URL, \
                 of a header or of the body by which it does."
                    .to_owned(),
            );
        }
    }
}

/// The report of what was found at the end of these redirects.
pub(super) fn of(
    findings: Findings,
    (redirected_from, target): (Vec<Target>, Target),
    (method, rounds): (String, Vec<Range<Instant>>),
    places: Vec<String>,
    platform: Platform,
    settings: Settings,
) -> Report {
    let from = redirected_from.first();
    let mut report = Report {
        url: target.url().to_owned(),
        origin: target.origin().to_owned(),
        elsewhere: from.and_then(|from| elsewhere::pages(from.parsed(), target.parsed())),
        redirected_from: redirected_from
            .iter()
            .map(|from| from.url().to_owned())
            .collect(),
        places,
        requests: settings.requests,
        alone: findings.alone,
        rested: findings.rested,
        unique: findings.unique,
        same: findings.same,
        verdict: findings.verdict.advised_for(platform),
        delivery: findings.delivery,
        identical: findings.identical,
        inside: None,
        path: target.parsed().path().to_owned(),
        method,
        rounds,
    };
    report.add_notes();
    report
}
