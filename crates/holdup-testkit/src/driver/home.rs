//! A separate home folder for each browser.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The folder for all files of the browser, including its profile. It is not below the build's
/// folder, because the path of a Unix socket must be short.
pub(super) fn temporary() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("holdup-browser-{}-{number}", process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

pub(super) fn at_home(mut command: Command, folder: &Path) -> Command {
    command.env("HOME", folder).env("TMPDIR", folder);
    for elsewhere in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        command.env_remove(elsewhere);
    }
    command
}
