//! Rules of the source itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A handler's body: the lines before the waiting step, the step, the lines after it.
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

/// Which of the crate's own modules each module may use.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "console",
        &["host", "probe", "problem", "timeline", "verdict", "watch"],
    ),
    ("handlers", &["countdown"]),
    ("host", &[]),
    ("lesson", &[]),
    ("countdown", &["problem", "streams"]),
    ("probe", &["draw", "timeline", "verdict"]),
    ("problem", &[]),
    ("streams", &[]),
    ("limits", &[]),
    ("routes", &["countdown", "handlers", "host", "problem"]),
    (
        "serve",
        &[
            "console",
            "countdown",
            "lesson",
            "limits",
            "routes",
            "streams",
            "watch",
        ],
    ),
    ("watch", &[]),
    ("timeline", &[]),
    ("verdict", &["timeline"]),
    ("draw", &["timeline"]),
    ("testing", &["draw", "timeline", "verdict"]),
];

/// All the source of a module: its file, or every file of its folder.
fn module_source(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name);
    if !folder.is_dir() {
        return source(&format!("{name}.rs"));
    }
    let files = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect()
}

#[test]
fn modules_import_only_what_the_design_allows() {
    let listed: BTreeSet<_> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let in_library: BTreeSet<_> = source("lib.rs")
        .lines()
        .map(|line| line.strip_prefix("pub ").unwrap_or(line))
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        listed,
        in_library.iter().map(String::as_str).collect(),
        "every module has a rule"
    );

    for (name, allowed) in MAY_USE {
        let source = module_source(name);
        let used = source.split("crate::").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default()
        });
        for used in used {
            assert!(
                used == *name || allowed.contains(&used),
                "{name} uses crate::{used}"
            );
        }
    }
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

#[test]
fn one_module_has_unsafe_code_and_each_block_says_why_it_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&folder, &mut all);
    for path in all {
        let text = fs::read_to_string(&path).expect("text");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let blocks = lines.iter().enumerate();
        let blocks = blocks.filter(|(_, line)| line.contains("unsafe {"));
        for (index, line) in blocks {
            let may = ["room.rs", "signal.rs", "tests.rs", "unwind.rs"];
            let module = folder.join("watch/lines/glibc");
            let is_there = may.iter().any(|file| path == module.join(file));
            assert!(is_there, "{}", path.display());
            let comment = lines[..index]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("//"));
            let says = comment
                .into_iter()
                .any(|line| line.starts_with("// SAFETY: "));
            assert!(says, "{line}");
        }
    }
}

#[test]
fn the_library_never_prints_and_never_exits() {
    for (name, _) in MAY_USE {
        let source = module_source(name);
        for banned in ["println!", "eprintln!", "print!(", "process::exit", "dbg!"] {
            assert!(!source.contains(banned), "{name}: {banned}");
        }
    }
}
