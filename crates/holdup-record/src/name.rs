//! The names of segments. They sort by the time at which their run began, and by their number.

use super::stamp::Stamp;

const BEGIN: &str = "holdup-";
const END: &str = ".jsonl";

/// The file in a folder that its writer has locked.
pub(crate) const LOCK: &str = "holdup.lock";

/// What all segments of a run have in their names: `20261130T011107.123Z-4711`, when it began and its process.
pub(crate) fn run(began: Stamp, pid: u32) -> String {
    format!("{}-{pid}", began.in_names())
}

/// `holdup-20261130T011107.123Z-4711-000001.jsonl`.
pub(crate) fn of(run: &str, segment: u64) -> String {
    format!("{BEGIN}{run}-{segment:06}{END}")
}

/// The run and the number of a segment of this name; `None` if it is another file.
pub(crate) fn parse(name: &str) -> Option<(&str, u64)> {
    let rest = name.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let (run, number) = rest.rsplit_once('-')?;
    let (stamp, pid) = run.split_once('-')?;
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_stamp = stamp.len() == 20 && stamp.ends_with('Z');
    if !is_stamp || !are_digits(pid) || !are_digits(number) {
        return None;
    }
    Some((run, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_are_told_from_other_files() {
        let at = |unix: u64| run(Stamp(unix * 1000), 4711);
        let (first, second) = (at(951_782_400), at(951_782_401));
        let names = [of(&first, 1), of(&first, 2), of(&first, 10), of(&second, 1)];
        assert_eq!(names[0], "holdup-20000229T000000.000Z-4711-000001.jsonl");
        assert!(names.is_sorted());
        assert_eq!(parse(&names[2]), Some((first.as_str(), 10)));
        for other in [
            "holdup.lock",
            "holdup-notes.jsonl",
            "holdup-20000229T000000.000Z-4711.jsonl",
            "holdup-20000229T000000.000Z-x-000001.jsonl",
            "holdup-20000229T000000.000Z-4711-000001.jsonl.gz",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
