//! The lines in which each handler differs, cut from its own source.

/// The source of the handlers, as compiled. In each handler, two marks enclose the lesson.
const SOURCE: &str = include_str!("handlers.rs");

const BEGIN: &str = "// lesson:begin";
const END: &str = "// lesson:end";

/// The lines in which the handler of this name differs from the others: those between its two
/// marks. `None` if there is no such handler.
///
/// ```
/// let step = holdup::lesson::step("blocking");
/// assert_eq!(step.as_deref(), Some("thread::sleep(tick.pause());"));
/// assert_eq!(holdup::lesson::step("healthz"), None);
/// ```
pub fn step(handler: &str) -> Option<String> {
    let (_, handler) = SOURCE.split_once(&format!("pub async fn {handler}("))?;
    let mut lines = handler.lines().map(str::trim);
    lines.find(|line| *line == BEGIN)?;
    let step: Vec<_> = lines.take_while(|line| *line != END).collect();
    Some(step.join("\n"))
}
