//! How the program is installed.

use std::fs;

use holdup_testkit::external::folder;
use serde_json::json;

use crate::job::{job_in, programs, with_script};

/// A `cargo` that notes where it runs, its flags and its arguments, and installs the program that is tested.
const CARGO: &str = r#"#!/bin/sh
echo "$PWD ${RUSTFLAGS-none} $*" >>"$RUNNER_TEMP/cargo"
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin" && cp "$PROGRAM" "$2/bin/"
"#;

#[test]
fn the_program_is_installed_by_cargo_and_kept_for_later_jobs() {
    let script = CARGO.replace("$PROGRAM", env!("CARGO_BIN_EXE_holdup"));
    // One job uses both.
    let folder = folder();
    let cargo = with_script(&folder, "cargo", &script);
    let asked = || {
        let asked = fs::read_to_string(folder.join("cargo")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (mut keys, mut jobs) = (Vec::new(), Vec::new());
    for (install, asks) in [("source", "--path /"), ("0.1.0", "holdup@0.1.0")] {
        // What comes of the probe does not matter here.
        let inputs = json!({ "url": "127.0.0.1:1/", "wait-timeout": "0", "install": install });
        let job = || job_in(folder.clone(), &cargo, &inputs);
        let first = job();
        first.says("log", "127.0.0.1:1 was not answered within 0 s");
        let calls = asked();
        assert_eq!(calls.len(), keys.len() + 1, "{calls:#?}");
        let last = calls.last().expect("a call");
        let begins = concat!(
            env!("CARGO_MANIFEST_DIR"),
            " none install --locked --force "
        );
        assert!(last.starts_with(begins) && last.contains(asks), "{last}");
        let cache = &first.result["used"][0];
        assert_eq!(cache["uses"], "actions/cache@v5");
        let again = job();
        again.says("log", "holdup is there from an earlier job.");
        assert_eq!(&again.result["used"][0], cache);
        assert_eq!(asked(), calls);
        let key = cache["with"]["key"].as_str().expect("a key");
        let version = key.strip_prefix("holdup-Linux-X64-ubuntu24-");
        let version = version.unwrap_or_else(|| panic!("{key}")).to_owned();
        let program = folder.join(format!("holdup-program-{version}"));
        assert_eq!(cache["with"]["path"], program.to_str().expect("UTF-8"));
        // One that does not run is replaced, such as one that needs another C library.
        fs::write(program.join("bin/holdup"), "not a program").expect("written");
        keys.push(version);
        // The folder is deleted with them.
        jobs.extend([first, again]);
    }
    let calls = asked().len();
    let inputs = json!({ "url": "127.0.0.1:1/", "wait-timeout": "0", "install": "0.1.0" });
    jobs.push(job_in(folder.clone(), &cargo, &inputs));
    assert_eq!(asked().len(), calls + 1);
    assert_eq!(keys[1], "0.1.0");
    let source = &keys[0];
    assert!(
        source.len() == 32 && source.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{source}"
    );
}

#[test]
fn a_version_that_is_none_is_named() {
    let job = job_in(
        folder(),
        &programs(),
        &json!({ "url": "127.0.0.1:1/", "install": "newest" }),
    );
    assert_eq!(job.text("conclusion"), "failure");
    job.says(
        "log",
        "install is \"newest\", but has to be source, no, or a version such as 0.1.0",
    );
}
