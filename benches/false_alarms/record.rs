//! The file of outcomes: one JSON document a line, one line a run.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::rows::ROWS;

/// One run of a row.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) row: String,
    /// How many processes computed beside it.
    pub(crate) busy: usize,
    pub(crate) outcome: Outcome,
    /// How long the check took.
    pub(crate) ms: u64,
    /// The machine's load average: how many threads ran or wanted to, in the last minute. `None` where that is not known.
    pub(crate) load: Option<f64>,
    /// The evidence.
    pub(crate) note: String,
}

pub(crate) struct Record {
    file: File,
    runs: Vec<Run>,
    made: BTreeMap<(String, usize), usize>,
}

impl Record {
    /// Reads what the file has, and opens it for more. A last line that was cut off is removed.
    pub(crate) fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let at = |error| format!("{}: {error}", path.display());
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(error).into()),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(at)?;
        if whole < text.len() {
            file.set_len(whole as u64).map_err(at)?;
        }
        let mut record = Self {
            file,
            runs: Vec::new(),
            made: BTreeMap::new(),
        };
        for (index, line) in text[..whole].lines().enumerate() {
            let at = |error: &str| format!("{}, line {}: {error}", path.display(), index + 1);
            let run: Run = serde_json::from_str(line).map_err(|error| at(&error.to_string()))?;
            if !ROWS.iter().any(|row| row.name == run.row) {
                let error = format!("there is no row {:?}; use another --file", run.row);
                return Err(at(&error).into());
            }
            record.count(run);
        }
        Ok(record)
    }

    pub(crate) fn append(&mut self, run: Run) -> Result<(), Box<dyn Error>> {
        let line = serde_json::to_string(&run)? + "\n";
        self.file.write_all(line.as_bytes())?;
        self.count(run);
        Ok(())
    }

    /// How many runs of a row there are at a load.
    pub(crate) fn made(&self, row: &str, busy: usize) -> usize {
        let made = self.made.get(&(row.to_owned(), busy));
        made.copied().unwrap_or_default()
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    fn count(&mut self, run: Run) {
        *self.made.entry((run.row.clone(), run.busy)).or_default() += 1;
        self.runs.push(run);
    }
}
