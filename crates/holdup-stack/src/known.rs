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

/// Libraries that an app calls, and what these call, for the same reason.
pub(super) const CALLED: &[&str] = &[
    "async_lock",
    "awc",
    "bb8",
    "deadpool",
    "deadpool_postgres",
    "deadpool_redis",
    "diesel",
    "diesel_async",
    "event_listener",
    "holdup_timer",
    "hyper_util",
    "mongodb",
    "r2d2",
    "redis",
    "reqwest",
    "rusqlite",
    "sea_orm",
    "sqlx",
    "sqlx_core",
    "sqlx_mysql",
    "sqlx_postgres",
    "sqlx_sqlite",
    "tokio_postgres",
    "tonic",
    "tower_http",
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

/// Modules of the server that call middleware, extractors, handlers and bodies.
pub(super) const CALLERS: &[&str] = &[
    "actix_http::body",
    "actix_service",
    "actix_web::app_service",
    "actix_web::extract",
    "actix_web::handler",
    "actix_web::middleware",
    "actix_web::resource",
    "actix_web::route",
    "actix_web::scope",
    "actix_web::service",
];

/// Modules of libraries whose functions only pass a poll on to what is inside of them.
pub(super) const COMBINATORS: &[&str] = &[
    "actix_utils::future",
    "async_stream",
    "either",
    "futures_core",
    "futures_lite::future",
    "futures_lite::stream",
    "futures_util::future",
    "futures_util::poll",
    "futures_util::stream",
    "http_body_util::combinators",
    "pin_project",
    "pin_project_lite",
    "tokio::future",
    "tokio::loom",
    "tokio::macros",
    "tokio::task::coop",
    "tokio::task::local",
    "tokio::task::task_local",
    "tokio::task::unconstrained",
    "tokio::time::timeout",
    "tokio_stream::stream_ext",
    "tower::util",
    "tracing::instrument",
];

/// Those that have a timer of their own beside what is inside of them, and the timers.
pub(super) const TIMEOUTS: &[&str] = &["tokio::time::timeout"];
pub(super) const TIMERS: &[&str] = &["holdup_timer::sleep", "tokio::time::sleep"];

/// Where wakers are kept: in types of this name, and in this module.
pub(super) const WAKERS: [&str; 2] = ["AtomicWaker", "atomic_waker"];
pub(super) const TASK: &str = "core::task";

/// Modules that are public, of crates in which types and functions stand in private ones.
pub(super) const PUBLIC_MODULES: &[&str] = &[
    "awc",
    "deadpool::managed",
    "deadpool::unmanaged",
    "reqwest",
    "tokio",
    "tokio::fs",
    "tokio::io",
    "tokio::net",
    "tokio::net::tcp",
    "tokio::net::unix",
    "tokio::process",
    "tokio::runtime",
    "tokio::signal",
    "tokio::signal::unix",
    "tokio::sync",
    "tokio::sync::broadcast",
    "tokio::sync::mpsc",
    "tokio::sync::oneshot",
    "tokio::sync::watch",
    "tokio::task",
    "tokio::time",
    "tokio_stream",
    "tokio_stream::wrappers",
];

/// Types whose place in their crate nobody knows, and futures, by the functions that make them.
pub(super) const KNOWN_AS: &[(&str, &str)] = &[
    (
        "actix_web::types::form::FormExtractFut",
        "actix_web::web::Form::from_request",
    ),
    (
        "actix_web::types::json::JsonExtractFut",
        "actix_web::web::Json::from_request",
    ),
    (
        "actix_web::types::payload::BytesExtractFut",
        "actix_web::web::Bytes::from_request",
    ),
    (
        "actix_web::types::payload::Payload",
        "actix_web::web::Payload",
    ),
    (
        "actix_web::types::payload::StringExtractFut",
        "String::from_request",
    ),
    ("tokio::net::tcp::listener", "tokio::net"),
    ("tokio::net::tcp::socket", "tokio::net"),
    ("tokio::net::tcp::stream", "tokio::net"),
    ("tokio::net::unix::stream", "tokio::net"),
    ("tokio::runtime::task::join", "tokio::task"),
    (
        "tokio::sync::notify::Notified",
        "tokio::sync::Notify::notified",
    ),
];

/// The types whose methods stand in these modules.
pub(super) const TYPES: &[(&str, &str)] = &[
    ("tokio::sync::barrier", "Barrier"),
    ("tokio::sync::mutex", "Mutex"),
    ("tokio::sync::notify", "Notify"),
    ("tokio::sync::once_cell", "OnceCell"),
    ("tokio::sync::rwlock", "RwLock"),
    ("tokio::sync::semaphore", "Semaphore"),
];

/// The traits of tokio whose methods begin with these words.
pub(super) const IO_TRAITS: &[(&str, &str)] = &[
    ("fill_buf", "AsyncBufReadExt"),
    ("read_line", "AsyncBufReadExt"),
    ("read_until", "AsyncBufReadExt"),
    ("read", "AsyncReadExt"),
    ("flush", "AsyncWriteExt"),
    ("shutdown", "AsyncWriteExt"),
    ("write", "AsyncWriteExt"),
];
