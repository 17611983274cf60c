//! A section that an app adds to the page.

use std::borrow::Cow;

/// A section of the page, with its own script, that an app adds to its console.
///
/// The script is a module of JavaScript. It can import what `/ui/section.js` exports, the page's API
/// for sections. It comes from the console's own origin, and the page allows no others.
///
/// ```
/// use holdup_console::Section;
///
/// let html = r#"<section><h2>Orders</h2><p id="orders">…</p></section>"#;
/// let script = "import { onLane } from '/ui/section.js';
///     let orders = 0;
///     onLane((lane) => {
///         if (lane.route === '/order') document.getElementById('orders').textContent = ++orders;
///     });";
/// let section = Section::new("orders", html, script);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a section is for a builder"]
pub struct Section {
    pub(crate) name: String,
    pub(crate) html: Cow<'static, str>,
    pub(crate) script: Cow<'static, str>,
    pub(crate) connects_to_app: bool,
    pub(crate) followed: Option<String>,
}

impl Section {
    /// Creates a section with this name, which may have lower-case letters, digits and `-`. The
    /// page inserts `html` **unescaped** after its own sections, so it must not contain anything
    /// that comes from outside. The page loads the `script` after its own modules, from
    /// `/section/NAME.js`.
    pub fn new(
        name: impl Into<String>,
        html: impl Into<Cow<'static, str>>,
        script: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            name: name.into(),
            html: html.into(),
            script: script.into(),
            connects_to_app: false,
            followed: None,
        }
    }

    /// Allows the page to send requests to the app itself. The app is another origin, so the page's
    /// policy forbids this by default. The app must also allow the console's origin to read its
    /// answers (`Access-Control-Allow-Origin`).
    pub fn connects_to_app(mut self) -> Self {
        self.connects_to_app = true;
        self
    }

    /// Sets which requests the section follows: those whose path and query contain this text. When more requests come
    /// than the page draws, these get their lanes before others, and keep them until five seconds after their end. So
    /// `onLane` is called for each of them, as long as no more than about twenty of them come in a second. The query is there only
    /// with [`Watch::record_query(true)`](holdup_watch::Watch::record_query), and of a long path only the beginning.
    pub fn follows(mut self, text: impl Into<String>) -> Self {
        self.followed = Some(text.into());
        self
    }

    /// Returns what is wrong with the section, if it cannot be used.
    pub(crate) fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err("allowed as a name: lower-case letters, digits and '-'".to_owned());
        }
        if self.followed.as_deref() == Some("") {
            return Err(
                "Section::follows is \"\"; allowed: a text of one character or more".to_owned(),
            );
        }
        Ok(())
    }
}
