//! Why a console did not start.

use std::error::Error;
use std::io;

/// Why a console did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is invalid, already in use, not one of this machine, or not permitted.
    #[error("cannot listen on {address} for the console")]
    Bind {
        /// The address that was given.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The app's URL, or its public URL, cannot be used.
    #[error(
        "the app's URL {given:?} cannot be used: {why}; use a URL such as http://127.0.0.1:8080"
    )]
    App {
        /// The URL that was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// A button cannot be used.
    #[error("the button {given:?} cannot be used: {why}")]
    Button {
        /// The button's path.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// The route that is asked beside those of the buttons cannot be used.
    #[error("the route {given:?} cannot be asked beside those of the buttons: {why}")]
    Beside {
        /// The route's path.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// A section of the page cannot be used.
    #[error("the section {given:?} cannot be used: {why}")]
    Section {
        /// The section's name.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// A host name cannot be allowed.
    #[error("the host {given:?} cannot be allowed: {why}")]
    Host {
        /// The name that was given.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// There are buttons, but no app to send their requests to.
    #[error(
        "the console has buttons, but no app to send requests to; set its URL with Builder::app"
    )]
    NoApp,
    /// A bound is out of range.
    #[error("{option} is {given}; allowed: {allowed}")]
    Bound {
        /// The builder's method that set the bound.
        option: &'static str,
        /// The value that was given.
        given: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// The metrics recorder could not be created.
    #[error("the console cannot record metrics")]
    Metrics(#[source] Box<dyn Error + Send + Sync>),
    /// The system could not start a thread for the console.
    #[error("the console's thread cannot be started")]
    Thread(#[source] io::Error),
}
