//! The chance that an even spread looks at least as uneven as the counts that were seen.

use super::chance::{Chance, Method};
use super::gamma::{chi_square_tail, float, ln_factorials};

/// The most ways to spread the connections that are added up one by one. It takes a fraction of a second.
const MOST_WAYS: u64 = 1_000_000;

/// The chance that connections which fall on each of the workers alike, and independently of each other, give counts
/// that are at least as uneven as these. The measure is Pearson's: the sum of the squares of the counts.
///
/// All ways to spread the connections are added up if there are at most a million, apart from the order of the
/// workers. Otherwise the measure is compared with the chi-square distribution, which is close if each worker is to
/// get five or more (Cochran, "The χ² Test of Goodness of Fit", 1952).
pub(super) fn chance(counts: &[usize]) -> Chance {
    let all: usize = counts.iter().sum();
    let squares = counts.iter().map(|count| count * count).sum();
    if has_at_most(all, counts.len(), MOST_WAYS) {
        return Chance {
            probability: exact(all, counts.len(), squares),
            method: Method::Exact,
        };
    }
    let expected = float(all) / float(counts.len());
    let statistic = float(squares) / expected - float(all);
    Chance {
        probability: chi_square_tail(statistic, counts.len() - 1),
        method: Method::ChiSquare,
    }
}

/// Whether there are at most `most` ways to write `all` as a sum of up to `parts` numbers, apart from their order.
pub(super) fn has_at_most(all: usize, parts: usize, most: u64) -> bool {
    // ways[n]: to write n with the parts so far.
    let mut ways = vec![0_u64; all + 1];
    ways[0] = 1;
    for part in 1..=parts.min(all) {
        for n in part..=all {
            ways[n] = ways[n].saturating_add(ways[n - part]);
        }
        if ways[all] > most {
            return false;
        }
    }
    true
}

/// The chance that the sum of the squares is at least `squares`.
fn exact(all: usize, workers: usize, squares: usize) -> f64 {
    let factorials = ln_factorials(all.max(workers));
    let walk = Walk {
        squares,
        one: factorials[all] + factorials[workers] - float(all) * float(workers).ln(),
        factorials,
        workers,
    };
    let counted = walk.from(State {
        left: all,
        most: all,
        ..State::default()
    });
    counted.clamp(0.0, 1.0)
}

/// Visits the counts in decreasing order, each set of them once.
struct Walk {
    squares: usize,
    factorials: Vec<f64>,
    workers: usize,
    /// The logarithm of what all sets have in common.
    one: f64,
}

/// The counts so far.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// How many connections are left, and the most that the next worker gets of them.
    left: usize,
    most: usize,
    /// How many workers have theirs, and how many of the last of them have equally many.
    given: usize,
    alike: usize,
    squares: usize,
    /// The logarithm of the product of the factorials.
    product: f64,
}

impl Walk {
    fn from(&self, at: State) -> f64 {
        let workers = self.workers - at.given;
        if at.left == 0 {
            // The others get nothing, and are alike in that.
            let alike = self.factorials[at.alike] + self.factorials[workers];
            let chance = (self.one - at.product - alike).exp();
            return if at.squares >= self.squares {
                chance
            } else {
                0.0
            };
        }
        if workers == 0 {
            return 0.0;
        }
        // The rest has to fit into the workers that are left.
        let least = at.left.div_ceil(workers);
        let next = |count: usize| {
            let alike = at.given > 0 && count == at.most;
            let done = if alike { 0 } else { at.alike };
            self.from(State {
                left: at.left - count,
                most: count,
                given: at.given + 1,
                alike: if alike { at.alike + 1 } else { 1 },
                squares: at.squares + count * count,
                product: at.product + self.factorials[count] + self.factorials[done],
            })
        };
        (least..=at.most.min(at.left)).map(next).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(counts: &[usize], expected: f64) {
        let found = exact(
            counts.iter().sum(),
            counts.len(),
            counts.iter().map(|count| count * count).sum(),
        );
        assert!((found - expected).abs() < 1e-9, "{counts:?}: {found}");
    }

    #[test]
    fn small_chances_are_those_that_one_counts_by_hand() {
        near(&[1, 1], 1.0);
        // Both on one worker, in 2 of 4 ways.
        near(&[2, 0], 0.5);
        near(&[0, 2], 0.5);
        // 3 of 27, and 3 + 18 of 27.
        near(&[3, 0, 0], 3.0 / 27.0);
        near(&[2, 1, 0], 21.0 / 27.0);
        near(&[1, 1, 1], 1.0);
        // A coin that shows the same side ten times.
        near(&[10, 0], 2.0 / 1024.0);
        near(&[9, 1], 22.0 / 1024.0);
    }

    /// Each way to spread the connections, one by one.
    fn enumerated(all: u32, workers: usize, squares: usize) -> f64 {
        let ways = workers.pow(all);
        let uneven = (0..ways).filter(|way| {
            let (mut counts, mut way) = (vec![0_usize; workers], *way);
            for _ in 0..all {
                counts[way % workers] += 1;
                way /= workers;
            }
            counts.iter().map(|count| count * count).sum::<usize>() >= squares
        });
        float(uneven.count()) / float(ways)
    }

    #[test]
    fn the_sum_over_sets_is_that_over_all_ways() {
        for (all, workers) in [(6, 3), (7, 4), (5, 5), (8, 2)] {
            for squares in 0..=(all * all) as usize {
                let found = exact(all as usize, workers, squares);
                let expected = enumerated(all, workers, squares);
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{all} {workers} {squares}: {found}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn ways_are_counted_apart_from_their_order() {
        // Partitions of 100 into at most 4 parts, and of 10 into any number.
        assert!(has_at_most(100, 4, 8037) && !has_at_most(100, 4, 8036));
        assert!(has_at_most(10, 10, 42) && !has_at_most(10, 10, 41));
        assert!(!has_at_most(10_000, 300, 1_000_000));
    }

    #[test]
    fn the_approximation_is_close_where_it_takes_over() {
        for counts in [
            vec![50, 40, 45, 45, 20],
            vec![22, 10, 8, 12, 10, 7, 11, 8],
            vec![30, 10, 20, 20],
        ] {
            let exact = chance(&counts);
            assert_eq!(exact.method, Method::Exact, "{counts:?}");
            let all = counts.iter().sum::<usize>();
            let squares: usize = counts.iter().map(|count| count * count).sum();
            let statistic = float(squares) * float(counts.len()) / float(all) - float(all);
            let near = chi_square_tail(statistic, counts.len() - 1);
            let ratio = near / exact.probability;
            assert!((0.5..2.0).contains(&ratio), "{counts:?}: {exact:?} {near}");
        }
        let many = vec![50; 40];
        assert_eq!(chance(&many).method, Method::ChiSquare);
        assert!((chance(&many).probability - 1.0).abs() < 1e-9);
    }
}
