//! Documents, and the files that options name.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Serialize;

/// A document as text.
pub(super) fn json(document: &impl Serialize) -> Result<String, Box<dyn Error>> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}

/// Writes a file anew.
pub(super) fn file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
