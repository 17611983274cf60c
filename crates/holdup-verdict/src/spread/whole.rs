//! Whether a share can be that of one of several equal workers.

use super::chance::{Chance, Method};
use super::gamma::{chi_square_tail, float};

/// The chance that the share of one of several workers with equal shares differs at least as much from `hits` of `of`,
/// for the number of workers that fits best. A share of 40 %, for example, fits neither two workers nor three if enough
/// connections were counted. The measure is Pearson's, compared with the chi-square distribution.
pub(super) fn chance(hits: usize, of: usize) -> Chance {
    let fits = |workers: usize| {
        let share = 1.0 / float(workers);
        let expected = float(of) * share;
        let measure = (float(hits) - expected).powi(2) / (expected * (1.0 - share));
        chi_square_tail(measure, 1)
    };
    // The share lies between those of this many workers and of one more.
    let fewer = (of / hits.max(1)).max(2);
    Chance {
        probability: fits(fewer).max(fits(fewer + 1)),
        method: Method::ChiSquare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_fits_a_whole_number_of_workers_or_none() {
        for (hits, of, fits) in [
            (25, 100, true),
            (50, 100, true),
            (33, 100, true),
            (40, 100, true),
            (400, 1000, false),
            (90, 100, false),
            (99, 100, false),
            (10, 1000, true),
        ] {
            let found = chance(hits, of).probability;
            assert_eq!(found > 0.01, fits, "{hits} of {of}: {found}");
        }
    }
}
