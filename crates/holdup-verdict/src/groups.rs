//! Groups of finish times, so that people can recognize a pattern that none of the rules covers.

use std::time::Duration;

use holdup_model::{HumanDuration, Lane, Timeline};

/// Finishes belong to different groups if they are further apart than this fraction of the solo time …
const APART: f64 = 0.15;

/// … and further apart than this, which is the noise of one measurement.
const APART_BY: Duration = Duration::from_millis(20);

/// The most groups that are listed.
const LISTED: usize = 10;

/// Lists the groups, for example "4 at 600 ms, 4 at 1.20 s". `None` if no request has finished.
pub(super) fn listed(at_once: &Timeline, solo: Duration) -> Option<String> {
    let mut times: Vec<_> = at_once.lanes.iter().filter_map(Lane::duration).collect();
    times.sort_unstable();
    times.first()?;
    let apart = solo.mul_f64(APART).max(APART_BY);
    let groups: Vec<_> = times
        .chunk_by(|one, next| next.saturating_sub(*one) <= apart)
        .map(|group| {
            format!(
                "{} at {}",
                group.len(),
                HumanDuration(group[group.len() / 2])
            )
        })
        .collect();
    let more = match groups.len().saturating_sub(LISTED) {
        0 => String::new(),
        1 => " and one more group".to_owned(),
        more => format!(" and {more} more groups"),
    };
    let listed = &groups[..groups.len().min(LISTED)];
    Some(listed.join(", ") + &more)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lanes, ms};
    use super::*;

    #[test]
    fn finishes_close_to_each_other_are_one_group() {
        for (times, expected) in [
            (
                &[1103, 524, 530, 569, 541, 1063, 1070, 1090][..],
                "4 at 541 ms, 4 at 1.09 s",
            ),
            (
                &[200, 250, 300, 350],
                "1 at 200 ms, 1 at 250 ms, 1 at 300 ms, 1 at 350 ms",
            ),
            (&[5, 6, 7], "3 at 6.0 ms"),
        ] {
            assert_eq!(
                listed(&lanes(times).into(), ms(333)).as_deref(),
                Some(expected)
            );
        }
        let eleven: Vec<_> = (1..=11).map(|place| place * 1000).collect();
        let eleven = listed(&lanes(&eleven).into(), ms(333)).expect("groups");
        assert!(
            eleven.ends_with("1 at 10.0 s and one more group"),
            "{eleven}"
        );
        let many: Vec<_> = (1..=13).map(|place| place * 1000).collect();
        let many = listed(&lanes(&many).into(), ms(333)).expect("groups");
        assert!(many.ends_with("1 at 10.0 s and 3 more groups"), "{many}");
        assert_eq!(listed(&Timeline::default(), ms(333)), None);
    }
}
