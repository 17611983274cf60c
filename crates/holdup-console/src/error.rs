//! Why a console did not start.

use std::error::Error;
use std::io;

/// Why a console did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be read, is taken, not ours, or not allowed.
    #[error("cannot listen on {address} for the console")]
    Bind {
        /// The address asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The app's URL, or the one by which browsers find it, cannot be used.
    #[error(
        "the app's URL {given:?} cannot be used: {why}; use a URL such as http://127.0.0.1:8080"
    )]
    App {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// A button cannot be used.
    #[error("the button {given:?} cannot be used: {why}")]
    Button {
        /// Its path.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// A section of the page cannot be used.
    #[error("the section {given:?} cannot be used: {why}")]
    Section {
        /// Its name.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// A host name cannot be allowed.
    #[error("the host {given:?} cannot be allowed: {why}")]
    Host {
        /// What was given.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// Buttons, and no app to ask.
    #[error(
        "the console has buttons, but no app to send requests to; set its URL with Builder::app"
    )]
    NoApp,
    /// A bound is out of range.
    #[error("{option} is {given}; allowed: {allowed}")]
    Bound {
        /// The builder's method that was given it.
        option: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        allowed: String,
    },
    /// The figures cannot be kept.
    #[error("the console cannot record metrics")]
    Metrics(#[source] Box<dyn Error + Send + Sync>),
    /// The system has no thread for it.
    #[error("the console's thread cannot be started")]
    Thread(#[source] io::Error),
}
