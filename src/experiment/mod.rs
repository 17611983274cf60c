//! What the lab adds to its console, through the same builder that every app has: a button for each handler, the
//! health check that is asked meanwhile, what to try first, and the section "Is it the browser?".

use std::time::Duration;

use crate::lesson;
use holdup_console::{Builder, Button, Parameter, Section, Values};

/// The handlers, in the order of their buttons.
const HANDLERS: [&str; 4] = ["blocking", "coroutine", "callback", "threadpool"];

/// How the labels of the requests begin that the section sends. It needs the lanes of all of them.
const LABEL: &str = "x=browser-";

const FROM: &str = "from";
const PERIOD: &str = "period";

/// Creates the builder of the lab's console, with all of these.
pub fn added_to(console: Builder) -> Builder {
    let commands = [1, 2].map(|x| format!("curl -N '{{app}}/blocking?x={x}'"));
    let sentence =
        "Run these in two terminals, one right after the other, or press a button below:";
    let console = console.intro(sentence, commands);
    let (html, script) = (include_str!("section.html"), include_str!("section.js"));
    let section = Section::new("browser", html, script).connects_to_app();
    let console = console.section(section.follows(LABEL));
    let buttons = HANDLERS.into_iter().map(button);
    buttons.fold(console, Builder::button).beside("/healthz")
}

/// A button for this handler's countdown, with the lines in which the handler differs from the
/// others.
fn button(handler: &str) -> Button {
    let ms = Duration::from_millis;
    let from = Parameter::integer(FROM, 1..=20)
        .default(3)
        .label("count down from");
    let period = Parameter::duration(PERIOD, ms(50)..=ms(2000))
        .default(ms(500))
        .suggest([50, 100, 200, 500, 1000, 2000].map(ms))
        .label("one tick every");
    Button::new(format!("/{handler}"))
        .label(handler)
        .code(lesson::step(handler).unwrap_or_default())
        .parameter(from)
        .parameter(period)
        .expects(countdown)
}

/// How long a countdown takes.
fn countdown(values: &Values) -> Duration {
    let ticks = u32::try_from(values.integer(FROM)).unwrap_or(u32::MAX);
    values.duration(PERIOD).saturating_mul(ticks)
}
