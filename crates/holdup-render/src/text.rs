//! Lanes as lines of text, for a terminal or a log.

use std::fmt::Write as _;
use std::time::Duration;

use super::axis::Axis;
use super::label::{MAX_LABEL, shown_label, shown_note, shown_outcome, widest};
use super::picture::{Bystander, Picture};
use super::style::{Glyphs, Style};
use super::wrap;
use holdup_model::{HumanDuration, Lane};

/// The fewest columns that show a lane. A narrower picture is drawn wider than asked.
const MIN_BAR: usize = 10;

/// The longest line of a caption, in characters. Longer ones are hard to read.
const MAX_CAPTION: usize = 100;

/// What a row shows: its label, its columns, and what stands after them.
type Row = (String, Vec<char>, String);

/// Draws `picture`, which may be a `&Timeline`: one line per lane and per bystander, the axis, and the legend.
/// Every line ends with a line feed. Without lanes and bystanders there is nothing to draw, and the text is empty.
///
/// Where two marks share a column, the end of a lane hides its chunks and its first byte, and a bystander's
/// failure hides its answers. A width is counted in characters.
pub fn text<'a>(picture: impl Into<Picture<'a>>, style: &Style) -> String {
    let picture = picture.into();
    if picture.is_empty() {
        return String::new();
    }
    let glyphs = style.glyphs();
    let axis = Axis::of(&picture, style.now);
    let label = |label: &str| {
        let most = MAX_LABEL.min((style.width / 3).max(4));
        shown_label(label, most, glyphs.ellipsis)
    };
    let most = (style.width / 3).max(8);
    let mut rows: Vec<Row> = Vec::new();
    for lane in &picture.lanes.lanes {
        let outcome = shown_outcome(lane, most, glyphs.ellipsis);
        rows.push((label(lane.label()), Vec::new(), outcome));
    }
    for beside in &picture.bystanders {
        let note = shown_note(&beside.note, most, glyphs.ellipsis);
        rows.push((label(&beside.label), Vec::new(), note));
    }
    let labels = widest(rows.iter().map(|row| &row.0));
    let outcomes = widest(rows.iter().map(|row| &row.2));
    let length = HumanDuration(axis.length()).to_string();
    let bar = style
        .width
        .saturating_sub(labels + outcomes + 4)
        .max(MIN_BAR)
        // The axis shows both of its ends with a space between them.
        .max(length.len() + 4);
    let lanes = picture.lanes.lanes.iter();
    let lanes = lanes.map(|lane| cells(lane, axis, bar, glyphs));
    let beside = picture.bystanders.iter();
    let beside = beside.map(|beside| beside_cells(beside, axis, bar, glyphs));
    for (row, cells) in rows.iter_mut().zip(lanes.chain(beside)) {
        row.1 = cells;
    }

    let mut text = String::new();
    if let Some(caption) = &picture.caption {
        for line in wrap::lines(caption, style.width.clamp(20, MAX_CAPTION)) {
            let _ = writeln!(text, "{line}");
        }
    }
    for (label, cells, outcome) in &rows {
        let cells = paint(cells, glyphs, style.color);
        let line = format!("{label:labels$}  {cells}  {outcome}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "{:labels$}  0 s{length:>1$}", "", bar - 3);
    let _ = writeln!(text, "{}", legend(&picture, glyphs, style.width));
    text
}

/// The column of a time.
fn column(axis: Axis, width: usize, time: Duration) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a place on the axis is between 0 and 1, a width small"
    )]
    let place = (axis.place(time) * width as f64) as usize;
    place.min(width - 1)
}

/// A bystander's columns: where it was answered, where it failed, and where it only waited.
fn beside_cells(beside: &Bystander, axis: Axis, width: usize, glyphs: &Glyphs) -> Vec<char> {
    let mut cells = vec![' '; width];
    let ends: Vec<_> = beside
        .requests
        .iter()
        .map(|request| {
            let marks = axis.marks(request);
            let end = column(axis, width, marks.end);
            cells[column(axis, width, marks.asked)..=end].fill(glyphs.waiting);
            (request, end)
        })
        .collect();
    let answered = ends.iter().filter(|(lane, _)| lane.finished_at().is_some());
    for (_, end) in answered {
        cells[*end] = glyphs.chunk;
    }
    let failed = ends.iter().filter(|(lane, _)| lane.failure().is_some());
    for (_, end) in failed {
        cells[*end] = glyphs.failed;
    }
    cells
}

/// One lane's columns.
fn cells(lane: &Lane, axis: Axis, width: usize, glyphs: &Glyphs) -> Vec<char> {
    let column = |time| column(axis, width, time);
    let marks = axis.marks(lane);
    let (start, end) = (column(marks.asked), column(marks.end));
    let answering = marks.first_byte.map(column);

    let mut cells = vec![' '; width];
    cells[start..=end].fill(glyphs.waiting);
    if let Some(first) = answering {
        cells[first..=end].fill(glyphs.answering);
        cells[first] = glyphs.first_byte;
    }
    let kept = lane.chunks().iter().map(|chunk| chunk.at);
    for at in kept.chain(lane.last_chunk_at()) {
        // The first byte stays visible beside the chunk that came with it.
        let place = column(marks.chunk(at));
        if Some(place) != answering {
            cells[place] = glyphs.chunk;
        }
    }
    if lane.ended_at().is_some() {
        let failed = lane.failure().is_some();
        cells[end] = if failed { glyphs.failed } else { glyphs.end };
    }
    cells
}

/// The columns as text; equal ones in a row share one colour.
fn paint(cells: &[char], glyphs: &Glyphs, color: bool) -> String {
    if !color {
        return cells.iter().collect();
    }
    let sgr = |cell: char| match cell {
        _ if cell == glyphs.waiting => "2",
        _ if cell == glyphs.failed => "31",
        _ if cell == ' ' => "0",
        _ => "32",
    };
    let mut painted = String::new();
    for run in cells.chunk_by(|one, next| sgr(*one) == sgr(*next)) {
        let run_text: String = run.iter().collect();
        match sgr(run[0]) {
            "0" => painted.push_str(&run_text),
            sgr => {
                let _ = write!(painted, "\x1b[{sgr}m{run_text}\x1b[0m");
            }
        }
    }
    painted
}

/// The legend, broken into lines that fit. It explains failures only if there are any.
fn legend(picture: &Picture<'_>, glyphs: &Glyphs, width: usize) -> String {
    let failed = picture.requests().any(|lane| lane.failure().is_some());
    let chunk = if picture.bystanders.is_empty() {
        "chunk"
    } else {
        "chunk or answer"
    };
    let signs = [
        (glyphs.waiting, "waiting"),
        (glyphs.first_byte, "first byte"),
        (glyphs.answering, "answering"),
        (glyphs.chunk, chunk),
        (glyphs.end, "end"),
        (glyphs.failed, "failed"),
    ];
    let shown = if failed { &signs[..] } else { &signs[..5] };
    let mut legend = String::new();
    let mut line = 0;
    for (sign, meaning) in shown {
        let item = meaning.len() + 2;
        if line > 0 && line + 2 + item > width {
            legend.push('\n');
            line = 0;
        } else if line > 0 {
            legend.push_str("  ");
            line += 2;
        }
        let _ = write!(legend, "{sign} {meaning}");
        line += item;
    }
    legend
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdup_model::{Failure, Timeline};

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A lane whose answer begins with its first tick, and ends with its last.
    fn ticking(label: &str, ticks: &[u64]) -> Lane {
        let mut lane = Lane::start(label, ms(0));
        lane.record_head(ms(ticks[0]), 200);
        for tick in ticks {
            lane.record_chunk(ms(*tick), b"tick");
        }
        lane.finish(ms(ticks[ticks.len() - 1]));
        lane
    }

    fn staircase() -> Timeline {
        let lanes = (0..3_u64).map(|place| {
            let ticks = [0, 200, 400, 600].map(|tick| place * 600 + tick);
            ticking(&format!("/blocking?x={place}"), &ticks)
        });
        lanes.collect::<Vec<_>>().into()
    }

    #[test]
    fn a_serialized_server_is_a_staircase() {
        let picture = "\
/blocking?x=0  |━━━•━━━━•━━━█                             600 ms
/blocking?x=1  ·············|━━━━•━━━•━━━━█               1.20 s
/blocking?x=2  ···························|━━━•━━━━•━━━█  1.80 s
               0 s                                1.80 s
· waiting  | first byte  ━ answering  • chunk  █ end
";
        assert_eq!(text(&staircase(), &Style::plain(64)), picture);
    }

    #[test]
    fn ascii_shows_the_same_picture() {
        let style = Style {
            ascii: true,
            ..Style::plain(64)
        };
        let picture = "\
/blocking?x=0  |===o====o===#                             600 ms
/blocking?x=1  .............|====o===o====#               1.20 s
/blocking?x=2  ...........................|===o====o===#  1.80 s
               0 s                                1.80 s
. waiting  | first byte  = answering  o chunk  # end
";
        assert_eq!(text(&staircase(), &style), picture);
    }

    #[test]
    fn failures_lanes_that_are_going_and_odd_labels_are_shown() {
        let mut cut = Lane::start("/cut\x1b[2J", ms(0));
        cut.record_head(ms(100), 200);
        cut.fail(ms(500), Failure::CutOff);
        let mut going = Lane::start(format!("/{}?x=2", "long".repeat(12)), ms(0));
        going.record_head(ms(100), 200);
        let mut turned_away = Lane::start("/away", ms(250));
        turned_away.record_head(ms(300), 503);
        turned_away.finish(ms(300));
        let timeline = Timeline::from(vec![cut, going, turned_away, Lane::start("/late", ms(500))]);
        let style = Style {
            now: Some(ms(1000)),
            ..Style::plain(80)
        };
        let picture = "\
/cut?[2J                    ··|━━━━━━━━━━━✗               500 ms, answer cut off
…glonglonglonglonglong?x=2  ··|━━━━━━━━━━━━━━━━━━━━━━━━━  going
/away                              ·█                     50 ms, status 503
/late                                     ··············  going
                            0 s                   1.00 s
· waiting  | first byte  ━ answering  • chunk  █ end  ✗ failed
";
        assert_eq!(text(&timeline, &style), picture);
    }

    #[test]
    fn colours_do_not_change_the_text() {
        let style = Style {
            color: true,
            ..Style::plain(64)
        };
        let colored = text(&staircase(), &style);
        assert!(colored.contains("\x1b[2m·"), "{colored:?}");
        let plain = ["\x1b[0m", "\x1b[2m", "\x1b[32m", "\x1b[31m"];
        let plain = plain
            .iter()
            .fold(colored, |text, sgr| text.replace(sgr, ""));
        assert_eq!(plain, text(&staircase(), &Style::plain(64)));
    }

    #[test]
    fn every_line_fits_the_width() {
        for width in [40, 64, 80, 200] {
            let picture = text(&staircase(), &Style::plain(width));
            for line in picture.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        // Too narrow for anything, and nothing to draw.
        assert!(text(&staircase(), &Style::plain(0)).contains('█'));
        assert_eq!(text(&Timeline::default(), &Style::plain(80)), "");
        let instant = Timeline::from(vec![ticking("/", &[0])]);
        assert!(text(&instant, &Style::plain(40)).contains('█'));
    }
}
