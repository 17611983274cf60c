//! The compose file, as Docker Compose reads it, and whether all that it mounts, names and publishes fits together.
//! No Docker engine is needed.

mod fits;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use holdup_testkit::external::folder;
use holdup_testkit::target;
use serde_json::Value;

use crate::deploy;

fn config(folder: &Path) -> Output {
    let program = target().join("compose/compose/docker-compose");
    let mut command = Command::new(&program);
    command.arg("--file").arg(folder.join("compose.yaml"));
    command.args(["config", "--format", "json"]);
    // What a user has set is not ours to check.
    command.env_remove("HOLDUP_PROFILE").stdin(Stdio::null());
    let output = command.output();
    output
        .unwrap_or_else(|error| panic!("{}: {error}; scripts/test installs it", program.display()))
}

/// What is wrong with the compose file of a folder, by Docker Compose and by the files that it mounts.
fn faults(folder: &Path) -> Vec<String> {
    let output = config(folder);
    if !output.status.success() {
        return vec![String::from_utf8_lossy(&output.stderr).into_owned()];
    }
    let project: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    fits::faults(folder, &project)
}

#[test]
fn the_compose_file_is_valid_and_all_of_it_fits() {
    assert_eq!(faults(&deploy("")), Vec::<String>::new());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("a file").path();
        let copied = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &copied);
        } else {
            fs::copy(&entry, &copied).expect("it is writable");
        }
    }
}

/// Faults: the file, what is replaced in it, by what, and what is said about it.
const CHANGES: &[(&str, &str, &str, &str)] = &[
    (
        "compose.yaml",
        "depends_on:",
        "dependson:",
        "'dependson' not allowed",
    ),
    (
        "compose.yaml",
        "[lab-1, lab-2, lab-3]",
        "[lab-1, lab-4]",
        "undefined service \"lab-4\"",
    ),
    (
        "compose.yaml",
        "./prometheus/rules:",
        "./prometheus/rule:",
        "prometheus/rule is not there",
    ),
    (
        "compose.yaml",
        "127.0.0.1:8082:",
        "127.0.0.1:8081:",
        "8081 is published twice",
    ),
    (
        "compose.yaml",
        "127.0.0.1:9090:",
        "9090:",
        "9090 is published to everybody",
    ),
    (
        "compose.yaml",
        "8083:8081",
        "8083:8082",
        "lab-3 does not listen at 8082",
    ),
    (
        "compose.yaml",
        "localhost:8092",
        "localhost:8091",
        "lab-2 is not at http://localhost:8091",
    ),
    (
        "compose.yaml",
        "HOST: lab-2",
        "HOST: lab-1",
        "lab-2 refuses who asks for lab-2",
    ),
    (
        "compose.yaml",
        "server lab-3:8080;",
        "",
        "lab-3 gets no requests",
    ),
    (
        "compose.yaml",
        "server lab-3:8080;",
        "server lab-3:80;",
        "lab-3 does not listen at 80",
    ),
    (
        "compose.yaml",
        "FLEET_LISTEN: 80",
        "FLEET_LISTEN: 81",
        "nginx does not listen at 80",
    ),
    (
        "compose.yaml",
        "FLEET_LABS:",
        "LABS:",
        "FLEET_LABS is not set",
    ),
    (
        "compose.yaml",
        "^FLEET_",
        "^LAB_",
        "FLEET_LABS is not filled in",
    ),
    (
        "nginx/labs.conf.template",
        "${FLEET_LISTEN}",
        "${FLEET_PORT}",
        "FLEET_PORT is not set",
    ),
    (
        "prometheus/targets.json",
        "lab-3:8081",
        "lab-3:8080",
        "lab-3:8080 is no console",
    ),
    (
        "prometheus/targets.json",
        "\"lab-2\" }",
        "\"lab-1\" }",
        "lab-2:8081 is called lab-1",
    ),
    (
        "prometheus/targets.json",
        "lab-1:8081",
        "lab-2:8081",
        "lab-1 is not scraped",
    ),
    (
        "prometheus/prometheus.yml",
        "[targets.json]",
        "[labs.json]",
        "/etc/prometheus/labs.json is not mounted",
    ),
    (
        "prometheus/prometheus.yml",
        "- rules/",
        "- alerts/",
        "/etc/prometheus/alerts is not mounted",
    ),
    (
        "grafana/provisioning/datasources/prometheus.yml",
        ":9090",
        ":9091",
        "prometheus does not listen at 9091",
    ),
    (
        "prometheus/prometheus.yml",
        "scrape_interval: 3s",
        "scrape_interval: 9s",
        "Grafana expects a scrape every 3s",
    ),
    (
        "grafana/provisioning/dashboards/holdup.yml",
        "/etc/grafana/",
        "/etc/",
        "/etc/dashboards is not mounted",
    ),
    (
        "compose.yaml",
        "dashboards/holdup.json",
        "dashboards/lab.json",
        "lab.json is not mounted",
    ),
];

#[test]
fn a_fault_in_any_of_the_files_is_found() {
    for (file, right, wrong, said) in CHANGES {
        let folder = folder();
        let deployed = folder.join("deploy");
        copy(&deploy(""), &deployed);
        fs::copy(deploy("../Dockerfile"), folder.join("Dockerfile")).expect("it is writable");
        let file = deployed.join(file);
        let text = fs::read_to_string(&file).expect("a file");
        assert!(text.contains(right), "{file:?} has no {right:?}");
        fs::write(&file, text.replacen(right, wrong, 1)).expect("it is writable");
        let faults = faults(&deployed);
        fs::remove_dir_all(&folder).expect("our own");
        let found = faults.iter().any(|fault| fault.contains(said));
        assert!(found, "{right:?} -> {wrong:?}: {faults:#?}");
    }
}
