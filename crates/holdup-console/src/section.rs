//! A section of the page that an app adds.

use std::borrow::Cow;

/// A section of the page with a script of its own, which an app adds to its console.
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
}

impl Section {
    /// A section of this name: lower-case letters, digits and `-`. The page shows `html` after its own
    /// sections **as it is**, so nothing may be in it that comes from outside. The `script` is loaded
    /// after the page's own, from `/section/NAME.js`.
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
        }
    }

    /// Allows the page to ask the app itself, which is another origin. Without it the page's policy
    /// forbids that. The app has to allow the console's origin to read its answers
    /// (`Access-Control-Allow-Origin`).
    pub fn connects_to_app(mut self) -> Self {
        self.connects_to_app = true;
        self
    }

    /// Whether it can be used, or else what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err("allowed as a name: lower-case letters, digits and '-'".to_owned());
        }
        Ok(())
    }
}
