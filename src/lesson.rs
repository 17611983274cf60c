//! How each handler waits, as its own source says it.

/// The handlers, as they were compiled.
const SOURCE: &str = include_str!("handlers.rs");

/// The lines in which the handler of that name differs from the others: what stands between the
/// `yield` and the end of its loop. `None` if there is no such handler.
///
/// ```
/// let step = holdup::lesson::step("blocking");
/// assert_eq!(step.as_deref(), Some("thread::sleep(tick.pause());"));
/// assert_eq!(holdup::lesson::step("healthz"), None);
/// ```
pub fn step(handler: &str) -> Option<String> {
    let (_, body) = SOURCE.split_once(&format!("pub async fn {handler}("))?;
    let (_, rest) = body.split_once("yield tick;\n")?;
    let (step, _) = rest.split_once("\n    });")?;
    let lines: Vec<_> = step.lines().map(str::trim).collect();
    Some(lines.join("\n"))
}
