//! How a second URL fares that is measured in the same way.

use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::contrast::{Contrast, contrast, how};
use super::delivery::Delivery;
use super::reason::Reason;
use super::verdict::{Kind, Verdict};
use holdup_model::millis::Millis;

/// How a second URL fares, such as the server behind the proxy that was measured.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Versus {
    /// The verdict on the second URL.
    pub verdict: Verdict,
    /// How its answer is delivered.
    pub delivery: Delivery,
    /// What one request to it takes alone.
    pub solo: Option<Duration>,
    /// Whether it is certain that more requests ran at a time than at the measured URL.
    pub freer: bool,
    /// The difference in one sentence.
    pub sentence: String,
}

/// What the two URLs are called in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersusNames<'a> {
    /// The URL that was measured, which may be a proxy's.
    pub measured: &'a str,
    /// The second URL, which leads past the proxy.
    pub second: &'a str,
}

impl Versus {
    /// The finding about the second URL, before it is [worded](Self::worded).
    pub(super) fn of(verdict: Verdict, delivery: Delivery, solo: Option<Duration>) -> Self {
        Self {
            verdict,
            delivery,
            solo,
            freer: false,
            sentence: String::new(),
        }
    }

    /// Compares the finding with what was `measured`, in a sentence with these names.
    #[must_use]
    pub fn worded(
        mut self,
        measured: &Verdict,
        delivery: Delivery,
        names: VersusNames<'_>,
    ) -> Self {
        self.freer = contrast(measured, &self.verdict) == Contrast::More;
        self.sentence = self.sentence(measured, delivery, names);
        self
    }

    fn sentence(&self, measured: &Verdict, delivery: Delivery, names: VersusNames<'_>) -> String {
        let (n, second, through) = (self.verdict.lanes, names.second, names.measured);
        if let Some(problem) = self.problem(second) {
            return problem;
        }
        let because = |verdict: &Verdict| verdict.because().unwrap_or_default();
        let (direct, ran) = (how(&self.verdict), how(measured));
        let one = format!("Directly, at {second}, the {n} requests ran {direct}");
        let both = format!("{one}; through {through}, they ran {ran}");
        let mut sentence = match (contrast(measured, &self.verdict), measured.kind) {
            (Contrast::Same, Kind::Concurrent) => format!("{one}, too"),
            (Contrast::Same, _) => format!("{one}, too: the server does it, not the proxy"),
            (Contrast::More, _) => format!("{both}: the proxy does it"),
            (Contrast::Fewer, _) => format!(
                "{both}: the proxy answers some of them itself, or passes them to more than this server"
            ),
            (Contrast::Unclear, _) if self.verdict.kind == Kind::Inconclusive => format!(
                "Directly, at {second}, the measurement does not show how the requests ran: {}",
                because(&self.verdict)
            ),
            (Contrast::Unclear, Kind::Inconclusive) => format!(
                "{one}; through {through}, the measurement does not show how they ran: {}",
                because(measured)
            ),
            (Contrast::Unclear, _) => format!("{both}, which does not show whether they differ"),
        };
        sentence += &self.differently_delivered(delivery).unwrap_or_default();
        sentence + "."
    }

    /// Why the second URL could not be measured.
    fn problem(&self, second: &str) -> Option<String> {
        match &self.verdict.reason {
            Some(Reason::Failed {
                what, alone: true, ..
            }) => Some(format!("A request to {second} failed: {what}.")),
            Some(Reason::Status {
                status: status @ 300..400,
                alone: true,
                ..
            }) => Some(format!(
                "The answer of {second} is a redirect ({status}), which is not followed here: give the URL \
                 that it leads to."
            )),
            Some(Reason::Status {
                status,
                alone: true,
                ..
            }) => Some(format!("A request to {second} got status {status}.")),
            _ => None,
        }
    }

    /// How the delivery differs, if it does.
    fn differently_delivered(&self, measured: Delivery) -> Option<String> {
        let (direct, through) = self.delivery.name().zip(measured.name())?;
        let words = |name: &str| match name {
            "single" => "in one piece".to_owned(),
            name => name.to_owned(),
        };
        (direct != through).then(|| {
            let (direct, through) = (words(direct), words(through));
            format!("; its answer is {direct} directly, but {through} through the proxy")
        })
    }
}

impl Serialize for Versus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut versus = serializer.serialize_struct("Versus", 5)?;
        versus.serialize_field("verdict", &self.verdict.kind)?;
        versus.serialize_field("at_a_time", &self.verdict.at_a_time)?;
        versus.serialize_field("delivery", &self.delivery.name())?;
        versus.serialize_field("solo_ms", &self.solo.map(Millis))?;
        versus.serialize_field("sentence", &self.sentence)?;
        versus.end()
    }
}
