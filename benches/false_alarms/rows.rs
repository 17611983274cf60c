//! What is counted: a check of a healthy server, or of one that blocks.

use crate::asserted;
use crate::lab::Lab;
use crate::outcome::Said;
use crate::rules::Rule;

/// A check, and what it checks.
#[derive(Debug)]
pub(crate) struct Row {
    /// The check in Markdown, and what it checks. It stands for the row in the file.
    pub(crate) name: &'static str,
    /// Whether the check must fail.
    pub(crate) blocks: bool,
    /// Whether its turns come after those of all other rows, because its runs take seconds or show little that is new.
    pub(crate) later: bool,
    /// Whether a check that cannot tell fails all the same.
    pub(crate) undecided_fails: bool,
    /// How many workers the lab has.
    pub(crate) workers: usize,
    pub(crate) check: fn(&Lab) -> Said,
}

/// A check of a healthy server.
const HEALTHY: Row = Row {
    name: "",
    blocks: false,
    later: false,
    undecided_fails: false,
    workers: 1,
    check: |lab| lab.probe(AWAITS),
};

const BLOCKING: Row = Row {
    blocks: true,
    ..HEALTHY
};

/// Paths of the lab that take 200 ms, and one second.
const AWAITS: &str = "/coroutine?from=4&period=50ms";
const AWAITS_LONG: &str = "/coroutine?from=4&period=250ms";
const BLOCKS: &str = "/blocking?from=4&period=50ms";
const BLOCKS_LONG: &str = "/blocking?from=4&period=250ms";

pub(crate) const ROWS: [Row; 17] = [
    Row {
        name: "`probe --expect concurrent`, 200 ms awaited",
        ..HEALTHY
    },
    Row {
        name: "`assert_concurrent`, 100 ms awaited",
        undecided_fails: true,
        check: |_| asserted::concurrent_awaits(),
        ..HEALTHY
    },
    Row {
        name: "`assert_no_holds`, 100 ms awaited",
        check: |_| asserted::no_holds_awaits(),
        ..HEALTHY
    },
    Row {
        name: "`assert_no_holds`, 20 ms awaited on a server",
        check: |_| asserted::no_holds_on_a_server(),
        ..HEALTHY
    },
    Row {
        name: "4 at once < 2.5 × alone, 200 ms awaited",
        check: |lab| Rule::NAIVE.check(lab.address, AWAITS),
        ..HEALTHY
    },
    Row {
        name: "10 at once ≤ 2 × alone, 200 ms awaited",
        check: |lab| Rule::CONFORMANCE.check(lab.address, AWAITS),
        ..HEALTHY
    },
    Row {
        name: "10 at once ≤ 2 × alone, 1 s awaited",
        later: true,
        check: |lab| Rule::CONFORMANCE.check(lab.address, AWAITS_LONG),
        ..HEALTHY
    },
    Row {
        name: "`probe --expect concurrent`, 200 ms blocked",
        check: |lab| lab.probe(BLOCKS),
        ..BLOCKING
    },
    Row {
        name: "`assert_concurrent`, 150 ms blocked",
        undecided_fails: true,
        check: |_| asserted::concurrent_blocks(),
        ..BLOCKING
    },
    Row {
        name: "`assert_no_holds`, 150 ms blocked",
        check: |_| asserted::no_holds_blocks(),
        ..BLOCKING
    },
    Row {
        name: "`assert_no_holds`, 150 ms blocked by a task",
        check: |_| asserted::no_holds_blocks_in_a_task(),
        ..BLOCKING
    },
    Row {
        name: "`probe --expect concurrent`, 1 s blocked",
        later: true,
        check: |lab| lab.probe(BLOCKS_LONG),
        ..BLOCKING
    },
    Row {
        name: "4 at once < 2.5 × alone, 200 ms blocked",
        later: true,
        check: |lab| Rule::NAIVE.check(lab.address, BLOCKS),
        ..BLOCKING
    },
    Row {
        name: "`probe --expect concurrent`, 200 ms blocked, two workers",
        later: true,
        workers: 2,
        check: |lab| lab.probe(BLOCKS),
        ..BLOCKING
    },
    Row {
        name: "4 at once < 2.5 × alone, 200 ms blocked, two workers",
        later: true,
        workers: 2,
        check: |lab| Rule::NAIVE.check(lab.address, BLOCKS),
        ..BLOCKING
    },
    Row {
        name: "10 at once ≤ 2 × alone, 200 ms blocked",
        later: true,
        check: |lab| Rule::CONFORMANCE.check(lab.address, BLOCKS),
        ..BLOCKING
    },
    Row {
        name: "10 at once ≤ 2 × alone, 1 s blocked",
        later: true,
        check: |lab| Rule::CONFORMANCE.check(lab.address, BLOCKS_LONG),
        ..BLOCKING
    },
];
