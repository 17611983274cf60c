//! What was found, in words.

use super::chance::Chance;
use super::gamma::float;

/// More counts than these are not listed.
const LISTED: usize = 12;

/// `70, 17, 13, 0`, or, if there are many, `from 9 to 1 on 40 workers`.
pub(super) fn listed(counts: &[usize]) -> String {
    if counts.len() > LISTED {
        let (first, last) = (counts.first(), counts.last());
        return format!(
            "from {} to {} on {} workers",
            first.unwrap_or(&0),
            last.unwrap_or(&0),
            counts.len()
        );
    }
    let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
    counts.join(", ")
}

/// How often something with this chance happens: `in 43 of 100 cases`, `once in 10,000 cases`.
pub(super) fn often(chance: Chance) -> String {
    let p = chance.probability;
    if p >= 0.995 {
        "almost always".to_owned()
    } else if p >= 0.0995 {
        format!("in {:.0} of 100 cases", p * 100.0)
    } else if p >= 0.000_995 {
        format!("in {:.0} of 1,000 cases", p * 1000.0)
    } else if p >= 1e-6 {
        format!("once in {} cases", thousands(two_digits(1.0 / p)))
    } else {
        "less than once in a million cases".to_owned()
    }
}

/// Rounded to two digits.
#[expect(
    clippy::cast_sign_loss,
    reason = "it is positive and at most a million"
)]
fn two_digits(number: f64) -> u64 {
    let unit = 10_f64.powf((number.log10().floor() - 1.0).max(0.0));
    ((number / unit).round() * unit) as u64
}

/// `10,000`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `27 %`, or `4.5 %` below 10 %.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// How many workers of equal share there are, if each has this share: `1 ÷ share`.
pub(super) fn workers_of(share: f64) -> Option<f64> {
    (share > 0.0).then(|| 1.0 / share)
}

/// `one connection`, `100 connections`.
pub(super) fn connections(count: usize) -> String {
    match count {
        1 => "one connection".to_owned(),
        count => format!("{} connections", thousands(count as u64)),
    }
}

/// `once`, `3 times`.
pub(super) fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{} times", thousands(count as u64)),
    }
}

/// The average of these counts, with at most one decimal.
pub(super) fn average(all: usize, of: usize) -> String {
    let average = float(all) / float(of.max(1));
    let text = format!("{average:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::chance::Method;
    use super::*;

    #[test]
    fn a_chance_is_said_as_people_say_it() {
        for (probability, words) in [
            (1.0, "almost always"),
            (0.43, "in 43 of 100 cases"),
            (0.0996, "in 10 of 100 cases"),
            (0.0123, "in 12 of 1,000 cases"),
            (0.001, "in 1 of 1,000 cases"),
            (0.000_7, "once in 1,400 cases"),
            (1e-4, "once in 10,000 cases"),
            (1.01e-6, "once in 990,000 cases"),
            (1e-9, "less than once in a million cases"),
            (0.0, "less than once in a million cases"),
        ] {
            let method = Method::Exact;
            let found = often(Chance {
                probability,
                method,
            });
            assert_eq!(found, words, "{probability}");
        }
    }

    #[test]
    fn counts_are_listed_as_long_as_one_reads_them() {
        assert_eq!(listed(&[70, 17, 13, 0]), "70, 17, 13, 0");
        assert_eq!(listed(&[3; 13]), "from 3 to 3 on 13 workers");
        assert_eq!(percent(0.27), "27 %");
        assert_eq!(percent(0.045), "4.5 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(connections(10_000), "10,000 connections");
        assert_eq!(times(1), "once");
        assert_eq!(times(2), "2 times");
        assert_eq!(average(100, 4), "25");
        assert_eq!(average(10, 4), "2.5");
    }
}
