//! What was found about a spread.

use super::super::elsewhere;
use super::super::target::Target;
use holdup_verdict::Spread;

/// Over how many workers connections to a server fall, and how evenly.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpreadReport {
    /// The URL that was asked: where the redirects led.
    pub url: String,
    /// The URLs that redirected there, in order.
    pub redirected_from: Vec<String>,
    /// How many connections were open at a time.
    pub at_once: usize,
    /// By what it shows on which worker a connection fell; `None` if nothing shows it.
    pub by: Option<Named>,
    /// What was found.
    pub spread: Spread,
    /// The page that was asked, and the one that was given, if they are not the same.
    pub(super) elsewhere: Option<(String, String)>,
    /// Whether the first request failed because the certificate does not verify.
    pub(super) unverified: bool,
}

/// By what it shows on which worker a connection fell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Named {
    /// `header`, `json` or `beside`.
    pub kind: &'static str,
    /// The headers, the JSON pointer, or the URL of the other route.
    pub name: String,
}

impl SpreadReport {
    pub(super) fn new(target: &Target, redirected_from: &[Target], at_once: usize) -> Self {
        let from = redirected_from.first();
        Self {
            url: target.url().to_owned(),
            redirected_from: redirected_from
                .iter()
                .map(|from| from.url().to_owned())
                .collect(),
            at_once,
            by: None,
            spread: Spread::not_measured("nothing was asked"),
            unverified: false,
            elsewhere: from.and_then(|from| elsewhere::pages(from, target)),
        }
    }

    /// Whether nothing was measured because the server's certificate does not verify.
    /// [`SpreadSettings::insecure`](super::SpreadSettings::insecure) accepts any certificate.
    pub fn is_unverified(&self) -> bool {
        self.unverified
    }

    /// Whether redirects led to another page than the one that was given: a log-in, for example.
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }
}
