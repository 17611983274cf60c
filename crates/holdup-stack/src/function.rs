//! The names of functions. This module handles text only.

/// The name to report for a function that has none of its own.
pub(super) fn nameless(raw: &str) -> &'static str {
    match raw.trim_start_matches('{') {
        raw if raw.starts_with("async_fn") => "async fn",
        raw if raw.starts_with("async") => "async block",
        _ => CLOSURE,
    }
}

pub(super) const CLOSURE: &str = "closure";

/// The modules that a file of the standard library or of a downloaded crate stands for.
pub(super) fn modules_of(file: &str) -> Option<String> {
    let (krate, path) = if let Some((_, rest)) = file.split_once("/library/") {
        rest.split_once("/src/")?
    } else {
        let (_, rest) = file.split_once("/registry/src/")?;
        let (_, rest) = rest.split_once('/')?;
        let (package, path) = rest.split_once("/src/")?;
        (package.rsplit_once('-')?.0, path)
    };
    let path = path.strip_suffix(".rs")?;
    let krate = krate.replace('-', "_");
    let modules = path
        .split('/')
        .filter(|name| !matches!(*name, "lib" | "mod"));
    Some(
        std::iter::once(krate.as_str())
            .chain(modules)
            .collect::<Vec<_>>()
            .join("::"),
    )
}

/// The path that a function's name begins with, through `<Type as Trait>` and references:
/// `app::Type as Trait>::function` for a method of the app's own type.
pub(super) fn path(name: &str) -> &str {
    let mut name = name;
    loop {
        let next = name.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        let next = ["mut ", "const ", "dyn "]
            .iter()
            .fold(next, |next, word| next.strip_prefix(word).unwrap_or(next));
        if next == name {
            break;
        }
        name = next;
    }
    // A type parameter or a primitive type: what counts is the trait.
    let first = name.find([' ', '>', ':']).map_or(name, |end| &name[..end]);
    let is_path = name[first.len()..].starts_with("::");
    match name.split_once(" as ") {
        Some((_, implemented)) if !is_path => path(implemented),
        _ => name,
    }
}

/// The crate of a path.
pub(super) fn crate_of(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

/// A function's name as people write it: without closures, type arguments and the like.
pub(super) fn clean(name: &str) -> String {
    let segments = segments(name);
    let mut words = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        if let Some(inner) = segment.strip_prefix('<') {
            let inner = inner.strip_suffix('>').unwrap_or(inner);
            // The first shows whose function it is, and so does an implementation that stands in a module or,
            // as derived ones do, in a block; others are type arguments.
            if index == 0 {
                words.push(implementor(inner));
            } else if let Some(implementing) = implementing(inner) {
                words = vec![clean(implementing)];
            }
        } else if !segment.starts_with('{') {
            let end = segment.find('<').unwrap_or(segment.len());
            words.push(segment[..end].to_owned());
        }
    }
    words.join("::")
}

/// The type of `impl Trait for Type` and of `impl Type`, if it has a path.
fn implementing(inner: &str) -> Option<&str> {
    let inner = inner.strip_prefix("impl ")?;
    let implementing = inner.rsplit_once(" for ").map_or(inner, |(_, of)| of);
    let is_path =
        segments(implementing).len() > 1 && !implementing.starts_with(['&', '(', '[', '<']);
    is_path.then_some(implementing)
}

/// The type of `Type as Trait`, unless it is a type parameter or has no path.
fn implementor(inner: &str) -> String {
    let mut depth = 0_i32;
    let mut split = None;
    for (at, letter) in inner.char_indices() {
        match letter {
            '<' | '(' | '[' => depth += 1,
            '>' if !inner[..at].ends_with('-') => depth -= 1,
            ')' | ']' => depth -= 1,
            ' ' if depth == 0 && inner[at..].starts_with(" as ") => {
                split = Some(at);
                break;
            }
            _ => {}
        }
    }
    let (implementing, implemented) = match split {
        Some(at) => (&inner[..at], Some(&inner[at + 4..])),
        None => (inner, None),
    };
    let implementing = implementing.trim_start_matches(['&', '*', ' ']);
    let implementing = ["mut ", "const ", "dyn "]
        .iter()
        .fold(implementing, |rest, word| {
            rest.strip_prefix(word).unwrap_or(rest)
        });
    match implemented {
        Some(implemented)
            if segments(implementing).get(1).is_none_or(|s| s.is_empty())
                || implementing.starts_with(['(', '[']) =>
        {
            clean(implemented)
        }
        _ => clean(implementing),
    }
}

/// A path's segments: what is between `::`, but not within brackets.
fn segments(name: &str) -> Vec<&str> {
    let (mut segments, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth -= 1,
            b':' if depth == 0 && bytes.get(at + 1) == Some(&b':') => {
                segments.push(&name[start..at]);
                at += 1;
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    segments.push(&name[start..]);
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_to_the_form_that_people_write() {
        for (name, clear) in [
            ("app::report::{{closure}}", "app::report"),
            ("app::report::{closure#0}", "app::report"),
            ("app::main::{{closure}}::{{closure}}", "app::main"),
            ("app::Rows<T,U>::next", "app::Rows::next"),
            ("app::read::<alloc::vec::Vec<u8>>", "app::read"),
            (
                "<app::Body as actix_web::MessageBody>::poll_next",
                "app::Body::poll_next",
            ),
            (
                "<app::Body<T> as a::B<C>>::poll_next::{{closure}}",
                "app::Body::poll_next",
            ),
            (
                "<&mut app::Body as a::B>::poll_next",
                "app::Body::poll_next",
            ),
            (
                "<alloc::boxed::Box<dyn a::B<X = fn(u8) -> u8>> as a::B>::f",
                "alloc::boxed::Box::f",
            ),
            (
                "<F as actix_web::handler::Handler<(A,)>>::call",
                "actix_web::handler::Handler::call",
            ),
            (
                "<(&str, u16) as std::net::ToSocketAddrs>::f",
                "std::net::ToSocketAddrs::f",
            ),
            ("<app::Rows>::next", "app::Rows::next"),
            (
                "core::num::<impl u64>::rotate_left",
                "core::num::rotate_left",
            ),
            (
                "shop::_::<impl serde_core::ser::Serialize for shop::Report<T>>::serialize",
                "shop::Report::serialize",
            ),
            (
                "shop::cart::<impl shop::Cart>::total::{{closure}}",
                "shop::Cart::total",
            ),
            ("shop::<impl shop::Total for u64>::total", "shop::total"),
            (
                "shop::<impl shop::Total for &shop::Cart>::total",
                "shop::total",
            ),
            ("sqlite3_step", "sqlite3_step"),
            ("{async_fn#0}", ""),
            ("", ""),
            ("<", ""),
        ] {
            assert_eq!(clean(name), clear, "{name}");
        }
    }
}
