//! Where a report goes: stdout, and the files that options name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::Probe;
use crate::commands;

/// A file that an option names. That it can be written was tried before anything is measured, so that no measurement is
/// lost because of it. What it has already stays there until there is something to write.
pub(super) struct Output(PathBuf);

/// The files for a report itself.
pub(super) struct Outputs {
    svg: Option<Output>,
    json: Option<Output>,
}

/// A report, in all the forms in which it is asked for.
pub(super) struct Forms {
    /// What is printed.
    pub(super) text: String,
    pub(super) json: String,
    /// The picture; empty if there is none.
    pub(super) svg: String,
}

/// A document as text.
pub(super) fn json(document: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}

impl Output {
    /// Tries whether the file can be written. A new one is not left behind, because a signal may end the measurement.
    ///
    /// # Errors
    ///
    /// One sentence that names the option and the file.
    pub(super) fn open(option: &str, path: &Path) -> Result<Self, String> {
        try_to_open(path).map_err(|error| {
            format!(
                "{option}: cannot write {}: {error}; give another file, or allow to write this one",
                path.display()
            )
        })?;
        Ok(Self(path.to_owned()))
    }

    /// Writes the file anew. Whether that succeeded; if not, that is said.
    pub(super) fn write(self, text: &str) -> bool {
        let Self(path) = self;
        let Err(error) = fs::write(&path, text) else {
            return true;
        };
        commands::warn(format!("cannot write {}: {error}", path.display()));
        false
    }
}

fn try_to_open(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // Opening a pipe would wait for its reader, and a device may do anything.
        Ok(about) if !about.is_file() && !about.is_dir() => return Ok(()),
        Ok(_) => {
            OpenOptions::new().write(true).open(path)?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // A link to a file that does not exist is left alone.
            if fs::symlink_metadata(path).is_err() {
                File::create_new(path)?;
                fs::remove_file(path)?;
            }
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

impl Outputs {
    /// Opens the files that the options name for the report.
    ///
    /// # Errors
    ///
    /// One sentence that names the option and the file.
    pub(super) fn open(options: &Probe) -> Result<Self, String> {
        let open = |option, path: Option<&PathBuf>| {
            path.map(|path| Output::open(option, path)).transpose()
        };
        Ok(Self {
            svg: open("--svg", options.svg.as_ref())?,
            json: open("--json", options.json.as_ref().and_then(Option::as_ref))?,
        })
    }

    /// Prints a report, and then writes it to all files. Whether all of that succeeded; what did not is said.
    pub(super) fn write(self, report: &Forms) -> bool {
        let printed = commands::print(&report.text);
        if let Err(error) = &printed {
            commands::warn(format!("cannot write the report to stdout: {error}"));
        }
        let files = [(self.svg, &report.svg), (self.json, &report.json)];
        let written = files.map(|(file, text)| file.is_none_or(|file| file.write(text)));
        printed.is_ok() && written == [true; 2]
    }
}
