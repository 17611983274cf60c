//! Names the app's own functions. In an optimized build with line tables only, little of a name is left, so
//! the frames around a function on the stack help to find it. This module handles text only.
//!
//! For an inlined function, such tables have only the last part of its name: `clone`, `{async_fn#0}`. But the
//! names of generic functions around it include their type arguments, and these contain the full paths of the
//! closures and futures that were passed in.

use std::path::Path;

use super::apps::Apps;
use super::frame::Frame;
use super::function::{CLOSURE, clean};

/// The name of a handler whose own name is unknown.
pub const HANDLER: &str = "the handler";

/// The name of one of the app's functions.
pub(super) fn name(frames: &[Frame], apps: &Apps<'_>, index: usize) -> String {
    let frame = &frames[index];
    if let Some(whole) = whole_name(frames, apps, index) {
        return whole;
    }
    if let Some(function) = &frame.in_source {
        return with_modules(frames, apps, index, function);
    }
    let function = frame.function();
    if !frame.is_named() {
        let around = (index + 1..frames.len()).find(|&around| apps.has(&frames[around]));
        return match around.filter(|&around| frames[around].file == frame.file) {
            Some(around) if function == CLOSURE => name(frames, apps, around),
            _ if is_called_as_a_handler(&frames[index + 1..]) => HANDLER.to_owned(),
            _ => function,
        };
    }
    with_modules(frames, apps, index, &function)
}

/// One of the app's functions by its path, if that is known; one of a library's as it is.
fn with_modules(frames: &[Frame], apps: &Apps<'_>, index: usize, function: &str) -> String {
    match modules(frames, apps, index).filter(|_| apps.has(&frames[index])) {
        Some(modules) => format!("{modules}::{function}"),
        None => function.to_owned(),
    }
}

/// The name with its path, if the frame or one around it has it.
fn whole_name(frames: &[Frame], apps: &Apps<'_>, index: usize) -> Option<String> {
    let frame = &frames[index];
    if frame.is_named() {
        let function = frame.function();
        return function.contains("::").then_some(function);
    }
    let raw = frame.name.as_deref()?;
    // The type of `{async_fn#0}` is `…::{async_fn_env#0}`.
    let (kind, number) = raw.strip_prefix('{')?.split_once('}')?.0.split_once('#')?;
    let of_the_type = format!("::{{{kind}_env#{number}}}");
    for around in &frames[index + 1..] {
        let mut paths = paths_to(&of_the_type, around.name.as_deref().unwrap_or_default());
        paths.retain(|path| fits(path, frame.file.as_deref()));
        match paths.as_slice() {
            [] if apps.has(around) => return None,
            [] => {}
            [path] => return Some(path.clone()),
            _ => return None,
        }
    }
    None
}

/// The name of a library's `async fn` or `async` block in these modules, if one frame or another tells it: what it
/// passes to generic functions, and what polls it, have its path in their type arguments.
pub(super) fn of_the_future(frames: &[Frame], index: usize, modules: &str) -> Option<String> {
    let raw = frames[index].name.as_deref()?;
    let (kind, number) = raw.strip_prefix('{')?.split_once('}')?.0.split_once('#')?;
    let types = [
        format!("::{{{kind}_env#{number}}}"),
        format!("::{{{kind}#{number}}}::"),
    ];
    let names = frames.iter().filter_map(|frame| frame.name.as_deref());
    let paths = names.flat_map(|name| types.iter().flat_map(move |of| paths_to(of, name)));
    let is_there = |path: &String| path.rsplit_once("::").is_some_and(|(of, _)| of == modules);
    let mut paths: Vec<_> = paths.filter(is_there).collect();
    paths.dedup();
    match paths.as_slice() {
        [path] => Some(path.clone()),
        _ => None,
    }
}

/// The functions whose closures' or futures' types appear in a name.
fn paths_to(of_the_type: &str, name: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (end, _) in name.match_indices(of_the_type) {
        let belongs = |letter: char| letter.is_alphanumeric() || "_:{}#".contains(letter);
        let path = &name[..end];
        let start = path.trim_end_matches(belongs).len();
        let path = clean(&path[start..]);
        if !path.is_empty() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Whether a function of that path can be in that file, by the name of its module.
fn fits(path: &str, file: Option<&str>) -> bool {
    let stem = file.and_then(|file| Path::new(file).file_stem()?.to_str());
    match stem {
        None | Some("main" | "lib" | "mod") => true,
        // A crate may be a file of its own, such as a test.
        Some(stem) => path.split("::").any(|segment| segment == stem),
    }
}

/// The crate and modules of a frame whose name lacks them, taken from a frame of the same package that has
/// them.
fn modules(frames: &[Frame], apps: &Apps<'_>, index: usize) -> Option<String> {
    let file = frames[index].file.as_deref()?;
    let (package, path) = file.rsplit_once("/src/")?;
    let others = (0..frames.len()).filter(|&other| other != index && apps.has(&frames[other]));
    let of_the_package = others.filter_map(|other| {
        let other_file = frames[other].file.as_deref()?;
        let (other_package, _) = other_file.rsplit_once("/src/")?;
        let known = whole_name(frames, apps, other).filter(|_| other_package == package)?;
        Some((other_file, known))
    });
    let known: Vec<_> = of_the_package.collect();
    if let Some((_, function)) = known.iter().find(|(other_file, _)| *other_file == file) {
        let segments = function.split("::");
        // What follows the modules is a type, if the function is a method.
        let is_module = |segment: &&str| !segment.starts_with(char::is_uppercase);
        let mut modules: Vec<_> = segments.take_while(is_module).collect();
        if function.split("::").count() == modules.len() {
            modules.pop();
        }
        return Some(modules.join("::"));
    }
    let krate = known.first()?.1.split("::").next()?;
    let path = path.strip_suffix(".rs")?.split('/');
    let modules = path.filter(|name| !matches!(*name, "lib" | "main" | "mod"));
    Some(
        std::iter::once(krate)
            .chain(modules)
            .collect::<Vec<_>>()
            .join("::"),
    )
}

/// Whether the innermost of these frames is actix-web's call of a route's handler.
fn is_called_as_a_handler(around: &[Frame]) -> bool {
    let caller = around.iter().find(|frame| {
        let krate = frame.krate();
        !krate.is_some_and(|krate| matches!(krate.as_str(), "std" | "core" | "alloc"))
    });
    caller.is_some_and(calls_handlers)
}

/// Whether the frame is in the module of actix-web that calls handlers.
pub(super) fn calls_handlers(frame: &Frame) -> bool {
    match &frame.file {
        Some(file) => file.contains("/actix-web-") && file.ends_with("/src/handler.rs"),
        None => frame.function().starts_with("actix_web::handler::"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::read;

    const APP: &str = "/home/me/shop/src";
    const ACTIX: &str =
        "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/actix-web-4.18.1/src";

    fn frame(name: &str, file: &str) -> Frame {
        Frame {
            name: Some(name.to_owned()),
            file: Some(file.to_owned()),
            line: Some(7),
            in_source: None,
        }
    }

    /// The frame that an optimized build with line tables only has for an inlined function that another one
    /// calls.
    fn names(frames: &[Frame]) -> Vec<String> {
        let reading = read(frames);
        let places = reading.place.into_iter().chain(reading.around);
        places.map(|place| place.function).collect()
    }

    #[test]
    fn a_future_is_named_by_the_frames_around_it() {
        let handler = frame("{async_fn#0}", &format!("{APP}/cart.rs"));
        let poll = frame(
            "poll<core::pin::Pin<alloc::boxed::Box<dyn a::F>>>",
            "/rustc/1/library/core/src/future/future.rs",
        );
        let call = |future: &str| {
            let name = format!("{{async_block#0}}<fn(shop::Id) -> {future}, (shop::Id,)>");
            frame(&name, &format!("{ACTIX}/handler.rs"))
        };
        for (future, expected) in [
            ("shop::cart::show::{async_fn_env#0}", "shop::cart::show"),
            (
                "shop::cart::{impl#3}::show::{async_fn_env#0}",
                "shop::cart::show",
            ),
            ("shop::cart::show::{async_fn_env#0}<u8>", "shop::cart::show"),
            // Types of another file, another number and another kind, and one without a path.
            ("shop::stock::show::{async_fn_env#0}", HANDLER),
            ("shop::cart::show::{async_fn_env#1}", HANDLER),
            ("shop::cart::show::{closure_env#0}", HANDLER),
            ("::{async_fn_env#0}", HANDLER),
        ] {
            let frames = [handler.clone(), poll.clone(), call(future)];
            assert_eq!(names(&frames), [expected], "{future}");
        }
        // Two functions fit.
        let two = "shop::cart::a::{async_fn_env#0}, shop::cart::b::{async_fn_env#0}";
        assert_eq!(names(&[handler.clone(), call(two)]), [HANDLER]);
        // This one is not called as a handler.
        let mut elsewhere = call("");
        elsewhere.file = Some(format!("{ACTIX}/middleware/from_fn.rs"));
        assert_eq!(names(&[handler, elsewhere]), ["async fn"]);
    }

    #[test]
    fn a_future_that_no_frame_names_has_the_name_of_its_source() {
        let cart = format!("{APP}/cart.rs");
        let mut inlined = frame("{async_fn#0}", &cart);
        inlined.in_source = Some("Cart::total".to_owned());
        let around = frame("shop::cart::show::{{closure}}", &cart);
        assert_eq!(
            names(&[inlined.clone(), around]),
            ["shop::cart::Cart::total", "shop::cart::show"]
        );
        assert_eq!(names(&[inlined]), ["Cart::total"]);
    }

    #[test]
    fn an_inlined_function_gets_the_modules_of_the_frames_around_it() {
        let cart = format!("{APP}/cart.rs");
        let around = frame("<shop::cart::Cart as shop::Total>::total", &cart);
        assert_eq!(
            names(&[frame("clone", &cart), around.clone()]),
            ["shop::cart::clone", "shop::cart::Cart::total"]
        );
        assert_eq!(
            names(&[
                frame("clone", &format!("{APP}/stock/mod.rs")),
                around.clone()
            ]),
            ["shop::stock::clone", "shop::cart::Cart::total"]
        );
        assert_eq!(
            names(&[frame("main", &format!("{APP}/main.rs")), around.clone()])[0],
            "shop::main"
        );
        // A frame of another package has no known modules.
        assert_eq!(
            names(&[frame("clone", "/home/me/other/src/cart.rs"), around])[0],
            "clone"
        );
    }
}
