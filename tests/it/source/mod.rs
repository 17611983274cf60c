//! Rules for the source of all crates of the workspace.

mod imports;
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A handler's body, as three parts: the lines before the waiting step, the step, and the lines
/// after it.
fn handler(source: &str, name: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let start = source
        .find(&format!("pub async fn {name}("))
        .expect("the handler is there");
    let body = &source[start..];
    let body = &body[..body.find("\n}").expect("the end of the function")];
    let lines: Vec<String> = body
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect();
    let step = lines
        .iter()
        .position(|line| line == "yield tick;")
        .expect("a yield")
        + 1;
    let end = lines
        .iter()
        .position(|line| line == "});")
        .expect("the loop's end");
    // The marks enclose the step and nothing else.
    assert_eq!(lines[step], "// lesson:begin", "{name}");
    assert_eq!(lines[end - 1], "// lesson:end", "{name}");
    (
        lines[..step].to_vec(),
        lines[step + 1..end - 1].to_vec(),
        lines[end..].to_vec(),
    )
}

#[test]
fn the_four_loops_differ_in_nothing_but_how_they_wait() {
    let source = source("handlers.rs");
    let names = ["blocking", "coroutine", "callback", "threadpool"];
    let handlers = names.map(|name| handler(&source, name));
    for (name, (before, step, after)) in names.iter().zip(&handlers) {
        assert_eq!((before, after), (&handlers[0].0, &handlers[0].2), "{name}");
        assert!((1..=3).contains(&step.len()), "{name}: {step:?}");
    }
    let steps: BTreeSet<_> = handlers.iter().map(|(_, step, _)| step).collect();
    assert_eq!(steps.len(), 4, "four different ways to wait");
    assert!(
        handlers[0].1.iter().all(|line| !line.contains(".await")),
        "the blocking one"
    );
    for (_, step, _) in &handlers[1..] {
        assert!(step.iter().any(|line| line.contains(".await")), "{step:?}");
    }
}

/// The workspace's folder.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The library crates: their names and their source folders.
fn libraries() -> Vec<(String, PathBuf)> {
    let crates = fs::read_dir(Path::new(ROOT).join("crates")).expect("a folder");
    let crates = crates.map(|entry| entry.expect("a folder").path());
    let mut all: Vec<_> = crates
        .filter(|path| path.join("Cargo.toml").is_file())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), path.join("src"))
        })
        .collect();
    all.push(("holdup".to_owned(), Path::new(ROOT).join("src")));
    all.sort();
    assert!(all.len() > 5, "{all:?}");
    all
}

/// All the Rust files under a folder of the source.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn no_two_files_of_a_crate_import_each_other() {
    let mut circles = Vec::new();
    for (_, folder) in libraries() {
        for root in ["lib.rs", "main.rs"] {
            let root = folder.join(root);
            if root.is_file() {
                circles.extend(imports::circles(&root));
            }
        }
    }
    assert!(circles.is_empty(), "files import each other: {circles:#?}");
}

#[test]
fn one_crate_has_unsafe_code_and_each_block_says_why_it_is_sound() {
    let mut blocks = 0;
    for (name, folder) in libraries() {
        if name != "holdup-stack" {
            let forbids = text(&folder.join("lib.rs")).contains("\n#![forbid(unsafe_code)]\n");
            assert!(forbids, "{name}");
        }
        let mut all = Vec::new();
        files(&folder, &mut all);
        for path in all {
            let text = text(&path);
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            let starts = |line: &str| {
                ["unsafe {", "unsafe impl "]
                    .iter()
                    .any(|unsafe_| line.contains(unsafe_))
            };
            let found = lines.iter().enumerate().filter(|(_, line)| starts(line));
            for (index, line) in found {
                let may = [
                    "awaits.rs",
                    "copy.rs",
                    "room.rs",
                    "signal.rs",
                    "tables.rs",
                    "tests/stacks.rs",
                    "tests/wrong_tables.rs",
                ];
                let is_there =
                    name == "holdup-stack" && may.iter().any(|file| path.ends_with(file));
                assert!(is_there, "{}", path.display());
                let comment = lines[..index]
                    .iter()
                    .rev()
                    .take_while(|line| line.starts_with("//"));
                let says = comment
                    .into_iter()
                    .any(|line| line.starts_with("// SAFETY: "));
                assert!(says, "{}: {line}", path.display());
                blocks += 1;
            }
        }
    }
    assert!(blocks > 0, "no unsafe block was found");
}

#[test]
fn the_libraries_never_print_and_never_exit() {
    // The program, unlike the libraries, may print and exit.
    let program = ["main.rs", "cli.rs", "logs.rs", "commands"]
        .map(|name| Path::new(ROOT).join("src").join(name));
    for (name, folder) in libraries() {
        let mut all = Vec::new();
        files(&folder, &mut all);
        all.retain(|path| !program.iter().any(|of| path.starts_with(of)));
        // Tests may print.
        let is_of_tests = |path: &PathBuf| {
            path.iter()
                .any(|part| part == "tests" || part == "tests.rs")
        };
        all.retain(|path| !is_of_tests(&path.strip_prefix(&folder).expect("in it").to_owned()));
        assert!(!all.is_empty(), "{name}");
        for path in all {
            // An example in the documentation may print.
            let tokens = tokens::tokens(&text(&path));
            let bans = |banned: &str| {
                let banned = tokens::tokens(banned);
                tokens.windows(banned.len()).any(|some| some == banned)
            };
            for banned in [
                "println!",
                "eprintln!",
                "print!",
                "eprint!",
                "process::exit",
                "dbg!",
            ] {
                assert!(!bans(banned), "{}: {banned}", path.display());
            }
        }
    }
}

/// The crates that a package of the workspace depends on, down to this depth, without the package
/// itself.
fn dependencies(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges=normal"])
        .args(["--prefix=none", "--format={p}", "--package"])
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let mut names: BTreeSet<_> = names.map(str::to_owned).collect();
    assert!(names.remove(arguments[0]), "{tree}");
    names
}

#[test]
fn a_watched_app_gets_few_direct_dependencies_and_no_client() {
    let mut direct = dependencies(&["holdup-watch", "--depth=1"]);
    assert!(direct.remove("actix-web"), "{direct:?}");
    assert!(direct.len() <= 9, "{direct:?}");
    let all = dependencies(&["holdup-watch"]);
    for other in [
        "holdup",
        "holdup-probe",
        "holdup-console",
        "hyper",
        "rustls",
    ] {
        assert!(!all.contains(other), "{all:?}");
    }
}

#[test]
fn a_console_without_its_buttons_has_no_prober() {
    let without = dependencies(&["holdup-console", "--no-default-features"]);
    assert!(without.contains("holdup-watch"), "{without:?}");
    for other in ["holdup", "holdup-probe", "hyper", "rustls"] {
        assert!(!without.contains(other), "{without:?}");
    }
    let with = dependencies(&["holdup-console", "--features=probe"]);
    assert!(with.contains("holdup-probe"), "{with:?}");
}
