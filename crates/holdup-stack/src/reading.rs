//! Finds the frame of a stack that matters. This module handles text only.

use super::apps::Apps;
use super::called::{called, of_the_waker};
use super::frame::Frame;
use super::naming::{HANDLER, calls_handlers, name};
use super::public::public;

/// The functions and lines of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The innermost line of the app's own code. If none is on the stack, the line in the library that the
    /// app mounted.
    pub place: Option<Place>,
    /// The other lines of the app's own code, from there outwards.
    pub around: Vec<Place>,
    /// The function that the place called; without a place, what the server around the app waits in.
    pub within: Option<String>,
    /// The functions, the innermost first, without the server around the app.
    pub stack: Vec<String>,
}

/// A line of the app's own code, or of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The function, with its path.
    pub function: String,
    /// The source file; `None` where there are no line tables.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// The function that the line called.
    pub called: Option<String>,
    /// Whether the line is in a library.
    pub library: bool,
}

impl Reading {
    /// The place of this stack in `function`, formatted for a log line, if it is past `line` there. The
    /// function's full name has to be known.
    pub fn further_on(&self, function: &str, file: &str, line: u32) -> Option<String> {
        let is_further_on = |place: &&Place| {
            place.function == function
                && place.file.as_deref() == Some(file)
                && place.line.is_some_and(|at| at > line)
        };
        let mut places = self.place.iter().chain(&self.around);
        let place = places
            .find(is_further_on)
            .filter(|_| function.contains("::"))?;
        Some(format!("{function} ({file}:{})", place.line?))
    }
}

/// The most functions of a stack that are reported.
const MAX_REPORTED: usize = 64;

/// Reads a stack, the innermost frame first.
pub(super) fn read(frames: &[Frame]) -> Reading {
    // Frames outside of the innermost watch belong to the server, or in a test to the test itself.
    let end = frames.iter().position(Frame::is_watch);
    let frames = &frames[..end.unwrap_or(frames.len())];
    let apps = Apps::of(frames);
    let place = |index: usize| Place {
        function: name(frames, &apps, index),
        file: frames[index].shown_file(),
        line: frames[index].line,
        called: called(&frames[..index], &apps, frames[index].krate().as_deref()),
        library: !apps.has(&frames[index]),
    };
    let of_the_app = (0..frames.len()).filter(|&index| apps.has(&frames[index]));
    let mut of_the_app: Vec<_> = of_the_app.map(place).collect();
    let outermost = frames.iter().rposition(|frame| apps.has(frame));
    let around = of_the_app.split_off(of_the_app.len().min(1));
    let place = of_the_app
        .pop()
        .or_else(|| handlers(frames, &apps))
        .or_else(|| librarys(frames).map(place));
    let within = match &place {
        Some(place) => place.called.clone(),
        None => called(frames, &apps, None),
    };
    let told = outermost.map_or(frames.len(), |index| index + 1);
    let tell = |index| tell(frames, &apps, index);
    let mut stack: Vec<_> = (of_the_waker(frames)..told).filter_map(tell).collect();
    stack.dedup();
    stack.truncate(MAX_REPORTED);
    Reading {
        place,
        around,
        within,
        stack,
    }
}

/// In a program without file names, a handler may be inlined into the server's function that calls handlers,
/// and then has no name.
fn handlers(frames: &[Frame], apps: &Apps<'_>) -> Option<Place> {
    let is_it = |frame: &Frame| frame.file.is_none() && calls_handlers(frame);
    let index = frames.iter().position(is_it)?;
    Some(Place {
        function: HANDLER.to_owned(),
        file: None,
        line: None,
        called: called(&frames[..index], apps, None),
        library: false,
    })
}

/// The innermost named function of the library that the app mounted, which is the outermost one that is not
/// the server's.
fn librarys(frames: &[Frame]) -> Option<usize> {
    let krate = |frame: &Frame| frame.krate().filter(|_| !frame.is_the_servers());
    let mounted = frames.iter().rev().find_map(krate)?;
    let is_of_it = |frame: &Frame| frame.is_named() && frame.krate().as_ref() == Some(&mounted);
    frames.iter().position(is_of_it)
}

/// One line of a stack.
fn tell(frames: &[Frame], apps: &Apps<'_>, index: usize) -> Option<String> {
    let frame = &frames[index];
    let is_the_apps = apps.has(frame);
    frame.name.as_ref()?;
    if apps.have_expanded(frame) {
        return None;
    }
    if !is_the_apps {
        return frame.is_named().then(|| public(&frame.function()));
    }
    let function = name(frames, apps, index);
    Some(match (frame.shown_file(), frame.line) {
        (Some(file), Some(line)) => format!("{function} ({file}:{line})"),
        _ => function,
    })
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
            in_source: None,
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
    fn the_innermost_line_of_the_app_is_reported_with_what_it_called() {
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
                "<holdup_watch::future::WatchedFuture<F> as core::future::future::Future>::poll",
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
        // The same stack, if the line tables have names only.
        let frames = [
            frame("step", &sqlite, 1),
            frame("{closure#1}", &sqlite, 1),
            frame("execute_batch", &sqlite, 2),
            frame("{async_fn#0}", "/home/me/app/src/main.rs", 30),
        ];
        assert_eq!(place(&frames), "async fn:30 in rusqlite::execute_batch");
    }

    #[test]
    fn without_files_the_app_is_the_crate_that_calls_the_libraries() {
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
        // The handler is inlined into its caller.
        assert_eq!(place(&frames[5..]), "the handler");
        let sleep = frame("std::thread::functions::sleep", "", 0);
        let inlined = [&[sleep], &frames[5..]].concat();
        assert_eq!(place(&inlined), "the handler in std::thread::sleep");
        assert_eq!(place(&[frame("", "", 0)]), "");
        assert_eq!(place(&[]), "");
    }

    #[test]
    fn a_stack_is_further_on_if_it_is_past_the_line_in_the_same_function() {
        let file = "/home/me/app/src/main.rs";
        let frames = [
            frame("app::sleep", file, 4),
            frame("app::count", file, 12),
            frame("{async_fn#0}", file, 20),
        ];
        let reading = read(&frames);
        let further_on = |function, line| reading.further_on(function, file, line);
        let at = Some("app::count (/home/me/app/src/main.rs:12)".to_owned());
        assert_eq!(further_on("app::count", 11), at);
        assert_eq!(
            further_on("app::count", 12),
            None,
            "it may wait at the same line"
        );
        assert_eq!(further_on("app::other", 11), None);
        assert_eq!(
            further_on("async fn", 11),
            None,
            "another one may have this name"
        );
        assert_eq!(reading.further_on("app::count", "src/other.rs", 11), None);
    }

    #[test]
    fn without_code_of_the_app_the_mounted_library_is_named() {
        let files = format!("{CARGO}/actix-files-0.6.10/src");
        let open = frame("std::fs::File::open", &format!("{STD}/fs.rs"), 400);
        let frames = [
            frame("__libc_open64", "", 0),
            open.clone(),
            frame(
                "{async_fn#0}<&std::path::PathBuf>",
                &format!("{files}/named.rs"),
                237,
            ),
            frame(
                "<actix_files::service::FilesService as actix_service::Service>::call::{{closure}}",
                &format!("{files}/service.rs"),
                179,
            ),
            frame(
                "{async_block#0}<actix_web::resource::ResourceEndpoint>",
                &format!("{CARGO}/actix-web-4.18.1/src/resource.rs"),
                512,
            ),
        ];
        let reading = read(&frames);
        let place = reading.place.clone().expect("the library's");
        assert!(place.library && reading.around.is_empty(), "{reading:?}");
        assert_eq!(place.function, "actix_files::service::FilesService::call");
        let file = place.file.as_deref();
        assert_eq!(file, Some("actix-files-0.6.10/src/service.rs"));
        assert_eq!(
            (place.line, place.called.as_deref()),
            (Some(179), Some("std::fs::File::open"))
        );
        // Another library that it calls is reported as the called function.
        let called = frame(
            "walkdir::IntoIter::next",
            &format!("{CARGO}/walkdir-2.5.0/src/lib.rs"),
            9,
        );
        let frames = [open, called, frames[3].clone(), frames[4].clone()];
        let expected = "actix_files::service::FilesService::call";
        assert_eq!(
            self::place(&frames),
            format!("{expected}:179 in walkdir::IntoIter::next")
        );
        // The server's own code does not count as a mounted library.
        assert_eq!(self::place(&frames[3..]), "");
    }

    #[test]
    fn a_closures_line_belongs_to_the_function_around_it() {
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
