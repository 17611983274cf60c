//! How a plan requests its rounds, and the state that it keeps between them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answers::Answers;
use super::desk::Desk;
use super::policy::{LONG_SOLO, Policy};
use super::round::{Ask, Connections, Round, RoundKind};
use super::variation::Variation;
use crate::left_behind::LeftBehind;
use holdup_model::{Lane, Timeline};

/// A round of unique URLs. Their names are numbers, one after the other.
#[derive(Debug)]
pub(super) struct Unique {
    /// The number of the first.
    pub(super) first: usize,
    pub(super) timeline: Timeline,
}

/// The state of a plan.
pub(super) struct Plan {
    pub(super) desk: Desk,
    pub(super) policy: Policy,
    /// How many names with each prefix have been used.
    pub(super) names: BTreeMap<&'static str, usize>,
    /// The pause before the next round.
    pub(super) pause: Duration,
    /// The time-out of the last round that had one of its own.
    pub(super) timeout: Duration,
    /// What is changed in all requests meanwhile.
    pub(super) variation: Option<Variation>,
    /// Whether requests at once are sent a moment apart. Otherwise one of several processes that accept from
    /// one socket may take all of the connections, as if the server had no others.
    pub(super) apart: bool,
}

/// Requests that are sent apart are sent within this fraction of the solo time, which is too short to matter.
const APART: u32 = 10;

/// The longest time from one of them to the next.
const APART_MOST: Duration = Duration::from_millis(10);

impl Plan {
    /// The first request of all.
    pub(super) async fn warm_up(&mut self) -> Lane {
        let name = match self.number("warm") {
            0 => "warm".to_owned(),
            again => format!("warm{again}"),
        };
        self.one(RoundKind::WarmUp, name, Duration::ZERO, None)
            .await
    }

    /// One request alone, and a second one unless the first takes long or fails.
    pub(super) async fn solos(&mut self) -> Vec<Lane> {
        let mut alone = vec![self.solo(None).await];
        let first = alone[0].duration();
        if first.is_some_and(|took| took <= LONG_SOLO)
            || self.policy.despite_errors && first.is_none()
        {
            alone.push(self.solo(first).await);
        }
        alone
    }

    /// One request alone.
    pub(super) async fn solo(&mut self, known: Option<Duration>) -> Lane {
        let asks = vec![Ask::now(self.name("solo"))];
        let round = self.round(RoundKind::Solo, asks, known);
        self.ask(round).await.remove(0)
    }

    /// All at once, each with a URL of its own, which no other round has.
    pub(super) async fn unique(&mut self, pause: Duration, solo: Option<Duration>) -> Unique {
        let numbers: Vec<_> = (0..self.policy.requests)
            .map(|_| self.number("") + 1)
            .collect();
        let asks = if self.apart {
            apart(&numbers, solo)
        } else {
            apart(&numbers, None)
        };
        let round = self.round(RoundKind::Unique, asks, solo);
        let lanes = self.ask(Round { pause, ..round }).await;
        Unique {
            first: numbers.first().copied().unwrap_or_default(),
            timeline: lanes.into(),
        }
    }

    /// All at once with one URL, which no other round has.
    pub(super) async fn identical(&mut self, solo: Option<Duration>) -> (Timeline, String) {
        let name = format!("same{}", self.number("same"));
        let asks = vec![Ask::now(&name); self.policy.requests];
        let round = self.round(RoundKind::Identical, asks, solo);
        (self.ask(round).await.into(), name)
    }

    /// A request a moment after others, to see what they left behind.
    pub(super) async fn after(&mut self, prefix: &'static str) -> Lane {
        let name = self.name(prefix);
        self.one(
            RoundKind::After,
            name,
            LeftBehind::MOMENT,
            Some(self.timeout),
        )
        .await
    }

    /// One request right after others, such as one for a URL that has been requested before.
    pub(super) async fn again(&mut self, name: String) -> Lane {
        let timeout = Some(self.timeout);
        self.one(RoundKind::After, name, Duration::ZERO, timeout)
            .await
    }

    /// Requests for new URLs, one after the other, which show whether such URLs still take longer than a repeated one:
    /// one if a request takes long, and otherwise two.
    pub(super) async fn fresh(&mut self, alone: &[Lane]) -> Vec<Lane> {
        let count = if alone.iter().any(is_long) { 1 } else { 2 };
        let mut fresh = Vec::new();
        for _ in 0..count {
            let name = self.name("fresh");
            fresh.push(self.again(name).await);
        }
        fresh
    }

    /// A name that has not been used yet.
    pub(super) fn name(&mut self, prefix: &'static str) -> String {
        format!("{prefix}{}", self.number(prefix) + 1)
    }

    /// How many names of this prefix there were before.
    pub(super) fn number(&mut self, prefix: &'static str) -> usize {
        let count = self.names.entry(prefix).or_default();
        *count += 1;
        *count - 1
    }

    /// Makes the next round begin after a pause of at least this length.
    pub(super) fn pause_before_next(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// One request.
    pub(super) async fn one(
        &mut self,
        kind: RoundKind,
        name: String,
        pause: Duration,
        timeout: Option<Duration>,
    ) -> Lane {
        let round = Round {
            kind,
            pause,
            asks: vec![Ask::now(name)],
            concurrent: None,
            serialized: None,
            timeout: timeout.unwrap_or_else(|| self.policy.bound(None)),
            linger: Duration::ZERO,
            connections: Connections::Own,
            bystander: None,
        };
        self.ask(round).await.remove(0)
    }

    /// A round of requests that take `solo` alone.
    pub(super) fn round(&self, kind: RoundKind, asks: Vec<Ask>, solo: Option<Duration>) -> Round {
        let times = asks.iter().filter(|ask| !ask.optional).count();
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        let serialized = solo.map(|solo| solo.saturating_mul(times));
        Round {
            kind,
            pause: Duration::ZERO,
            asks,
            concurrent: solo,
            serialized,
            timeout: self.policy.bound(serialized),
            linger: Duration::ZERO,
            connections: Connections::Own,
            bystander: None,
        }
    }

    /// Requests a round and returns one lane for each of its requests.
    pub(super) async fn ask(&mut self, round: Round) -> Vec<Lane> {
        self.ask_all(round).await.lanes
    }

    /// Requests a round and returns all that it produced, with one lane for each of its requests.
    pub(super) async fn ask_all(&mut self, mut round: Round) -> Answers {
        round.pause = round.pause.max(std::mem::take(&mut self.pause));
        self.timeout = round.timeout;
        if let Some(variation) = self.variation {
            variation.apply(&mut round);
        }
        let names: Vec<_> = round.asks.iter().map(|ask| ask.name.clone()).collect();
        let mut answers = self.desk.ask(round).await;
        let lanes = &mut answers.lanes;
        lanes.truncate(names.len());
        let missing = names.into_iter().skip(lanes.len());
        lanes.extend(missing.map(|name| Lane::start(name, Duration::ZERO)));
        answers
    }
}

/// Requests for the URLs of these numbers, each sent a moment after the one before if it is known what one takes
/// alone.
pub(super) fn apart(numbers: &[usize], solo: Option<Duration>) -> Vec<Ask> {
    let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX).max(1);
    let moment = (solo.unwrap_or_default() / APART / count).min(APART_MOST);
    let asks = (0..).zip(numbers).map(|(place, number)| Ask {
        after: moment * place,
        ..Ask::now(number.to_string())
    });
    asks.collect()
}

/// Whether a request was answered, and not with an error.
pub(super) fn is_well(lane: &Lane) -> bool {
    lane.finished_at().is_some() && lane.status() < Some(400)
}

/// Whether the request succeeded and took so long that one measurement is enough.
pub(super) fn is_long(lane: &Lane) -> bool {
    is_well(lane) && lane.duration() > Some(LONG_SOLO)
}

/// The shortest of the requests alone.
pub(super) fn shortest(alone: &[Lane]) -> Option<Duration> {
    alone.iter().filter_map(Lane::duration).min()
}
