//! Which counts are compared, and when they are too uneven.

use std::collections::BTreeMap;

use super::chance::Chance;
use super::fresh::Fresh;
use super::multinomial;

/// A spread is uneven if an even one looks like it less often than this. So an even spread is called uneven in one of
/// a thousand runs.
pub(super) const UNEVEN: f64 = 0.001;

/// If an even spread looks like it less often than this, and more often than [`UNEVEN`], it may be either. An even
/// spread is in doubt in one of a hundred runs.
pub(super) const DOUBTFUL: f64 = 0.01;

/// How many connections each worker is to get, on average, so that counts can be judged. It is also what the
/// chi-square distribution needs.
pub const LEAST_EACH: usize = 5;

/// The groups of counts that are to be even, each by itself: all workers; or the replicas, and the workers of each
/// replica, because a balancer in front of them knows replicas only.
pub(super) fn groups(fresh: &Fresh) -> Vec<Vec<usize>> {
    let several = |counts: &Vec<usize>| counts.len() > 1;
    let replicas = match &fresh.replicas {
        Some(replicas) if fresh.expected.is_none() => replicas,
        _ => return vec![fresh.counts()].into_iter().filter(several).collect(),
    };
    let mut within: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for share in &fresh.workers {
        let counts = within.entry(&share.id.replica).or_default();
        counts.push(share.connections);
    }
    let all = replicas.iter().map(|share| share.connections).collect();
    let all = std::iter::once(all).chain(within.into_values());
    all.filter(several).collect()
}

/// How many connections would have been needed, if there were too few.
pub(super) fn needed(groups: &[Vec<usize>], all: usize) -> Option<usize> {
    let needed = |counts: &Vec<usize>| {
        let (here, least) = (counts.iter().sum::<usize>(), LEAST_EACH * counts.len());
        // As many more as this group lacks.
        (here < least).then(|| (all * least).div_ceil(here.max(1)))
    };
    groups.iter().filter_map(needed).max()
}

/// The chance that even spreads look at least as uneven.
pub(super) fn chance(groups: &[Vec<usize>]) -> Option<Chance> {
    let chances: Vec<_> = groups
        .iter()
        .map(|counts| multinomial::chance(counts))
        .collect();
    Chance::of_several(&chances)
}

/// Whether connections are handed out in turn: in each group, no worker got more than one more than another.
pub(super) fn is_in_turn(groups: &[Vec<usize>]) -> bool {
    groups.iter().all(|counts| {
        let (least, most) = (counts.iter().min(), counts.iter().max());
        least
            .zip(most)
            .is_some_and(|(least, most)| most - least <= 1)
    })
}
