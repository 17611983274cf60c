//! What is drawn: lanes, and other routes below them.

use holdup_model::{Lane, Timeline};

/// Lanes, and the other routes that were asked meanwhile.
///
/// ```
/// use std::time::Duration;
/// use holdup_model::{Lane, Timeline};
/// use holdup_render::{Bystander, Picture, Style, text};
///
/// let ms = Duration::from_millis;
/// let answered = |label: &str, from: u64, to: u64| {
///     let mut lane = Lane::start(label, ms(from));
///     lane.record_head(ms(to), 200);
///     lane.finish(ms(to));
///     lane
/// };
/// // The health check is answered again when the report is over.
/// let report = Timeline::from(vec![answered("/report", 0, 3000)]);
/// let asked = |from| answered("/healthz", from, if from < 3000 { 3005 } else { from + 5 });
/// let mut picture = Picture::from(&report);
/// picture.bystanders = vec![Bystander {
///     label: "/healthz, 8 times".to_owned(),
///     note: "no answer for 3.00 s".to_owned(),
///     requests: (0..8).map(|x| asked(x * 500)).collect(),
/// }];
/// let drawn = "\
/// /report            ·······················█      3.00 s
/// /healthz, 8 times  ························•  •  no answer for 3.00 s
///                    0 s                   3.50 s
/// · waiting  | first byte  ━ answering  • chunk or answer  █ end
/// ";
/// assert_eq!(text(picture, &Style::plain(69)), drawn);
/// ```
#[derive(Debug, Clone)]
pub struct Picture<'a> {
    /// What is written above, broken into lines that fit.
    pub caption: Option<String>,
    /// The requests that are drawn as lanes.
    pub lanes: &'a Timeline,
    /// The routes that are drawn below, one row each.
    pub bystanders: Vec<Bystander>,
}

/// A route that was asked again and again while the lanes' requests ran, as one row: its answers, and the
/// times in which a request waited for one.
#[derive(Debug, Clone)]
pub struct Bystander {
    /// What stands before the row.
    pub label: String,
    /// What stands after the row.
    pub note: String,
    /// Its requests. One without an end was not answered.
    pub requests: Vec<Lane>,
}

impl<'a> From<&'a Timeline> for Picture<'a> {
    fn from(lanes: &'a Timeline) -> Self {
        Self {
            caption: None,
            lanes,
            bystanders: Vec::new(),
        }
    }
}

impl Picture<'_> {
    /// All requests that are drawn.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Lane> {
        let beside = self.bystanders.iter().flat_map(|beside| &beside.requests);
        self.lanes.lanes.iter().chain(beside)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.lanes.is_empty() && self.bystanders.is_empty()
    }
}
