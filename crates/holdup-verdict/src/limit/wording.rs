//! The limit in words.

use super::finding::{Beyond, Limit};
use super::owner;
use super::reading::Reading;
use holdup_model::HumanDuration;

/// What the search for a limit saw.
pub(super) struct Shown<'a> {
    /// What the last round showed, and with how many requests.
    pub(super) reading: Reading,
    pub(super) requests: usize,
    /// Its reason in words, if it does not show the limit.
    pub(super) because: &'a str,
    /// How many surely ran at the same time in one of the rounds.
    pub(super) at_least: usize,
    /// How many ran at a time in each round in which others waited or got an error.
    pub(super) numbers: Vec<usize>,
    /// How many cores the server's machine has.
    pub(super) cores: Option<usize>,
}

const UNKNOWN: &str = "How many run at a time does not show";

/// The finding in one sentence, and a second one if the number is well known.
pub(super) fn sentence(limit: &Limit, shown: &Shown<'_>) -> String {
    let mut sentence = match limit.at_a_time {
        Some(at_a_time) => known(at_a_time, limit, shown.reading),
        None => unknown(limit, shown),
    };
    let owner = limit
        .at_a_time
        .and_then(|at_a_time| owner::sentence(at_a_time, shown.cores));
    if let Some(owner) = owner.filter(|_| shown.reading != Reading::LeftBehind) {
        sentence = format!("{sentence} {owner}");
    }
    sentence
}

fn known(at_a_time: usize, limit: &Limit, reading: Reading) -> String {
    let next = ordinal(at_a_time + 1);
    let serves = format!("Serves {at_a_time} at a time");
    match (limit.beyond, reading) {
        (
            Some(Beyond::Rejected),
            Reading::Rejected {
                answered,
                status,
                after,
                ..
            },
        ) => {
            let rate = as_with_a_rate(status);
            let after = after.map(|after| format!("waits for {} and then ", HumanDuration(after)));
            let after = after.unwrap_or_default();
            match answered.saturating_sub(at_a_time) {
                0 => format!("{serves}; the {next} {after}gets {status}{rate}."),
                1 => format!(
                    "{serves}; one more waits, and the next one {after}gets {status}{rate}."
                ),
                more => format!(
                    "{serves}; {more} more wait, and the next one {after}gets {status}{rate}."
                ),
            }
        }
        (_, Reading::Steps { even: false, .. }) => {
            format!("{serves}, each with a queue of its own; the {next} waits.")
        }
        (_, Reading::LeftBehind) => {
            format!("{serves}: the {next} waits for what the first one leaves behind.")
        }
        _ if limit.confirmed => format!("{serves}; the {next} waits."),
        _ => format!(
            "{serves}; the {next} waits. More than {} at once would confirm it.",
            2 * at_a_time
        ),
    }
}

fn unknown(limit: &Limit, shown: &Shown<'_>) -> String {
    let n = shown.requests;
    let because = shown.because;
    let at_least = |what: String| match shown.at_least {
        0 | 1 => format!("{UNKNOWN}: {what}."),
        at_least => format!("At least {at_least} at a time; {what}."),
    };
    let numbers = || {
        let numbers: Vec<_> = shown.numbers.iter().map(usize::to_string).collect();
        let numbers = numbers.join(", then ");
        if shown.numbers.iter().all(|number| *number < shown.at_least) {
            format!(
                "at least {} at a time, and then {numbers}, as with a rate limit",
                shown.at_least
            )
        } else {
            format!("{numbers} at a time")
        }
    };
    match shown.reading {
        Reading::Together => format!("At least {n} at a time."),
        Reading::Steps { even: false, .. } if limit.asked_up_to == n => at_least(format!(
            "of {n} at once, some waited, in queues of uneven length"
        )),
        Reading::Steps { .. } => format!("{UNKNOWN}: the rounds differ, with {}.", numbers()),
        Reading::Rejected {
            answered, status, ..
        } => {
            let rejected = n.saturating_sub(answered);
            let got = match answered {
                0 => format!("all got {status}"),
                1 => format!("1 was answered and {rejected} got {status}"),
                _ => format!("{answered} were answered and {rejected} got {status}"),
            };
            at_least(format!("of {n} at once, {got}{}", as_with_a_rate(status)))
        }
        Reading::Shared => at_least(format!(
            "{n} at once ran side by side, but slowed each other down, as if they shared a few cores"
        )),
        Reading::Rate { burst, each, every } => format!(
            "A rate limit, as it seems: of {n} at once, {burst} went through, and then {each} every {}.",
            HumanDuration(every)
        ),
        Reading::Failed | Reading::Few | Reading::Unclear => at_least(of_all(n, because)),
        Reading::LeftBehind | Reading::Never => format!("{UNKNOWN}: {because}."),
    }
}

/// What this status means, if it means too many requests in some time.
fn as_with_a_rate(status: u16) -> &'static str {
    match status {
        429 => ", as with a rate limit",
        _ => "",
    }
}

/// Says how many requests there were, unless the reason says it.
fn of_all(n: usize, because: &str) -> String {
    if because.contains(&format!(" of {n} ")) {
        because.to_owned()
    } else {
        format!("of {n} at once, {because}")
    }
}

/// The number as an ordinal: in words up to twelve.
fn ordinal(number: usize) -> String {
    const WORDS: [&str; 12] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth", "eleventh", "twelfth",
    ];
    if let Some(word) = number.checked_sub(1).and_then(|place| WORDS.get(place)) {
        return (*word).to_owned();
    }
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_read_as_people_say_them() {
        let all = [2, 9, 12, 13, 21, 41, 101, 112, 122, 103].map(ordinal);
        let expected = [
            "second", "ninth", "twelfth", "13th", "21st", "41st", "101st", "112th", "122nd",
            "103rd",
        ];
        assert_eq!(all, expected);
    }
}
