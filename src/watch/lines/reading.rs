//! Which frame of a stack matters: text alone, no system.

use std::path::Path;

use super::function::{CLOSURE, clean, crate_of, modules_of, nameless, path, public};

/// One function on a stack, as the symbols and line tables tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::watch) struct Frame {
    /// Demangled, without its hash.
    pub(super) name: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
}

/// What a stack says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Reading {
    /// Where the app's own code is, the innermost of it; `None` when none is on the stack.
    pub(in super::super) place: Option<Place>,
    /// The functions, the innermost first, without the server around the app.
    pub(in super::super) stack: Vec<String>,
}

/// A line of the app's own code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Place {
    pub(in super::super) function: String,
    pub(in super::super) file: Option<String>,
    pub(in super::super) line: Option<u32>,
    /// What it called.
    pub(in super::super) called: Option<String>,
}

/// The most functions of a stack that are told.
const TOLD: usize = 64;

/// Crates that are never the app's own code, for where no file tells it.
const NOT_THE_APPS: &[&str] = &[
    "actix",
    "actix_codec",
    "actix_cors",
    "actix_files",
    "actix_http",
    "actix_multipart",
    "actix_router",
    "actix_rt",
    "actix_server",
    "actix_service",
    "actix_session",
    "actix_test",
    "actix_tls",
    "actix_utils",
    "actix_web",
    "actix_web_actors",
    "actix_ws",
    "alloc",
    "async_stream",
    "backtrace",
    "core",
    "futures",
    "futures_channel",
    "futures_core",
    "futures_executor",
    "futures_util",
    "hashbrown",
    "hyper",
    "mio",
    "std",
    "test",
    "tokio",
    "tokio_stream",
    "tokio_util",
    "tower",
    "tracing",
];

/// Parts of paths to what is not the app's own code: the standard library, as it was built or as
/// rustup installs it, and what cargo downloaded.
const NOT_THE_APPS_FILES: &[&str] = &[
    "/rustc/",
    "/rustlib/src/rust/",
    "/library/std/src/",
    "/library/core/src/",
    "/library/alloc/src/",
    "/registry/src/",
    "/git/checkouts/",
    "/vendor/",
];

/// This crate's own middleware, in names and in files. The lab's handlers, which are an app, are not
/// in it.
const WATCH: &str = concat!(env!("CARGO_CRATE_NAME"), "::watch::");
const WATCH_FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/watch/");

/// Functions of the standard library that only pass a call on, or are next to nothing.
const PASSED_ON: &[&str] = &[
    "core::any::",
    "core::cell::",
    "core::clone::",
    "core::cmp::",
    "core::convert::",
    "core::future::",
    "core::hint::",
    "core::intrinsics::",
    "core::iter::",
    "core::mem::",
    "core::num::",
    "core::ops::",
    "core::option::",
    "core::pin::",
    "core::ptr::",
    "core::result::",
    "core::task::",
    "alloc::boxed::",
    "std::panic::",
    "std::panicking::",
    "std::thread::local::",
];

const PRIMITIVE: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize",
];

/// Reads a stack, the innermost frame first.
pub(super) fn read(frames: &[Frame]) -> Reading {
    // What is outside of the innermost watch is the server, or in a test the test.
    let end = frames.iter().position(Frame::is_watch);
    let frames = &frames[..end.unwrap_or(frames.len())];
    let apps = Apps::of(frames);
    let innermost = frames.iter().position(|frame| apps.has(frame));
    let outermost = frames.iter().rposition(|frame| apps.has(frame));
    // A closure without a name is called after the function that it is in.
    let function = |index: usize| {
        let function = frames[index].function();
        let mut around = frames[index + 1..].iter();
        let around = around.find(|frame| apps.has(frame));
        match around.filter(|frame| frame.file == frames[index].file) {
            Some(around) if function == CLOSURE => around.function(),
            _ => function,
        }
    };
    let place = innermost.map(|index| Place {
        function: function(index),
        file: frames[index].file.as_deref().map(relative),
        line: frames[index].line,
        called: frames[..index].iter().rev().find_map(Frame::called),
    });
    let told = outermost.map_or(frames.len(), |index| index + 1);
    let tell = |frame: &Frame| frame.tell(apps.has(frame));
    let mut stack: Vec<_> = frames[..told].iter().filter_map(tell).collect();
    stack.dedup();
    stack.truncate(TOLD);
    Reading { place, stack }
}

/// What the app's own code is told by.
#[derive(Debug)]
struct Apps<'a> {
    /// Where there are no files: the crate of the outermost function that is no known library's, as it
    /// is the app that calls libraries and not the other way round.
    by_name: Option<&'a str>,
}

impl<'a> Apps<'a> {
    fn of(frames: &'a [Frame]) -> Self {
        let candidate = |frame: &'a Frame| {
            let name = frame.name.as_deref().filter(|_| frame.may_be_the_apps())?;
            name.contains("::").then(|| crate_of(path(name)))
        };
        let by_name = frames.iter().rev().find_map(candidate);
        Self { by_name }
    }

    fn has(&self, frame: &Frame) -> bool {
        let Some(name) = frame.name.as_deref().filter(|_| frame.may_be_the_apps()) else {
            return false;
        };
        // A Rust function's name has its crate, but not where only its inlined copy is described.
        frame.file.is_some()
            || self
                .by_name
                .is_some_and(|apps| crate_of(path(name)) == apps)
    }
}

impl Frame {
    fn is_watch(&self) -> bool {
        let by_name = |name: &String| path(name).starts_with(WATCH);
        let by_file = |file: &String| file.starts_with(WATCH_FILES);
        self.name.as_ref().is_some_and(by_name) || self.file.as_ref().is_some_and(by_file)
    }

    /// Whether it is known to be in a Rust file.
    pub(in crate::watch) fn is_rust(&self) -> bool {
        let extension = self
            .file
            .as_ref()
            .and_then(|file| Path::new(file).extension());
        extension.is_some_and(|extension| extension == "rs")
    }

    fn may_be_the_apps(&self) -> bool {
        if let Some(file) = &self.file {
            let is_a_librarys = NOT_THE_APPS_FILES.iter().any(|part| file.contains(part));
            if is_a_librarys || !self.is_rust() {
                return false;
            }
        }
        let known = |name: &String| NOT_THE_APPS.contains(&crate_of(path(name)));
        !self.name.as_ref().is_some_and(known)
    }

    fn function(&self) -> String {
        let Some(raw) = &self.name else {
            return String::new();
        };
        let name = clean(raw);
        if name.is_empty() {
            return nameless(raw).to_owned();
        }
        // Tables that are only of lines have the name alone, of what was inlined.
        let modules = self.file.as_deref().filter(|_| !name.contains("::"));
        match modules.and_then(modules_of) {
            Some(modules) => format!("{modules}::{name}"),
            // The C library's own name for what others call without it.
            None => name.strip_prefix("__GI_").unwrap_or(&name).to_owned(),
        }
    }

    /// How it is told as what the app called; `None` when it only passes a call on.
    fn called(&self) -> Option<String> {
        let function = self.function();
        // A method of a primitive type has no crate: `u64::rotate_left`.
        let is_primitive = PRIMITIVE.contains(&crate_of(&function));
        let passes_on = is_primitive || PASSED_ON.iter().any(|start| function.starts_with(start));
        let is_named = !clean(self.name.as_deref()?).is_empty();
        (is_named && !passes_on).then(|| public(&function))
    }

    /// One line of a stack.
    fn tell(&self, is_the_apps: bool) -> Option<String> {
        let function = self.function();
        let is_named = !clean(self.name.as_deref()?).is_empty();
        if !is_named && !is_the_apps {
            return None;
        }
        Some(match (&self.file, self.line) {
            (Some(file), Some(line)) if is_the_apps => {
                format!("{function} ({}:{line})", relative(file))
            }
            _ if is_the_apps => function,
            _ => public(&function),
        })
    }
}

/// A file as one finds it from where the program runs, if it is under there.
fn relative(file: &str) -> String {
    let here = std::env::current_dir().ok();
    let under = here.and_then(|here| {
        let under = Path::new(file).strip_prefix(here).ok()?;
        Some(under.display().to_string())
    });
    under.unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STD: &str = "/rustc/59807616/library/std/src";
    const CARGO: &str = "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";

    fn frame(name: &str, file: &str, line: u32) -> Frame {
        Frame {
            name: (!name.is_empty()).then(|| name.to_owned()),
            file: (!file.is_empty()).then(|| file.to_owned()),
            line: (line > 0).then_some(line),
        }
    }

    fn place(frames: &[Frame]) -> String {
        let place = read(frames).place;
        place.map_or_else(String::new, |place| {
            let line = place
                .line
                .map(|line| format!(":{line}"))
                .unwrap_or_default();
            let called = place.called.map(|called| format!(" in {called}"));
            format!("{}{line}{}", place.function, called.unwrap_or_default())
        })
    }

    #[test]
    fn the_innermost_line_of_the_apps_own_matters_and_what_it_called() {
        let frames = [
            frame("clock_nanosleep", "", 0),
            frame(
                "std::thread::functions::sleep",
                &format!("{STD}/thread/functions.rs"),
                300,
            ),
            frame("app::render", "/home/me/app/src/render.rs", 4),
            frame("app::report::{{closure}}", "/home/me/app/src/main.rs", 20),
            frame(
                "<holdup::watch::future::WatchedFuture<F> as core::future::future::Future>::poll",
                "",
                0,
            ),
            frame(
                "actix_web::service::call",
                &format!("{CARGO}/actix-web-4.18.1/src/a.rs"),
                9,
            ),
            frame("test::a_test", "/home/me/app/tests/it.rs", 7),
        ];
        assert_eq!(place(&frames), "app::render:4 in std::thread::sleep");
        let stack = read(&frames).stack;
        let expected = [
            "clock_nanosleep",
            "std::thread::sleep",
            "app::render (/home/me/app/src/render.rs:4)",
            "app::report (/home/me/app/src/main.rs:20)",
        ];
        assert_eq!(stack, expected);
    }

    #[test]
    fn libraries_are_not_the_apps_own_and_the_one_that_it_called_is_named() {
        let sqlite = format!("{CARGO}/rusqlite-0.37.0/src/lib.rs");
        let frames = [
            frame(
                "sqlite3_step",
                &format!("{CARGO}/libsqlite3-sys-0.35.0/sqlite3/sqlite3.c"),
                1,
            ),
            frame("rusqlite::Connection::execute_batch", &sqlite, 2),
            frame("app::rows", "/home/me/app/src/main.rs", 30),
        ];
        assert_eq!(
            place(&frames),
            "app::rows:30 in rusqlite::Connection::execute_batch"
        );
        // The same, where the line tables have names only.
        let frames = [
            frame("step", &sqlite, 1),
            frame("{closure#1}", &sqlite, 1),
            frame("execute_batch", &sqlite, 2),
            frame("{async_fn#0}", "/home/me/app/src/main.rs", 30),
        ];
        assert_eq!(place(&frames), "async fn:30 in rusqlite::execute_batch");
    }

    #[test]
    fn without_files_the_app_is_whoever_calls_the_libraries() {
        let frames = [
            frame("clock_nanosleep", "", 0),
            frame("sqlite3_step", "", 0),
            frame("rusqlite::Connection::execute_batch", "", 0),
            frame("app::rows", "", 0),
            frame("app::report::{closure#0}", "", 0),
            frame("<F as actix_web::handler::Handler<Args>>::call", "", 0),
            frame("tokio::runtime::block_on", "", 0),
        ];
        assert_eq!(
            place(&frames),
            "app::rows in rusqlite::Connection::execute_batch"
        );
        assert_eq!(place(&frames[5..]), "");
        assert_eq!(place(&[frame("", "", 0)]), "");
        assert_eq!(place(&[]), "");
    }

    #[test]
    fn a_closures_line_is_of_the_function_that_it_is_in() {
        let file = "/home/me/app/src/main.rs";
        let frames = [
            frame("lt", "/rustc/59807616/library/core/src/cmp.rs", 1),
            frame("{closure#0}", file, 12),
            frame(
                "for_each",
                "/rustc/59807616/library/core/src/iter/iterator.rs",
                1,
            ),
            frame("app::sum", file, 12),
        ];
        assert_eq!(place(&frames), "app::sum:12");
    }
}
