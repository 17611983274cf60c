//! Why a console cannot be read.

use holdup_model::Failure;

/// A URL at which no console can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadConsole {
    /// Nothing answers there, or nothing that can be read.
    #[error(
        "the console at {url} cannot be read: {why}; check that the app runs with its console, and that this \
         is the address at which the console listens"
    )]
    Unreachable {
        /// The console's URL.
        url: String,
        /// What went wrong.
        why: Failure,
    },
    /// Its certificate is not trusted. Accepting any certificate avoids this error.
    #[error("the console at {url} cannot be read: {why}")]
    Unverified {
        /// The console's URL.
        url: String,
        /// Why the certificate does not verify.
        why: String,
    },
    /// Something answers that is not a console.
    #[error(
        "{url} is not a console of holdup: {why}; use the address at which the console listens, not that \
         of the app"
    )]
    NotAConsole {
        /// The URL that was given.
        url: String,
        /// What shows that it is none.
        why: String,
    },
    /// The console does not answer under this name, or not to this client.
    #[error("the console at {url} refuses the request (403): {why}")]
    Refused {
        /// The console's URL.
        url: String,
        /// The console's own reason.
        why: String,
    },
    /// The console has no place for one more reader.
    #[error("the console at {url} cannot be read at the moment (503): {why}")]
    Busy {
        /// The console's URL.
        url: String,
        /// The console's own reason.
        why: String,
    },
    /// Something answers there, and names another URL. Redirects are not followed, because nobody chose the
    /// place to which they lead.
    #[error(
        "{url} redirects to {to} ({status}), and redirects of a console are not followed; use the URL of \
         the console itself"
    )]
    Redirects {
        /// The URL that was given.
        url: String,
        /// The status of the answer.
        status: u16,
        /// Where it redirects to.
        to: String,
    },
    /// It is a console, but of a version of holdup that does not have this page yet.
    #[error(
        "the console at {url} has no {path}, because its app uses an older version of holdup; update \
         holdup-watch and holdup-console in the app"
    )]
    Older {
        /// The console's URL.
        url: String,
        /// The page that it does not have, such as `/requests`.
        path: String,
    },
    /// It is the page of a record, and no app runs behind it.
    #[error(
        "{url} shows a record, and no app is behind it; use the address of the app's own console"
    )]
    Record {
        /// The URL that was given.
        url: String,
    },
    /// The console belongs to a version of holdup whose messages cannot be read.
    #[error(
        "the console at {url} sends messages of version {found}, but only version {known} can be read; use \
         the same version of holdup for the app and for the prober"
    )]
    Version {
        /// The console's URL.
        url: String,
        /// The version that it names.
        found: String,
        /// The version that can be read.
        known: u64,
    },
}
