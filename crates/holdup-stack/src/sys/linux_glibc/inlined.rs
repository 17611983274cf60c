//! The names of functions that were inlined, as far as line tables alone have none, from their source.

use std::env;
use std::fs::{self, Metadata};
use std::sync::OnceLock;
use std::time::SystemTime;

use super::source::{Function, function_at};
use crate::frame::Frame;
use crate::function::modules_of;
use crate::known::DOWNLOADED;

/// A source file that is larger is not read, bytes.
const LONGEST_SOURCE: u64 = 1 << 20;

/// Completes the name of a function that was inlined, from its source, if that is on this machine and has not
/// changed since the program was built. What cargo downloaded never does.
pub(super) fn complete(frame: &mut Frame) {
    let Some(file) = file_of(frame) else {
        return;
    };
    let is_usable = |of: &Metadata| {
        let is_short = of.len() <= LONGEST_SOURCE;
        is_short && (is_downloaded(file) || is_older_than_the_program(of).unwrap_or(false))
    };
    let source = fs::metadata(file).ok().filter(is_usable);
    let source = source.and_then(|_| fs::read_to_string(file).ok());
    let function = source.and_then(|source| function_at(&source, frame.line?));
    if let Some(function) = function {
        complete_by(frame, function);
    }
}

fn is_older_than_the_program(file: &Metadata) -> Option<bool> {
    static BUILT: OnceLock<Option<SystemTime>> = OnceLock::new();
    let program = || fs::metadata(env::current_exe().ok()?).ok()?.modified().ok();
    let built = (*BUILT.get_or_init(program))?;
    Some(file.modified().ok()? <= built)
}

/// The source file that has the rest of the frame's name, if that has no path: of a library's function, and of one
/// of the app's futures.
fn file_of(frame: &Frame) -> Option<&str> {
    let file = frame.file.as_deref().filter(|_| frame.is_rust())?;
    let name = frame.name.as_deref()?;
    let has_a_path = name
        .split('<')
        .next()
        .is_some_and(|name| name.contains("::"));
    let is_future = || frame.may_be_the_apps() && name.starts_with("{async");
    (!has_a_path && (is_downloaded(file) || is_future())).then_some(file)
}

/// Whether the file is one of a library that cargo downloaded.
fn is_downloaded(file: &str) -> bool {
    DOWNLOADED.iter().any(|folder| file.contains(folder))
}

/// Completes the name by the function of the frame's line. Does nothing if they contradict each other.
fn complete_by(frame: &mut Frame, function: Function) {
    let (Some(name), Some(file)) = (&frame.name, &frame.file) else {
        return;
    };
    let mut path = function.owners;
    if !is_downloaded(file) {
        path.push(function.name);
        frame.in_source = Some(path.join("::"));
        return;
    }
    let Some(modules) = modules_of(file) else {
        return;
    };
    path.insert(0, modules);
    // Closures and futures stand within the function.
    if name.starts_with('{') {
        path.push(function.name);
    } else if name.split('<').next() != Some(&function.name) {
        return;
    }
    path.push(name.clone());
    frame.name = Some(path.join("::"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, file: &str) -> Frame {
        Frame {
            name: Some(name.to_owned()),
            file: Some(file.to_owned()),
            line: Some(7),
            in_source: None,
        }
    }

    const LOCK: &str = "/root/.cargo/registry/src/index.crates.io-1/tokio-1.54.1/src/sync/mutex.rs";
    const APP: &str = "/home/me/shop/src/cart.rs";

    #[test]
    fn a_librarys_name_gets_its_path_and_keeps_its_type_arguments() {
        for (name, expected) in [
            (
                "{async_fn#0}<()>",
                "tokio::sync::mutex::Mutex::lock::{async_fn#0}<()>",
            ),
            ("lock<u8>", "tokio::sync::mutex::Mutex::lock<u8>"),
            // The line is in another function: what was inlined came from a macro.
            ("poll<u8>", "poll<u8>"),
        ] {
            let mut frame = frame(name, LOCK);
            assert_eq!(file_of(&frame), Some(LOCK));
            let function = Function {
                owners: vec!["Mutex".to_owned()],
                name: "lock".to_owned(),
            };
            complete_by(&mut frame, function);
            assert_eq!(frame.name.as_deref(), Some(expected));
            assert_eq!(frame.in_source, None);
        }
    }

    #[test]
    fn one_of_the_apps_futures_keeps_its_name_beside_that_of_its_source() {
        let mut frame = frame("{async_fn#0}", APP);
        assert_eq!(file_of(&frame), Some(APP));
        let function = Function {
            owners: vec!["Cart".to_owned()],
            name: "total".to_owned(),
        };
        complete_by(&mut frame, function);
        assert_eq!(frame.name.as_deref(), Some("{async_fn#0}"));
        assert_eq!(frame.in_source.as_deref(), Some("Cart::total"));
    }

    #[test]
    fn what_has_a_path_or_is_no_rust_needs_no_source() {
        for (name, file) in [
            ("tokio::sync::mutex::Mutex<T>::lock::{{closure}}", LOCK),
            (
                "sqlite3_step",
                "/root/.cargo/registry/src/index.crates.io-1/libsqlite3-sys-0.35.0/sqlite3.c",
            ),
            ("total", APP),
            ("{closure#0}", APP),
            ("{async_fn#0}", "/rustc/1/library/core/src/future/mod.rs"),
        ] {
            assert_eq!(file_of(&frame(name, file)), None, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_changes_nothing() {
        let mut frame = frame("{async_fn#0}", APP);
        let before = frame.clone();
        complete(&mut frame);
        assert_eq!(frame, before);
    }
}
