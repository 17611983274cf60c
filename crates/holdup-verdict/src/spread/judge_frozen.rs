//! Over how many workers connections fall, if none of them says who it is.

use super::advice;
use super::chance::Chance;
use super::compositions;
use super::frozen::{Frozen, FrozenRound, Workers, told, total};
use super::judge::{Spread, SpreadKind};
use super::reason::SpreadReason;
use super::uneven::{DOUBTFUL, UNEVEN};
use super::whole;
use super::wording::{connections, often, percent, times};

/// Fewer connections that wait do not show whether the rounds differ.
const FEW: usize = 10;

/// If more connections than one in so many do not show whether they waited, or fail, nothing is said of the others.
const UNCLEAR: usize = 10;

/// Judges rounds in each of which one request held its worker, and fresh connections asked another route meanwhile.
///
/// A connection that falls on the worker that is held waits for it. If the workers get connections alike, the share
/// that waits is one in as many as there are workers, in all rounds. If they do not, it depends on which worker is
/// held, differs between the rounds, and need not be one in any whole number.
pub fn judge_frozen(rounds: &[FrozenRound]) -> Spread {
    let frozen = Frozen::of(rounds);
    let mut spread = match nothing_to_compare(rounds) {
        Some(reason) => Spread::because(reason),
        None => compared(rounds, &frozen),
    };
    if let (Some(SpreadReason::FewFroze { .. }), Some(workers)) = (&spread.reason, frozen.workers)
        && let Some(number) = number(workers)
    {
        let sentence = format!("As many as there are with {number}.");
        spread.sentence = format!("{} {sentence}", spread.sentence);
    }
    spread.evidence = evidence(rounds, &frozen);
    spread.frozen = Some(frozen);
    spread
}

fn nothing_to_compare(rounds: &[FrozenRound]) -> Option<SpreadReason> {
    let of = total(rounds, |round| round.connections);
    let failed = total(rounds, |round| round.failed);
    let unclear = total(rounds, |round| round.unclear);
    let frozen = total(rounds, |round| round.frozen);
    if of == 0 || failed * UNCLEAR > of {
        let what = "refused, cut off, answered with an error, or too late".to_owned();
        return Some(SpreadReason::Failed { failed, of, what });
    }
    if (unclear + failed) * UNCLEAR > of {
        return Some(SpreadReason::Unclear { unclear, of });
    }
    let of = told(rounds);
    match frozen {
        0 => Some(SpreadReason::NoneFroze { of }),
        _ if frozen == of => Some(SpreadReason::AllFroze { of }),
        frozen if frozen < FEW => Some(SpreadReason::FewFroze { frozen, of }),
        _ => None,
    }
}

fn compared(rounds: &[FrozenRound], frozen: &Frozen) -> Spread {
    let counts: Vec<_> = rounds
        .iter()
        .map(|round| (round.frozen, round.frozen + round.prompt))
        .collect();
    let (waiting, all) = (total(rounds, |round| round.frozen), told(rounds));
    let (alike, whole) = (compositions::chance(&counts), whole::chance(waiting, all));
    // There are two, so that it is never none.
    let chance = Chance::of_several(&[alike, whole]).unwrap_or(alike);
    let waited = format!(
        "{waiting} of {} waited for the request that held its worker",
        connections(all)
    );
    let often = often(chance);
    let looks = format!("an even spread looks like this, or less even, {often}");
    match chance.probability {
        p if p < UNEVEN => {
            let why = if alike.probability <= whole.probability {
                "but not alike in all rounds"
            } else {
                "which fits no number of workers of equal share"
            };
            Spread::told(
                SpreadKind::Uneven,
                chance,
                format!(
                    "{waited}, {why}: {looks}. So some workers get more connections than others."
                ),
                advice::uneven_rounds(),
            )
        }
        p if p < DOUBTFUL => {
            let connections = all;
            let mut spread = Spread::because(SpreadReason::Doubtful { often, connections });
            spread.sentence = format!("{waited}. {}", spread.sentence);
            spread.chance = Some(chance);
            spread
        }
        _ => {
            let number = frozen.workers.and_then(number).unwrap_or_default();
            let sentence =
                format!("{waited}, as with {number}. Nothing speaks against an even spread.");
            Spread::told(SpreadKind::Even, chance, sentence, Vec::new())
        }
    }
}

/// `4 workers of equal share (3 to 6)`.
fn number(workers: Workers) -> Option<String> {
    let most = workers.most?;
    let (least, most) = (workers.least.ceil(), most.floor());
    let about = workers.about.round();
    let range = if least >= most {
        String::new()
    } else {
        format!(" ({least:.0} to {most:.0})")
    };
    Some(format!("{about:.0} workers of equal share{range}"))
}

fn evidence(rounds: &[FrozenRound], frozen: &Frozen) -> Vec<String> {
    let mut lines = Vec::new();
    if told(rounds) == 0 {
        return lines;
    }
    let each: Vec<_> = rounds
        .iter()
        .map(|round| format!("{} of {}", round.frozen, round.frozen + round.prompt))
        .collect();
    lines.push(format!(
        "in each round, those that waited: {}",
        each.join(", ")
    ));
    lines.push(format!(
        "together {}, and with a probability of 95 % from {} to {}",
        percent(frozen.share),
        percent(frozen.low),
        percent(frozen.high)
    ));
    let unclear = total(rounds, |round| round.unclear);
    if unclear > 0 {
        lines.push(format!(
            "neither at once nor after the request, {}",
            times(unclear)
        ));
    }
    let failed = total(rounds, |round| round.failed);
    if failed > 0 {
        lines.push(format!("no answer, or an error, {}", times(failed)));
    }
    lines
}
