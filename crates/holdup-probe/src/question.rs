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
    /// The label of its lane: the path and the query, because the rest is the same for all requests.
    pub(super) fn label_of_lane(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }
}
