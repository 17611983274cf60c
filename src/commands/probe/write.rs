//! Where a report goes: stdout, and the files that options name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::Probe;
use crate::commands;

/// A file that an option names. It is opened before anything is measured, so that no measurement is lost because the
/// file cannot be written. What it has already stays there until there is something to write.
pub(super) struct Output {
    path: PathBuf,
    file: File,
    /// Whether it is to be deleted: it was not there before, and nothing has been written completely.
    is_vain: bool,
}

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
    /// Opens the file, or creates it.
    ///
    /// # Errors
    ///
    /// One sentence that names the option and the file.
    pub(super) fn open(option: &str, path: &Path) -> Result<Self, String> {
        let opened = match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => Ok((file, true)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let mut options = OpenOptions::new();
                let options = options.write(true).create(true).truncate(false);
                options.open(path).map(|file| (file, false))
            }
            Err(error) => Err(error),
        };
        let (file, is_vain) = opened.map_err(|error| {
            format!(
                "{option}: cannot write {}: {error}; give another file, or allow to write this one",
                path.display()
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            is_vain,
        })
    }

    /// Writes the file anew. Whether that succeeded; if not, that is said.
    pub(super) fn write(mut self, text: &str) -> bool {
        let written = self
            .empty()
            .and_then(|()| self.file.write_all(text.as_bytes()));
        let Err(error) = written else {
            self.is_vain = false;
            return true;
        };
        commands::warn(format!("cannot write {}: {error}", self.path.display()));
        false
    }

    fn empty(&self) -> io::Result<()> {
        // A pipe or a terminal has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_vain {
            fs::remove_file(&self.path).ok();
        }
    }
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
