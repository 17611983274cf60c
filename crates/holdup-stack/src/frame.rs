//! One function on a stack, on its own. This module handles text only.

use std::path::Path;

use super::function::{clean, crate_of, modules_of, nameless, path};
use super::known::{CALLED, DOWNLOADED, MOUNTED, NOT_THE_APPS_FILES, SERVERS, WATCH, WATCH_FILES};

/// One function on a stack, as the symbols and line tables describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Demangled, without its hash.
    pub(super) name: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    /// For one of the app's futures without a name: the function in whose source it is, without the modules.
    pub(super) in_source: Option<String>,
}

impl Frame {
    pub(super) fn is_watch(&self) -> bool {
        let by_name = |name: &String| WATCH.iter().any(|watch| path(name).starts_with(watch));
        let by_file = |file: &String| WATCH_FILES.iter().any(|part| file.contains(part));
        self.name.as_ref().is_some_and(by_name) || self.file.as_ref().is_some_and(by_file)
    }

    /// Whether it is known to be in a Rust file.
    pub(crate) fn is_rust(&self) -> bool {
        let extension = self
            .file
            .as_ref()
            .and_then(|file| Path::new(file).extension());
        extension.is_some_and(|extension| extension == "rs")
    }

    pub(super) fn may_be_the_apps(&self) -> bool {
        if let Some(file) = &self.file {
            let is_a_librarys = NOT_THE_APPS_FILES.iter().any(|part| file.contains(part));
            if is_a_librarys || !self.is_rust() {
                return false;
            }
        }
        let known = |name: &String| {
            let name = crate_of(path(name));
            [SERVERS, MOUNTED, CALLED]
                .iter()
                .any(|known| known.contains(&name))
        };
        !self.name.as_ref().is_some_and(known)
    }

    /// Whether the function has a name of its own. Closures and async blocks have none.
    pub(super) fn is_named(&self) -> bool {
        self.name
            .as_deref()
            .is_some_and(|raw| !clean(raw).is_empty())
    }

    /// The function's name, as far as this frame alone shows it.
    pub(super) fn function(&self) -> String {
        let Some(raw) = &self.name else {
            return String::new();
        };
        let name = clean(raw);
        if name.is_empty() {
            return nameless(raw).to_owned();
        }
        // For an inlined function, line tables have the name without its path.
        let modules = self.file.as_deref().filter(|_| !name.contains("::"));
        match modules.and_then(modules_of) {
            Some(modules) => format!("{modules}::{name}"),
            // The C library's internal names have this prefix; the public ones do not.
            None => name.strip_prefix("__GI_").unwrap_or(&name).to_owned(),
        }
    }

    /// The function's crate, if it is Rust. The file decides, because a method's name has the crate of its
    /// type.
    pub(super) fn krate(&self) -> Option<String> {
        let modules = self.file.as_deref().and_then(modules_of);
        let name = || {
            let name = path(self.name.as_deref()?);
            name.contains("::").then(|| name.to_owned())
        };
        let modules = modules.or_else(name)?;
        Some(crate_of(&modules).to_owned())
    }

    /// Whether the function belongs to the server around the app, its runtime or the standard library.
    pub(super) fn is_the_servers(&self) -> bool {
        let krate = self.krate();
        krate.is_some_and(|krate| SERVERS.contains(&krate.as_str()))
    }

    /// The file's path for people: relative to the current directory if it is under it; for a library, from
    /// its package on.
    pub(super) fn shown_file(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        let under_here = || {
            let under = Path::new(file).strip_prefix(std::env::current_dir().ok()?);
            Some(under.ok()?.display().to_string())
        };
        let in_its_package = || {
            let mut found = DOWNLOADED
                .iter()
                .filter_map(|folder| file.split_once(folder));
            // The first component is the registry.
            let (_, package) = found.next()?.1.split_once('/')?;
            Some(package.to_owned())
        };
        let shown = under_here().or_else(in_its_package);
        Some(shown.unwrap_or_else(|| file.to_owned()))
    }
}
