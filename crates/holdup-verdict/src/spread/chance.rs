//! A probability, and how it was found.

use serde::Serialize;

use super::gamma::float;

/// The chance that an even spread looks at least as uneven as the one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Chance {
    /// Between 0 and 1.
    pub probability: f64,
    /// How it was found.
    pub method: Method,
}

/// How a chance was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// All ways to spread the connections were added up.
    Exact,
    /// The measure of unevenness was compared with the chi-square distribution, because there are too many ways.
    ChiSquare,
}

impl Chance {
    /// The chance that at least one of several even spreads looks as uneven as the most uneven one of these: the
    /// smallest chance, times their number (Bonferroni's bound, which is never too small). `None` if there are none.
    pub(super) fn of_several(chances: &[Self]) -> Option<Self> {
        let least = |one: &&Self, other: &&Self| one.probability.total_cmp(&other.probability);
        let smallest = chances.iter().min_by(least)?;
        Some(Self {
            probability: (smallest.probability * float(chances.len())).min(1.0),
            ..*smallest
        })
    }
}
