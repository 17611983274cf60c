//! The rules, by `promtool`. Their own tests are in `deploy/prometheus/tests`, a file for each alert.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use holdup_testkit::external::folder;

use crate::deploy;

fn promtool(arguments: &[&str], files: &[PathBuf]) -> Output {
    let mut command = Command::new("promtool");
    let output = command.args(arguments).args(files).output();
    output.expect("promtool is installed (scripts/test installs it)")
}

fn succeeds(output: &Output) -> bool {
    output.status.success()
}

fn tests(prometheus: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(prometheus.join("tests")).expect("a folder");
    let files = files.map(|file| file.expect("a file").path());
    files.collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn alerts(rules: &str) -> Vec<&str> {
    let names = rules
        .lines()
        .filter_map(|line| line.split_once("- alert: "));
    names.map(|(_, name)| name).collect()
}

#[test]
fn the_configuration_and_the_rules_are_valid() {
    let checked = promtool(&["check", "config"], &[deploy("prometheus/prometheus.yml")]);
    assert!(succeeds(&checked), "{checked:#?}");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(said.contains("1 rule files found"), "{said}");
}

#[test]
fn the_tests_of_the_rules_pass_and_cover_each_alert() {
    let folder = deploy("prometheus");
    let tests = tests(&folder);
    let tested = promtool(&["test", "rules"], &tests);
    assert!(succeeds(&tested), "{tested:#?}");
    let rules = text(&folder.join("rules/holdup.yml"));
    let alerts = alerts(&rules);
    assert_eq!(alerts.len(), 6, "{alerts:?}");
    assert_eq!(alerts.len(), tests.len(), "a file for each: {tests:?}");
    for alert in alerts {
        let name = format!("alertname: {alert}");
        let of = tests.iter().find(|file| text(file).contains(&name));
        let of = text(of.unwrap_or_else(|| panic!("no test of {alert}")));
        // When it fires, and when it does not.
        assert!(of.contains("exp_alerts:"), "{alert}");
        assert!(of.contains(&format!("{{ {name}, eval_time: ")), "{alert}");
    }
}

#[test]
fn the_tests_notice_a_wrong_threshold_and_a_wrong_label() {
    let rules = text(&deploy("prometheus/rules/holdup.yml"));
    // The tests, and a fault that they have to notice.
    let faults = [
        ("worker_blocked", "seconds >= 5\n", "seconds >= 6\n"),
        ("worker_blocked", "seconds >= 5\n", "seconds >= 4.9\n"),
        ("worker_blocked", "severity: critical", "severity: warning"),
        ("worker_was_blocked", r#"le=~"5(\\.0)?""#, r#"le="5""#),
        (
            "worker_was_blocked",
            "            and on (job, instance) up offset 2m == 1\n",
            "",
        ),
        ("worker_was_blocked", "[3m]) >= 5\n", "[3m]) >= 50\n"),
        (
            "route_takes_workers",
            "ratio_rate5m > 0.05",
            "ratio_rate5m > 0.03",
        ),
        (
            "route_takes_workers",
            "ratio_rate5m > 0.05",
            "ratio_rate5m > 0.07",
        ),
        (
            "route_takes_workers",
            "sum by (job) (holdup_workers)",
            "sum (holdup_workers)",
        ),
        ("route_takes_workers", "for: 2m", "for: 1m"),
        ("requests_held_up", "p99_rate5m > 0.25", "p99_rate5m > 0.2"),
        ("requests_held_up", "p99_rate5m > 0.25", "p99_rate5m > 2"),
        ("requests_held_up", ">= 100\n", ">= 50\n"),
        ("no_worker_free", "held >= holdup_workers", "held >= 1"),
        ("no_worker_free", " and holdup_workers > 0", ""),
        ("no_worker_free", "for: 15s", "for: 0s"),
        ("no_worker_free", "for: 15s", "for: 30s"),
        ("replica_down", "up == 0 and", "up == 1 and"),
        ("replica_down", "and on (job) group", "and on () group"),
        ("replica_down", "holdup_workers[1w]", "holdup_workers[1h]"),
    ];
    for (tests, right, wrong) in faults {
        let folder = folder();
        let changed = rules.replace(right, wrong);
        assert_ne!(changed, rules, "{right}");
        let original = text(&deploy(&format!("prometheus/tests/{tests}.yml")));
        let copy = folder.join("tests.yml");
        fs::write(folder.join("holdup.yml"), changed).expect("it is writable");
        fs::write(&copy, original.replace("../rules/", "")).expect("it is writable");
        let tested = promtool(&["test", "rules"], &[copy]);
        fs::remove_dir_all(&folder).expect("our own");
        let said = String::from_utf8_lossy(&tested.stderr);
        let notices = !succeeds(&tested) && said.contains("exp:");
        assert!(notices, "{tests}: {right} -> {wrong}: {tested:#?}");
    }
}
