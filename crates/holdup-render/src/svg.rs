//! Lanes as an SVG picture, for a README, a report or a page.

use std::fmt::Write as _;
use std::time::Duration;

use super::axis::Axis;
use super::label::{MAX_LABEL, outcome, shown_label, shown_note, shown_outcome, widest};
use super::picture::{Bystander, Picture};
use super::wrap;
use super::xml::escaped;
use holdup_model::{HumanDuration, Lane};

/// Sizes in pixels. A README shows pictures about 800 pixels wide. At half of that size, 14-pixel text is
/// still legible.
const WIDTH: f64 = 800.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;
const PAD: f64 = 16.0;
/// The width of a character of the monospaced text, rounded up.
const CHARACTER: f64 = 8.5;
/// The height of a line of a caption, and the most characters in one.
const LINE: f64 = 20.0;
const CAPTION: usize = 90;

/// Colours for a light page, and for a dark one. The waiting part is hatched as well, a failed end
/// is a cross: nothing depends on colour alone.
const CSS: &str = "\
text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#1f2328}\
.axis{fill:#59636e}.line{stroke:#d1d9e0}\
.waiting{fill:url(#hatch)}.hatch{stroke:#8c959f}\
.answering{fill:#54aeff}.chunk{fill:#0550ae}.first{fill:#0550ae}\
.end{fill:#1a7f37}.failed{stroke:#cf222e;stroke-width:3}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.axis{fill:#9198a1}.line{stroke:#3d444d}\
.hatch{stroke:#656c76}.answering{fill:#1f6feb}.chunk,.first{fill:#a5d6ff}.end{fill:#3fb950}\
.failed{stroke:#f85149}}";

/// Draws `picture`, which may be a `&Timeline`, as a complete SVG document that follows the page's light or dark
/// scheme, with a tooltip for each lane and mark, and `title` as its name for screen readers.
///
/// ```
/// use std::time::Duration;
/// use holdup_render::svg;
/// use holdup_model::{Lane, Timeline};
///
/// let mut lane = Lane::start("/a&b", Duration::ZERO);
/// lane.finish(Duration::from_millis(250));
/// let picture = svg(&Timeline::from(vec![lane]), "One request");
/// assert!(picture.starts_with("<svg xmlns"));
/// assert!(picture.contains("<title>/a&amp;b: 250 ms</title>"));
/// ```
pub fn svg<'a>(picture: impl Into<Picture<'a>>, title: &str) -> String {
    svg_of_all(&[picture.into()], title)
}

/// Draws all `pictures` in one document, one below the other, as [`svg`] draws one.
pub fn svg_of_all(pictures: &[Picture<'_>], title: &str) -> String {
    let blocks: Vec<_> = pictures.iter().map(Block::of).collect();
    let gaps = PAD * count(blocks.len().saturating_sub(1));
    let height = PAD * 2.0 + gaps + blocks.iter().map(Block::height).sum::<f64>();
    let title = escaped(title);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n<style>{CSS}</style>\n\
         <defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><line class=\"hatch\" y2=\"6\" stroke-width=\"3\"/>\
         </pattern></defs>\n"
    );
    let mut y = PAD;
    for block in &blocks {
        block.draw(y, &mut picture);
        y += block.height() + PAD;
    }
    picture.push_str("</svg>\n");
    picture
}

/// One picture of the document.
struct Block<'a> {
    axis: Axis,
    caption: Vec<String>,
    rows: Vec<Shown<'a>>,
}

/// A row: its label as it is shown and whole, and what stands after it in the same two ways.
struct Shown<'a> {
    label: String,
    outcome: String,
    full: String,
    what: What<'a>,
}

enum What<'a> {
    Lane(&'a Lane),
    Beside(&'a Bystander),
}

impl<'a> Block<'a> {
    fn of(picture: &'a Picture<'_>) -> Self {
        let lane = |lane: &'a Lane| Shown {
            label: shown_label(lane.label(), MAX_LABEL, '…'),
            outcome: shown_outcome(lane, MAX_LABEL, '…'),
            full: format!("{}: {}", lane.label(), outcome(lane)),
            what: What::Lane(lane),
        };
        let beside = |beside: &'a Bystander| Shown {
            label: shown_label(&beside.label, MAX_LABEL, '…'),
            outcome: shown_note(&beside.note, MAX_LABEL, '…'),
            full: format!("{}: {}", beside.label, beside.note),
            what: What::Beside(beside),
        };
        let lanes = picture.lanes.lanes.iter().map(lane);
        let caption = picture.caption.as_deref().unwrap_or_default();
        Self {
            axis: Axis::of(picture, None),
            caption: wrap::lines(caption, CAPTION),
            rows: lanes.chain(picture.bystanders.iter().map(beside)).collect(),
        }
    }

    /// The caption, the rows and the axis.
    fn height(&self) -> f64 {
        ROW * count(self.rows.len() + 1) + LINE * count(self.caption.len())
    }

    fn draw(&self, top: f64, picture: &mut String) {
        let labels = widest(self.rows.iter().map(|row| &row.label));
        let outcomes = widest(self.rows.iter().map(|row| &row.outcome));
        let left = PAD + CHARACTER * count(labels) + PAD;
        let right = WIDTH - PAD - CHARACTER * count(outcomes) - PAD;
        let mut y = top;
        for line in &self.caption {
            y += LINE;
            let baseline = y - 6.0;
            let line = escaped(line);
            let _ = writeln!(picture, "<text x=\"{PAD}\" y=\"{baseline}\">{line}</text>");
        }
        for shown in &self.rows {
            let row = Row {
                axis: self.axis,
                left,
                right,
                y: y + (ROW - BAR) / 2.0,
            };
            let marks = match shown.what {
                What::Lane(lane) => row.draw(lane),
                What::Beside(beside) => row.draw_beside(beside),
            };
            let baseline = y + ROW / 2.0 + 5.0;
            let _ = writeln!(
                picture,
                "<g><title>{}</title><text x=\"{PAD}\" y=\"{baseline}\">{}</text>{marks}\
                 <text x=\"{}\" y=\"{baseline}\">{}</text></g>",
                escaped(&shown.full),
                escaped(&shown.label),
                right + PAD,
                escaped(&shown.outcome),
            );
            y += ROW;
        }
        let _ = writeln!(
            picture,
            "<line class=\"line\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <text class=\"axis\" x=\"{left:.1}\" y=\"{:.1}\">0 s</text>\
             <text class=\"axis\" x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            y + 4.0,
            y + 4.0,
            y + ROW,
            y + ROW,
            HumanDuration(self.axis.length()),
        );
    }
}

/// A count, to multiply lengths with.
fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

/// Where one lane is drawn.
#[derive(Debug, Clone, Copy)]
struct Row {
    axis: Axis,
    left: f64,
    right: f64,
    y: f64,
}

impl Row {
    fn x(self, time: Duration) -> f64 {
        self.left + self.axis.place(time) * (self.right - self.left)
    }

    fn draw(self, lane: &Lane) -> String {
        let times = self.axis.marks(lane);
        let (asked, end) = (times.asked, times.end);
        let until = times.first_byte.unwrap_or(end);
        let mut marks = self.bar("waiting", "waiting", asked, until);
        if let Some(first) = times.first_byte {
            marks += &self.bar("answering", "answering", first, end);
            marks += &self.tick("first", "first byte", asked, first, 2.0);
        }
        let kept = lane.chunks().iter().map(|chunk| chunk.at);
        let left_out = lane.chunk_count() - lane.chunks().len() as u64;
        let last = lane.last_chunk_at().filter(|_| left_out > 0);
        for at in kept.chain(last) {
            marks += &self.tick("chunk", "chunk", asked, times.chunk(at), 3.0);
        }
        match (lane.ended_at(), lane.failure()) {
            (Some(_), Some(failure)) => marks += &self.cross(end, &failure.to_string()),
            (Some(_), None) => marks += &self.tick("end", "end", asked, end, 6.0),
            (None, _) => {}
        }
        marks
    }

    /// A bystander's answers, and the times in which it waited for one.
    fn draw_beside(self, beside: &Bystander) -> String {
        let mut waits: Vec<_> = beside
            .requests
            .iter()
            .map(|request| self.axis.marks(request))
            .map(|marks| (marks.asked, marks.end))
            .collect();
        waits.sort_unstable();
        let mut marks = String::new();
        let mut waits = waits.into_iter().peekable();
        while let Some((asked, mut end)) = waits.next() {
            // Requests that wait at the same time are one bar.
            while let Some((_, later)) = waits.next_if(|(asked, _)| *asked <= end) {
                end = end.max(later);
            }
            marks += &self.bar("waiting", "waiting", asked, end);
        }
        for request in &beside.requests {
            let times = self.axis.marks(request);
            if let Some(failure) = request.failure() {
                marks += &self.cross(times.end, &failure.to_string());
            } else if request.finished_at().is_some() {
                marks += &self.tick("chunk", "answer", times.asked, times.end, 3.0);
            }
        }
        marks
    }

    /// The mark of a request that failed.
    fn cross(self, at: Duration, failure: &str) -> String {
        let (x, y) = (self.before(at, BAR), self.y);
        format!(
            "<path class=\"failed\" d=\"M{x:.1} {y:.1}l{BAR} {BAR}m0 -{BAR}l-{BAR} {BAR}\">\
             <title>{}</title></path>",
            escaped(failure),
        )
    }

    fn bar(self, class: &str, title: &str, from: Duration, to: Duration) -> String {
        let (x, end) = (self.x(from), self.x(to));
        format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\">\
             <title>{title} {}</title></rect>",
            self.y,
            (end - x).max(0.0),
            HumanDuration(to.saturating_sub(from)),
        )
    }

    /// Where a mark of this width begins. It ends at its time, so that the last mark stays inside the
    /// picture, as the first one does.
    fn before(self, at: Duration, width: f64) -> f64 {
        (self.x(at) - width).max(self.left)
    }

    fn tick(self, class: &str, title: &str, asked: Duration, at: Duration, width: f64) -> String {
        let x = self.before(at, width);
        format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width}\" height=\"{BAR}\">\
             <title>{title} after {}</title></rect>",
            self.y,
            HumanDuration(at.saturating_sub(asked)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdup_model::{Failure, Timeline};

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_lane_is_drawn_with_its_marks() {
        let mut lane = Lane::start("/a", ms(0));
        lane.record_head(ms(250), 200);
        lane.record_chunk(ms(500), b"tick");
        lane.finish(ms(1000));
        let picture = svg(&Timeline::from(vec![lane]), "One");
        let row = picture.lines().find(|line| line.starts_with("<g>"));
        let expected = concat!(
            r#"<g><title>/a: 1.00 s</title><text x="16" y="34">/a</text>"#,
            r#"<rect class="waiting" x="49.0" y="22.0" width="167.0" height="14">"#,
            r#"<title>waiting 250 ms</title></rect>"#,
            r#"<rect class="answering" x="216.0" y="22.0" width="501.0" height="14">"#,
            r#"<title>answering 750 ms</title></rect>"#,
            r#"<rect class="first" x="214.0" y="22.0" width="2" height="14">"#,
            r#"<title>first byte after 250 ms</title></rect>"#,
            r#"<rect class="chunk" x="380.0" y="22.0" width="3" height="14">"#,
            r#"<title>chunk after 500 ms</title></rect>"#,
            r#"<rect class="end" x="711.0" y="22.0" width="6" height="14">"#,
            r#"<title>end after 1.00 s</title></rect><text x="733" y="34">1.00 s</text></g>"#,
        );
        assert_eq!(row, Some(expected));
    }

    #[test]
    fn text_from_outside_stays_text() {
        let mut lane = Lane::start("/<script>\"'&\u{1}\n</script>", ms(0));
        lane.fail(ms(10), Failure::Other("<b>\0".to_owned()));
        let picture = svg(&Timeline::from(vec![lane]), "\"><script>");
        assert!(
            !picture.contains("<script") && !picture.contains("<b>"),
            "{picture}"
        );
        assert!(!picture.chars().any(|c| c.is_control() && c != '\n'));
        assert!(
            picture.contains("&lt;script&gt;&quot;&#39;&amp;"),
            "{picture}"
        );
        assert!(picture.contains("aria-label=\"&quot;&gt;&lt;script&gt;\""));
    }

    #[test]
    fn lanes_may_be_unfinished_or_absent() {
        let going = Timeline::from(vec![Lane::start("/", ms(5))]);
        for timeline in [Timeline::default(), going] {
            let picture = svg(&timeline, "");
            assert!(picture.ends_with("</svg>\n"));
            assert!(
                !picture.contains("NaN") && !picture.contains("inf"),
                "{picture}"
            );
        }
    }
}
