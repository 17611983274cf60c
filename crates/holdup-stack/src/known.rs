//! Crates, files and functions that are never the app's own code.

/// Crates of the server and its runtime, with their dependencies. No app mounts them.
pub(super) const SERVERS: &[&str] = &[
    "actix",
    "actix_codec",
    "actix_http",
    "actix_router",
    "actix_rt",
    "actix_server",
    "actix_service",
    "actix_test",
    "actix_tls",
    "actix_utils",
    "actix_web",
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

/// Libraries that an app mounts or is wrapped in. The list is needed where no file name shows that they are
/// not the app's.
pub(super) const MOUNTED: &[&str] = &[
    "actix_cors",
    "actix_files",
    "actix_multipart",
    "actix_session",
    "actix_web_actors",
    "actix_ws",
];

/// Where cargo keeps what it downloaded.
pub(super) const DOWNLOADED: [&str; 2] = ["/registry/src/", "/git/checkouts/"];

/// Parts of paths to what is not the app's own code: the standard library, as it was built or as
/// rustup installs it, and what cargo downloaded.
pub(super) const NOT_THE_APPS_FILES: &[&str] = &[
    "/rustc/",
    "/rustlib/src/rust/",
    "/library/std/src/",
    "/library/core/src/",
    "/library/alloc/src/",
    "/registry/src/",
    "/git/checkouts/",
    "/vendor/",
];

/// holdup's own middleware, and what it is built on, in names and in files.
pub(super) const WATCH: [&str; 3] = [
    "holdup_watch::",
    "holdup_detect::",
    "holdup_stack::awaits::",
];
pub(super) const WATCH_FILES: [&str; 5] = [
    "/holdup-stack/src/awaits.rs",
    "/holdup-watch/src/",
    "/holdup-watch-",
    "/holdup-detect/src/",
    "/holdup-detect-",
];

/// Functions of the standard library that only pass a call on, or are next to nothing.
pub(super) const PASSED_ON: &[&str] = &[
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

pub(super) const PRIMITIVE: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize",
];
