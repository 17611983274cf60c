//! Functions by the paths under which people know them. This module handles text only.

use super::known::{IO_TRAITS, KNOWN_AS, PUBLIC_MODULES, TYPES};

/// A function by the path under which it is known. Private modules are left out:
/// `tokio::sync::mutex::Mutex::lock` is `tokio::sync::Mutex::lock`. A future is known by the function that makes
/// it, or by its type, but not by its `poll`.
pub(super) fn public(function: &str) -> String {
    let segments: Vec<_> = function.split("::").collect();
    if matches!(segments[0], "std" | "core" | "alloc") {
        return of_std(&segments);
    }
    let mut path = polled(&segments);
    if let Some((hidden, known)) = KNOWN_AS
        .iter()
        .find(|(hidden, _)| starts_with(&path, hidden))
    {
        let rest = path.split_off(hidden.split("::").count());
        path = known.split("::").chain(rest).collect();
    }
    // A crate's core is a crate of its own for the sake of the build. People use the crate around it.
    let krate = path[0].strip_suffix("_core").unwrap_or(path[0]);
    if path.len() > 1 {
        path[0] = krate;
    }
    if let ["tokio", "io", "util", method, ..] = path.as_slice() {
        let of = IO_TRAITS
            .iter()
            .find(|(start, _)| method.starts_with(start));
        if let Some((_, of)) = of {
            return format!("tokio::io::{of}::{method}");
        }
    }
    let modules = PUBLIC_MODULES
        .iter()
        .filter(|modules| starts_with(&path, modules));
    match modules.map(|modules| modules.split("::").count()).max() {
        Some(count) => in_public_modules(&path, count),
        None => without_repetition(&path),
    }
}

/// The path of what a function polls: of a future the function that makes it, if that has the same name as the
/// future's own module, else the type.
fn polled<'a>(segments: &[&'a str]) -> Vec<&'a str> {
    match segments {
        [of @ .., module, kind, "poll"] if repeats(module, kind) => [of, &[*module]].concat(),
        [of @ .., "poll" | "poll_next"] if of.len() > 1 => of.to_vec(),
        _ => segments.to_vec(),
    }
}

/// Whether the module is named after what is in it: `mutex::Mutex`, `once_cell::OnceCell`.
fn repeats(module: &str, inner: &str) -> bool {
    let letters = |name: &str| name.replace('_', "").to_lowercase();
    letters(module) == letters(inner)
}

fn starts_with(path: &[&str], start: &str) -> bool {
    let mut path = path.iter();
    start
        .split("::")
        .all(|segment| path.next() == Some(&segment))
}

fn is_type(segment: &&str) -> bool {
    segment.starts_with(char::is_uppercase)
}

/// The path in a crate whose public modules are known. The first `count` segments are such a module.
fn in_public_modules(path: &[&str], count: usize) -> String {
    let rest = &path[count..];
    let modules = path[..count].join("::");
    if let Some(at) = rest.iter().position(is_type) {
        return format!("{modules}::{}", rest[at..].join("::"));
    }
    // Without a type, its private module may tell it.
    let of_module = rest.first().and_then(|module| {
        let path = format!("{modules}::{module}");
        TYPES.iter().find(|(module, _)| *module == path)
    });
    match (of_module, rest) {
        (Some((_, kind)), [_]) => format!("{modules}::{kind}"),
        (Some((_, kind)), [.., function]) => format!("{modules}::{kind}::{function}"),
        (None, [.., function]) => format!("{modules}::{function}"),
        (_, []) => modules,
    }
}

/// The path without modules that are named after what is in them.
fn without_repetition(path: &[&str]) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path {
        // The crate itself stays.
        if kept.len() > 1 && kept.last().is_some_and(|last| repeats(last, segment)) {
            kept.pop();
        }
        kept.push(segment);
    }
    kept.join("::")
}

/// A function of the standard library: `std::thread::functions::sleep` is `std::thread::sleep`.
fn of_std(segments: &[&str]) -> String {
    let [first, second, rest @ ..] = segments else {
        return segments.join("::");
    };
    // Without a type, the last module may name it: `std::sync::mutex::lock`.
    let without = match rest {
        [.., module, _] if *module != "functions" => rest.len() - 2,
        _ => rest.len().saturating_sub(1),
    };
    let from = rest.iter().position(is_type).unwrap_or(without);
    [&[*first, *second], &rest[from..]].concat().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_librarys_function_has_the_path_that_people_know() {
        for (name, known) in [
            (
                "tokio::sync::mutex::Mutex::lock",
                "tokio::sync::Mutex::lock",
            ),
            (
                "tokio::sync::rwlock::RwLock::read",
                "tokio::sync::RwLock::read",
            ),
            (
                "tokio::sync::mpsc::bounded::Receiver::recv",
                "tokio::sync::mpsc::Receiver::recv",
            ),
            (
                "tokio::sync::watch::Receiver::changed",
                "tokio::sync::watch::Receiver::changed",
            ),
            (
                "tokio::sync::notify::Notified::poll",
                "tokio::sync::Notify::notified",
            ),
            (
                "tokio::runtime::task::join::JoinHandle::poll",
                "tokio::task::JoinHandle",
            ),
            (
                "tokio::sync::oneshot::Receiver::poll",
                "tokio::sync::oneshot::Receiver",
            ),
            ("tokio::time::sleep::Sleep::poll", "tokio::time::sleep"),
            (
                "tokio::time::timeout::Timeout::poll",
                "tokio::time::timeout",
            ),
            (
                "tokio::time::interval::Interval::tick",
                "tokio::time::Interval::tick",
            ),
            (
                "tokio::net::tcp::stream::TcpStream::connect",
                "tokio::net::TcpStream::connect",
            ),
            (
                "tokio::io::util::read::Read::poll",
                "tokio::io::AsyncReadExt::read",
            ),
            (
                "tokio::io::util::read_line::ReadLine::poll",
                "tokio::io::AsyncBufReadExt::read_line",
            ),
            (
                "tokio::io::util::write_all::WriteAll::poll",
                "tokio::io::AsyncWriteExt::write_all",
            ),
            ("tokio::io::util::copy::copy", "tokio::io::copy"),
            // Line tables alone have no types.
            ("tokio::time::sleep::poll", "tokio::time::sleep"),
            ("tokio::sync::mutex::lock", "tokio::sync::Mutex::lock"),
            ("tokio::sync::rwlock", "tokio::sync::RwLock"),
            ("tokio::sync::broadcast::poll", "tokio::sync::broadcast"),
            (
                "tokio::sync::mpsc::bounded::recv",
                "tokio::sync::mpsc::recv",
            ),
            (
                "futures_util::future::join_all::JoinAll::poll",
                "futures_util::future::join_all",
            ),
            (
                "futures_util::stream::futures_unordered::FuturesUnordered::poll_next",
                "futures_util::stream::FuturesUnordered",
            ),
            (
                "reqwest::async_impl::client::Pending::poll",
                "reqwest::Pending",
            ),
            ("sqlx_core::pool::Pool::acquire", "sqlx::Pool::acquire"),
            (
                "deadpool::managed::pool::Pool::get",
                "deadpool::managed::Pool::get",
            ),
            ("actix_web::web::block", "actix_web::web::block"),
            (
                "actix_multipart::multipart::Multipart::poll_next",
                "actix_multipart::Multipart",
            ),
            (
                "rusqlite::Connection::execute_batch",
                "rusqlite::Connection::execute_batch",
            ),
            ("poll", "poll"),
            ("a::poll", "a::poll"),
            ("read", "read"),
            ("", ""),
        ] {
            assert_eq!(public(name), known, "{name}");
        }
    }

    #[test]
    fn the_standard_librarys_private_modules_are_left_out() {
        for (name, known) in [
            ("std::thread::functions::sleep", "std::thread::sleep"),
            (
                "std::sync::poison::mutex::Mutex::lock",
                "std::sync::Mutex::lock",
            ),
            ("std::sync::poison::mutex::lock", "std::sync::mutex::lock"),
            ("std::fs::read", "std::fs::read"),
            (
                "core::slice::sort::unstable::sort",
                "core::slice::unstable::sort",
            ),
            ("app::one::two::three", "app::one::two::three"),
            ("std", "std"),
        ] {
            assert_eq!(public(name), known, "{name}");
        }
    }
}
