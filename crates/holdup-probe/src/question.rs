//! What one request asks for.

use url::{Position, Url};

/// What one lane asks for.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) url: Url,
    /// What takes the place of `{}` in a header or the body.
    pub(super) label: String,
}

impl Question {
    /// What a lane is called: the path and the query, as the rest is the same for all.
    pub(super) fn label_of_lane(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }
}
