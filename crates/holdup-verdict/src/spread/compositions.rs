//! The chance that a worker's share differs as much between rounds as it did, although it is the same.

use super::chance::{Chance, Method};
use super::gamma::{chi_square_tail, float, ln_factorials};

/// The most ways that are added up one by one.
const MOST_WAYS: f64 = 100_000.0;

/// A round: how many were hit, of how many.
pub(super) type Round = (usize, usize);

/// The chance that rounds with one and the same share differ at least as much as these. The measure is Pearson's, and
/// the total is taken as given, so that the share need not be known: Fisher's exact test, for several rounds.
///
/// All ways to spread the hits over the rounds are added up if there are at most 100,000; otherwise the measure is
/// compared with the chi-square distribution.
pub(super) fn chance(rounds: &[Round]) -> Chance {
    // What was not hit differs between the rounds as much as what was. The fewer of both are less to add up.
    let all: usize = rounds.iter().map(|(_, of)| of).sum();
    let mut hits: usize = rounds.iter().map(|(hits, _)| hits).sum();
    let mut rounds = rounds.to_vec();
    if hits > all - hits {
        hits = all - hits;
        rounds = rounds
            .into_iter()
            .map(|(hits, of)| (of - hits, of))
            .collect();
    }
    if hits == 0 {
        return Chance {
            probability: 1.0,
            method: Method::Exact,
        };
    }
    let sum = Sum {
        share: float(hits) / float(all),
        factorials: ln_factorials(all),
        rounds: &rounds,
    };
    let seen: f64 = rounds
        .iter()
        .map(|(hits, of)| sum.measure(*hits, *of))
        .sum();
    if ways(hits, rounds.len()) > MOST_WAYS {
        return Chance {
            probability: chi_square_tail(seen, rounds.len() - 1),
            method: Method::ChiSquare,
        };
    }
    // Two ways that are equally uneven may differ by a rounding error.
    let least = seen * (1.0 - 1e-9);
    let probability = sum.from(0, hits, -sum.ln_choose(all, hits), least);
    Chance {
        probability: probability.clamp(0.0, 1.0),
        method: Method::Exact,
    }
}

/// In how many ways `hits` can be spread over so many rounds.
fn ways(hits: usize, rounds: usize) -> f64 {
    (1..rounds).map(|k| float(hits + k) / float(k)).product()
}

struct Sum<'a> {
    share: f64,
    factorials: Vec<f64>,
    rounds: &'a [Round],
}

impl Sum<'_> {
    /// By how much a round differs from what is expected of it.
    fn measure(&self, hits: usize, of: usize) -> f64 {
        let expected = float(of) * self.share;
        if expected == 0.0 {
            return 0.0;
        }
        (float(hits) - expected).powi(2) / (expected * (1.0 - self.share))
    }

    fn ln_choose(&self, of: usize, some: usize) -> f64 {
        self.factorials[of] - self.factorials[some] - self.factorials[of - some]
    }

    /// The chance of all ways to spread the hits that are `left` over the rounds from this one on, which differ by at
    /// least `missing` more. `chance` is the logarithm of what the rounds before contribute.
    fn from(&self, round: usize, left: usize, chance: f64, missing: f64) -> f64 {
        let Some((_, of)) = self.rounds.get(round) else {
            return if left == 0 && missing <= 0.0 {
                chance.exp()
            } else {
                0.0
            };
        };
        let later: usize = self.rounds[round + 1..].iter().map(|(_, of)| of).sum();
        let least = left.saturating_sub(later);
        let next = |hits: usize| {
            let chance = chance + self.ln_choose(*of, hits);
            self.from(
                round + 1,
                left - hits,
                chance,
                missing - self.measure(hits, *of),
            )
        };
        (least..=left.min(*of)).map(next).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_is_that_of_fishers_exact_test() {
        // R: fisher.test(matrix(c(3, 1, 1, 3), 2))$p.value, and of c(8, 2, 1, 9).
        for (rounds, expected) in [
            ([(3, 4), (1, 4)], 0.485_714),
            ([(8, 10), (1, 10)], 0.005_477),
            ([(2, 10), (9, 10)], 0.005_477),
            ([(5, 10), (5, 10)], 1.0),
            ([(0, 10), (0, 10)], 1.0),
            ([(10, 10), (10, 10)], 1.0),
        ] {
            let found = chance(&rounds);
            assert_eq!(found.method, Method::Exact);
            assert!(
                (found.probability - expected).abs() < 1e-5,
                "{rounds:?}: {found:?}"
            );
        }
    }

    #[test]
    fn rounds_of_any_length_are_compared() {
        let alike = chance(&[(5, 20), (2, 8), (10, 40), (0, 0)]);
        assert!(alike.probability > 0.99, "{alike:?}");
        let differ = chance(&[(14, 20), (3, 20), (14, 20), (2, 20), (4, 20)]);
        assert!(differ.probability < 1e-4, "{differ:?}");
    }

    #[test]
    fn the_approximation_is_close_where_it_takes_over() {
        let rounds = [(60, 200), (38, 200), (52, 200), (41, 200), (57, 200)];
        let many = chance(&rounds);
        assert_eq!(many.method, Method::ChiSquare);
        // 29 of 125, of which 5.8 are expected in each round.
        let few = [(7, 25), (4, 25), (6, 25), (5, 25), (7, 25)];
        let exact = chance(&few);
        assert_eq!(exact.method, Method::Exact);
        let squares = few.map(|(hits, _)| (float(hits) - 5.8).powi(2));
        let measure = squares.iter().sum::<f64>() / (5.8 * (1.0 - 5.8 / 25.0));
        let near = chi_square_tail(measure, 4);
        assert!(
            (exact.probability / near - 1.0).abs() < 0.1,
            "{exact:?} {near}"
        );
    }
}
