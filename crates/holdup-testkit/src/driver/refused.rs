//! Errors of a browser.

use std::fmt;
use std::io;

use serde_json::Value;

/// An error that a browser returned, or the reason why it returned nothing.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl Refused {
    pub(super) fn new(why: String) -> Self {
        Self(why)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<&Value> for Refused {
    /// Reads WebDriver's error object.
    fn from(error: &Value) -> Self {
        let text = |key: &str| error[key].as_str().unwrap_or_default();
        Self(format!("{}: {}", text("error"), text("message")))
    }
}
