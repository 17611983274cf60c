//! A route that is asked: where it is, and what is sent there.

use std::fmt;
use std::time::Duration;

use super::connection::Endpoint;
use super::question::Question;
use super::request::{Message, Request};
use super::route;
use super::target::Target;
use holdup_model::Failure;

/// A route that is asked.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) request: Request,
    /// How the server is reached. Without addresses until it has been [found](Self::find).
    pub(super) endpoint: Endpoint,
}

impl Place {
    pub(super) fn new(target: Target, request: Request) -> Self {
        Self {
            target,
            request,
            endpoint: Endpoint {
                addresses: Vec::new(),
                tls: None,
            },
        }
    }

    /// Finds out how the server is reached.
    pub(super) async fn find(&mut self, insecure: bool, longest: Duration) -> Result<(), Failure> {
        self.endpoint = route::find(&self.target, insecure, longest).await?;
        Ok(())
    }

    /// Whether the server has been [found](Self::find).
    pub(super) fn is_found(&self) -> bool {
        !self.endpoint.addresses.is_empty()
    }

    /// The question for a request of this name. Its label replaces `{}` in the URL, a header or the body. If
    /// there is no `{}`, the label is added to the query.
    pub(super) fn question(&self, name: impl fmt::Display) -> Question {
        let label = self.target.label(&name);
        let url = if self.blanks().is_empty() {
            self.target.unique(name)
        } else {
            self.target.filled(&label)
        };
        Question { url, label }
    }

    /// The message for a question. An anonymous one has no cookies and no credentials.
    pub(super) fn message(&self, question: &Question, anonymous: bool) -> Result<Message, Failure> {
        if anonymous {
            self.request.clone().anonymous().to(question)
        } else {
            self.request.to(question)
        }
    }

    /// Where `{}` stands, in words.
    pub(super) fn blanks(&self) -> Vec<String> {
        [self.target.places(), self.request.places()].concat()
    }
}
