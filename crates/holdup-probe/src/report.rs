//! The report of a probe, and the notes that are added to its verdict.

use std::ops::Range;
use std::time::Instant;

use super::connection;
use super::elsewhere;
use super::inside::{Asked, Culprit, Inside, Queue};
use super::name::name;
use super::request::Request;
use super::settings::Settings;
use super::target::Target;
use super::tls;
use holdup_model::{Failure, Lane};
use holdup_verdict::experiment::Findings;
use holdup_verdict::{
    self as verdict, CauseKind, Kind, Names, Platform, Reason, VersusNames, cause, cause_advice,
    one_answer,
};

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
    /// What was found.
    pub found: Findings,
    /// Scheme, host and port of the URL.
    pub(super) origin: String,
    /// The URLs of the bystanders, in the order in which they were given.
    pub beside: Vec<String>,
    /// Which of them got the cookies and credentials of the requests.
    pub(super) same_session: Vec<bool>,
    /// The URL that the measured one was compared with.
    pub versus: Option<String>,
    /// What the app itself saw meanwhile; see [`with_inside`](Self::with_inside).
    pub(super) inside: Option<Inside>,
    /// The path of the URL, and the method of the requests.
    path: String,
    method: String,
    /// When requests were open: a range for each round.
    rounds: Vec<Range<Instant>>,
    /// Whether HTTP/2 was not tried.
    pub(super) without_http2: bool,
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
        self.failed_alone(|failure| match failure {
            Failure::Other(why) => tls::is_about_trust(why),
            _ => false,
        })
    }

    /// Whether the verdict is inconclusive because the answer cannot be read as HTTP.
    pub fn is_unreadable(&self) -> bool {
        self.failed_alone(connection::is_unreadable)
    }

    /// Whether the verdict is inconclusive because the answer is not HTTP/1.1, and HTTP/2 was not tried: see
    /// [`Settings::http2`].
    pub fn may_need_http2(&self) -> bool {
        self.without_http2 && self.failed_alone(connection::is_not_http1)
    }

    /// Whether a request that was alone failed in such a way.
    fn failed_alone(&self, is: impl Fn(&Failure) -> bool) -> bool {
        self.found.alone.iter().filter_map(Lane::failure).any(is)
    }

    /// Whether the second URL was not measured because its server's certificate does not verify.
    pub fn is_versus_unverified(&self) -> bool {
        let versus = self.found.versus.as_ref();
        let reason = versus.and_then(|versus| versus.verdict.reason.as_ref());
        matches!(reason, Some(Reason::Failed { what, .. }) if tls::is_about_trust(what))
    }

    /// Compares the second URL with the measured one in words that name them.
    pub fn name_versus(&mut self) {
        let found = &mut self.found;
        if let (Some(versus), Some(second)) = (found.versus.take(), &self.versus) {
            let names = VersusNames {
                measured: &self.url,
                second,
            };
            found.versus = Some(versus.worded(&found.verdict, found.delivery, names));
        }
    }

    /// Adds a line to the verdict's evidence.
    pub(super) fn add_evidence(&mut self, line: &str) {
        self.found.verdict.evidence.push(line.to_owned());
    }

    /// Adds what the app itself saw meanwhile, as [`Watching::finish`](super::Watching::finish) returns it. What
    /// explains the cause becomes its culprit: the route that held workers, or the place at which the requests wait
    /// for each other.
    #[must_use]
    pub fn with_inside(mut self, inside: Inside) -> Self {
        self.inside = Some(inside);
        let held = match self.found.cause.kind {
            CauseKind::BlockedLoop
            | CauseKind::Workers
            | CauseKind::OneWorkerOfSeveral
            | CauseKind::Cores
            | CauseKind::Unknown => self.culprit(),
            _ => None,
        };
        let queue = self.queue();
        if let Some(queue) = &queue {
            self.found.cause.evidence.push(format!(
                "inside the app: {queue}, up to {} at a time",
                queue.most
            ));
        }
        let held = held.map(|culprit| (culprit.method, culprit.route, culprit.line));
        let culprit = held.or(queue.map(|queue| (queue.method, queue.route, queue.line)));
        self.found.cause.culprit = culprit.map(|(method, route, line)| verdict::Culprit {
            method,
            route,
            line,
        });
        self
    }

    /// What the app itself saw meanwhile; `None` if it was not asked.
    pub fn inside(&self) -> Option<&Inside> {
        self.inside.as_ref()
    }

    /// The route that held the app's workers while the requests ran, as far as [`inside`](Self::inside) shows
    /// it.
    pub fn culprit(&self) -> Option<Culprit> {
        self.inside.as_ref()?.culprit(&self.asked())
    }

    /// The place in the app at which the requests wait for each other without holding a worker, as far as
    /// [`inside`](Self::inside) shows it. `None` if they do not run in turns, and if the cause or the holds say that
    /// they wait for a worker.
    pub fn queue(&self) -> Option<Queue> {
        let (inside, asked) = (self.inside.as_ref()?, self.asked());
        let may_be = match self.found.cause.kind {
            CauseKind::OwnQueue | CauseKind::BySession => true,
            CauseKind::Workers | CauseKind::Unknown => {
                inside.is_hardly_held(&asked) && self.culprit().is_none()
            }
            _ => false,
        };
        let at_a_time = self.at_a_time().filter(|_| may_be)?;
        inside.queue(&asked, at_a_time)
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            path: &self.path,
            rounds: &self.rounds,
        }
    }

    /// How many requests run at a time at most, as far as any round shows it. `None` if they do not wait for each
    /// other, and if they run all together and slow each other down.
    fn at_a_time(&self) -> Option<usize> {
        let verdict = &self.found.verdict;
        let in_turns = matches!(verdict.kind, Kind::Serialized | Kind::Limited);
        if verdict.reason == Some(Reason::Shared) {
            return None;
        }
        let limit = self.found.limit.as_ref().filter(|limit| limit.confirmed);
        let limit = limit.and_then(|limit| limit.at_a_time);
        let began = self.found.began.as_ref().and_then(|began| began.at_a_time);
        let verdict = verdict.at_a_time.filter(|_| in_turns);
        [
            verdict,
            limit,
            began,
            self.found.beside_ran.filter(|_| in_turns),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// The names of the other routes, as sentences have them: a path, if it is on the same server.
    pub fn names(&self) -> Names {
        let name = |url: &String| name(url, &self.origin).to_owned();
        Names {
            beside: self.beside.iter().map(name).collect(),
            same_session: self.same_session.clone(),
            versus: self.versus.as_ref().map(name),
        }
    }

    /// Adds what the verdict's numbers do not show: that another page was measured, or that one answer may
    /// have served all.
    fn add_notes(&mut self) {
        let verdict = &mut self.found.verdict;
        if let Some((measured, from)) = &self.elsewhere {
            let sentence = verdict.sentence.trim_end_matches('.');
            verdict.sentence =
                format!("{sentence}, measured at {measured}, where {from} redirects.");
        }
        let unique = self.found.unique.as_ref();
        if let Some(sentence) = unique.and_then(|unique| one_answer(&self.found.alone, unique)) {
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
    found: Findings,
    (redirected_from, target): (Vec<Target>, Target),
    (request, rounds): (&Request, Vec<Range<Instant>>),
    places: Vec<String>,
    platform: Platform,
    settings: &Settings,
) -> Report {
    let from = redirected_from.first();
    let mut report = Report {
        url: target.url().to_owned(),
        origin: target.origin().to_owned(),
        elsewhere: from.and_then(|from| elsewhere::pages(from, &target)),
        redirected_from: redirected_from
            .iter()
            .map(|from| from.url().to_owned())
            .collect(),
        places,
        requests: settings.requests,
        beside: settings
            .beside
            .iter()
            .map(|target| target.url().to_owned())
            .collect(),
        same_session: settings
            .beside
            .iter()
            .map(|beside| {
                let own = request.for_bystander(target.parsed(), beside.parsed());
                own.is_personal() && own.personal_label().is_none()
            })
            .collect(),
        versus: settings
            .versus
            .as_ref()
            .map(|target| target.url().to_owned()),
        inside: None,
        without_http2: false,
        path: target.parsed().path().to_owned(),
        method: request.method_name(),
        rounds,
        found,
    };
    report.name_versus();
    report.found.cause = cause(&report.found, &report.names());
    report.found.verdict.advice = cause_advice(&report.found, platform);
    report.add_notes();
    report
}
