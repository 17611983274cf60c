//! The pictures: the requests of the verdict, and each bystander below the requests that it was asked beside.

use std::time::Duration;

use holdup_model::{HumanDuration, Lane, Timeline};
use holdup_probe::Report;
use holdup_render::{Bystander, Picture};
use holdup_verdict::{Beside, BesideFinding, BesideKind, BesideRound};

/// The most lanes in a text, about one screen. A staircase is still visible in a selection of this size.
const MAX_LANES: usize = 40;

/// If a part of a bystander's requests was held up, those that waited for at least this part of the time are
/// drawn on a row of their own.
const HELD: u32 = 4;

/// The requests that the verdict is based on, or the requests sent alone if the probe ended before
/// the others.
pub(super) fn measured(report: &Report) -> Timeline {
    match &report.found.unique {
        Some(unique) => unique.clone(),
        None => report.found.alone.clone().into(),
    }
}

/// The whole report as one document: the requests of the verdict, and below them a picture for each bystander.
/// `lead` is what is said before the verdict.
pub(super) fn svg(report: &Report, lead: Option<&str>) -> String {
    let verdict = &report.found.verdict.sentence;
    let title = match lead {
        Some(lead) => format!("{lead} {verdict}"),
        None => verdict.clone(),
    };
    let measured = measured(report);
    let bystanders: Vec<_> = beside(report).collect();
    let mut pictures = vec![Picture::from(&measured)];
    if lead.is_some() || !bystanders.is_empty() {
        pictures[0].caption = Some(title.clone());
    }
    pictures.extend(bystanders.iter().filter_map(drawn));
    holdup_render::svg_of_all(&pictures, &title)
}

/// A bystander: what it is called, how it fared, and the round that shows it.
pub(super) struct Shown<'a> {
    name: String,
    pub(super) found: &'a Beside,
    round: Option<&'a BesideRound>,
}

/// The bystanders, in the order in which they were given.
pub(super) fn beside(report: &Report) -> impl Iterator<Item = Shown<'_>> {
    let found = &report.found;
    let names = report.names().beside.into_iter();
    let shown = found.beside_shown.iter().map(Option::as_ref);
    let rounds = shown.chain(std::iter::repeat(None));
    names
        .zip(&found.beside)
        .zip(rounds)
        .map(|((name, found), round)| Shown { name, found, round })
}

impl Shown<'_> {
    /// How the bystander fared, in one sentence.
    pub(super) fn sentence(&self) -> String {
        self.found.clone().named(&self.name).sentence
    }
}

/// A bystander below the requests that it was asked beside, with its sentence; `None` if there was no round.
pub(super) fn drawn<'a>(shown: &Shown<'a>) -> Option<Picture<'a>> {
    let round = shown.round?;
    Some(Picture {
        caption: Some(shown.sentence()),
        bystanders: rows(&shown.name, shown.found, round),
        ..Picture::from(&round.at_once)
    })
}

/// At most so many lanes as fit a screen, and a note if they are not all.
pub(super) fn some(lanes: &Timeline) -> (Timeline, Option<String>) {
    let count = lanes.lanes.len();
    if count <= MAX_LANES {
        return (lanes.clone(), None);
    }
    let some: Vec<_> = (0..MAX_LANES)
        .map(|place| lanes.lanes[place * count / MAX_LANES].clone())
        .collect();
    let note = format!("({MAX_LANES} of {count} requests are shown)");
    (some.into(), Some(note))
}

/// The rows of a bystander: one, or two if only a part of its requests was held up.
fn rows(name: &str, found: &Beside, round: &BesideRound) -> Vec<Bystander> {
    let requests = round.at_once.lanes.len();
    let is_round = |finding: &&BesideFinding| finding.requests == requests;
    let mut finding = found.rounds.iter().filter(is_round);
    let fits = |finding: &&BesideFinding| finding.kind == found.kind;
    let finding = finding.clone().rfind(fits).or_else(|| finding.next_back());
    let longest = finding.map_or(Duration::ZERO, |finding| finding.longest);
    let lanes: Vec<&Lane> = round.samples.iter().map(|sample| &sample.lane).collect();
    let row = |lanes: Vec<&Lane>, note| Bystander {
        label: format!("{name}, {}", times(lanes.len())),
        note,
        requests: lanes.into_iter().cloned().collect(),
    };
    let silence = || format!("no answer for {}", HumanDuration(longest));
    match found.kind {
        BesideKind::Frozen => vec![row(lanes, silence())],
        BesideKind::SomeFrozen => {
            let is_held = |lane: &&Lane| lane.duration().is_none_or(|took| took * HELD >= longest);
            let (held, others): (Vec<_>, Vec<_>) = lanes.into_iter().partition(is_held);
            let took = answered_in(median(&others));
            vec![row(held, silence()), row(others, took)]
        }
        _ => vec![row(
            lanes,
            answered_in(finding.and_then(|finding| finding.median)),
        )],
    }
}

fn answered_in(took: Option<Duration>) -> String {
    took.map_or_else(String::new, |took| {
        format!("answered in {}", HumanDuration(took))
    })
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

/// How long an answer took, in the middle of all.
fn median(lanes: &[&Lane]) -> Option<Duration> {
    let mut times: Vec<_> = lanes.iter().filter_map(|lane| lane.duration()).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
