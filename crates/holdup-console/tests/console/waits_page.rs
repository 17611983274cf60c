//! The page's section about where open requests wait, in a real browser.

use holdup_testkit::browser::{Browser, Key, Kind};
use holdup_watch::Watch;

use super::waits::{ROUTE, Shared, ask, ask_for, go_on_late, line_of, locks};

const ROWS: &str = "#waits button";

/// Opens the console's page in a browser.
async fn open(console: &holdup_console::Console) -> Browser {
    let browser = Browser::start(Kind::Chromium).await;
    browser.resize(1280, 800).await;
    browser
        .goto(&format!("http://{}/", console.address()))
        .await;
    browser.wait_for("body[data-state=live]").await;
    browser
}

/// Asserts that nothing is wider than the page.
async fn assert_fits(browser: &Browser) {
    let fits = "document.documentElement.scrollWidth <= innerWidth
        && [...document.querySelectorAll('#where *, #whom *, #stack *')].every((element) => {
            const { left, right } = element.getBoundingClientRect();
            return left >= 0 && right <= innerWidth;
        })";
    assert_eq!(browser.eval(fits).await, true);
}

/// Asserts that the dialog is open, and names the line of the lock, and those that wait for it.
async fn assert_told(browser: &Browser) {
    browser.wait_for("#stack[open]").await;
    let place = browser.text("#stack-of").await;
    assert!(place.starts_with(&line_of("the lock")), "{place}");
    let lines = browser.text("#stack-lines").await;
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(lines.starts_with(&format!("{ROUTE} #")), "{lines}");
    let holder = format!("elsewhere: 1 waiting at {}", line_of("the holder"));
    assert!(lines.contains(&holder), "{lines}");
    let frames = browser.text("#stack-frames").await;
    let frame = line_of("the lock");
    assert!(frames.lines().any(|line| line == frame), "{frames}");
    let made = "document.querySelectorAll('#stack b, #waits b b, #lanes b').length";
    assert_eq!(browser.eval(made).await, 0, "text is text");
    assert_fits(browser).await;
}

#[tokio::test]
async fn the_lock_that_requests_wait_for_is_shown_with_who_has_it() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let browser = open(&console).await;
    assert_eq!(browser.text("#where").await, "", "there is nothing to show");
    let clients = ask(served.address, 4);
    let both = "document.querySelectorAll('#waits button').length === 2
        && document.querySelector('#waits b').textContent === '3'
        && [...document.querySelectorAll('#waits code')].every((place) => /:[0-9]+[)]/.test(place.textContent))";
    browser.wait_until(both).await;
    let text = browser.text(ROWS).await;
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let [count, place, who, holder] = lines.as_slice() else {
        panic!("{text}");
    };
    assert_eq!(*count, "3");
    let line = line_of("the lock");
    assert!(
        place.starts_with(&format!("{line}, in tokio::sync::")),
        "{place}"
    );
    assert!(who.starts_with(&format!("{ROUTE} for ")), "{who}");
    let elsewhere = format!("elsewhere: 1 waiting at {}", line_of("the holder"));
    assert!(holder.starts_with(&elsewhere), "{holder}");

    // The lanes are drawn as waiting, and say where.
    let words = "[...document.querySelectorAll('li.lane .word')].every(
        (word) => /^waiting [0-9.]+ m?s$/.test(word.textContent))";
    browser.wait_until(words).await;
    let title = browser
        .eval("document.querySelector('li.lane:last-child').title")
        .await;
    let title = title.as_str().unwrap_or_default();
    assert!(title.contains(&line), "{title}");
    browser.screenshot("console-waits-1280").await;

    // With the pointer, and by keyboard.
    browser.click(ROWS).await;
    assert_told(&browser).await;
    browser.screenshot("console-waits-stack-1280").await;
    browser.press(Key::Escape).await;
    let closed = "!document.querySelector('#stack').open";
    browser.wait_until(closed).await;
    let focused = format!("document.activeElement === document.querySelector('{ROWS}')");
    assert_eq!(browser.eval(&focused).await, true, "the place is kept");
    for (dark, name) in [(false, "light"), (true, "dark")] {
        browser.prefer(dark, true).await;
        for (width, height) in [(360, 800), (1280, 800)] {
            browser.resize(width, height).await;
            assert_fits(&browser).await;
            browser
                .screenshot(&format!("console-waits-{width}-{name}"))
                .await;
        }
    }
    browser.resize(360, 740).await;
    browser.press(Key::Enter).await;
    assert_told(&browser).await;
    browser.screenshot("console-waits-stack-360").await;
    browser.press(Key::Escape).await;
    browser.wait_until(closed).await;
    browser.resize(1280, 800).await;

    // The row with the keyboard's place stays until the place is elsewhere.
    shared.go_on.close();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    let gone = format!("{focused} && document.activeElement.textContent.endsWith('none now')");
    browser.wait_until(&gone).await;
    browser.click("h1").await;
    browser
        .execute("document.activeElement.blur()", vec![])
        .await;
    let hidden = "!document.querySelector('#where').checkVisibility()";
    browser.wait_until(hidden).await;
    let title = "/\\ndone, ran for .*, waited for /.test(document.querySelector('li.lane').title)";
    browser.wait_until(title).await;
    browser.finish().await;
}

#[tokio::test]
async fn who_holds_up_whom_is_a_table_and_nothing_jumps_under_the_pointer() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console
        .app(format!("http://{}", served.address))
        .button("/other")
        .start()
        .expect("a console");
    let browser = open(&console).await;
    // With the keyboard's place below the sections that are about to appear.
    browser.wait_for("[data-button='0'] button.run").await;
    let run = "document.querySelector('[data-button=\"0\"] button.run')";
    browser.execute(&format!("{run}.focus()"), vec![]).await;
    let top = format!("{run}.getBoundingClientRect().top");
    let before = browser.eval(&top).await.as_f64().expect("a number");
    let app = served.address;
    let reports = ask(app, 2);
    browser.wait_for("#waits button").await;
    let held = ask_for(app, "/hold".to_owned());
    browser
        .wait_for("li.lane[data-lane='1'][data-held-up=true]")
        .await;
    browser.screenshot("console-waits-held-up").await;
    go_on_late(&shared);
    assert_eq!(held.join().expect("an answer"), 200);
    for client in reports {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    browser.wait_for("#victims td").await;
    let row =
        "[...document.querySelectorAll('#victims tr:first-child td')].map((c) => c.textContent)";
    let row = browser.eval(row).await;
    assert_eq!(
        (&row[0], &row[1]),
        (&ROUTE.into(), &"GET /hold".into()),
        "{row}"
    );
    assert!(
        row[3].as_str().is_some_and(|time| time.ends_with(" s")),
        "{row}"
    );
    let title = "document.querySelector('li.lane[data-lane=\"1\"]').title";
    let title = browser.eval(title).await;
    let told = title
        .as_str()
        .is_some_and(|title| title.contains("by GET /hold"));
    assert!(told, "{title}");
    let after = browser.eval(&top).await.as_f64().expect("a number");
    let sections = "document.querySelector('#where').offsetHeight + document.querySelector('#whom').offsetHeight";
    assert!(browser.eval(sections).await.as_f64() > Some(100.0));
    assert!((after - before).abs() < 40.0, "{before} and {after}");
    assert_fits(&browser).await;
    browser
        .execute("document.activeElement.blur()", vec![])
        .await;
    browser.execute("scrollTo(0, 0)", vec![]).await;
    browser.resize(1280, 1100).await;
    browser.screenshot("console-whom-1280").await;
    browser.prefer(true, true).await;
    browser.resize(360, 1000).await;
    assert_fits(&browser).await;
    let show = "document.querySelector('#whom').scrollIntoView()";
    browser.execute(show, vec![]).await;
    browser.screenshot("console-whom-360-dark").await;
    browser.finish().await;
}

#[tokio::test]
async fn the_page_stays_where_it_is_when_the_section_under_the_pointer_goes() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let browser = open(&console).await;
    let clients = ask(served.address, 2);
    browser.wait_for("#waits button").await;
    // So low that there is something to scroll to with and without the section.
    browser.resize(1280, 240).await;
    browser
        .execute("document.querySelector('#where').scrollIntoView()", vec![])
        .await;
    browser.click("#where h2").await;
    let hovered =
        "document.querySelector('#where:hover') && !document.querySelector('#waits:hover')";
    browser.wait_until(hovered).await;
    let below = "document.querySelector('#where + section').getBoundingClientRect().top";
    let before = browser.eval(below).await.as_f64().expect("a number");
    shared.go_on.close();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    let hidden = "!document.querySelector('#where').checkVisibility()";
    browser.wait_until(hidden).await;
    // It stays, or comes up to where the section was. At the page's top it would be further down.
    let after = browser.eval(below).await.as_f64().expect("a number");
    assert!(after < before + 40.0, "{before} and {after}");
    assert!(browser.eval("scrollY").await.as_f64() > Some(40.0));
    browser.finish().await;
}

#[tokio::test]
async fn a_row_stands_for_the_same_place_while_its_stack_is_shown() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let browser = open(&console).await;
    let mut clients = ask(served.address, 2);
    let both = "document.querySelectorAll('#waits button').length === 2
        && [...document.querySelectorAll('#waits code')].every((place) => /:[0-9]+[)]/.test(place.textContent))";
    browser.wait_until(both).await;
    let told = "document.querySelector('#waits button').ariaHasPopup";
    assert_eq!(browser.eval(told).await, "dialog");
    browser.click(ROWS).await;
    browser.wait_for("#stack[open]").await;
    let place = browser.text("#stack-of").await;
    assert_eq!(browser.text("#stack-lines").await.lines().count(), 1);

    // Another place comes, at which most requests wait: it would be the first.
    clients.extend([0; 3].map(|_| ask_for(served.address, "/other".to_owned())));
    let come = "[...document.querySelectorAll('#waits b')].some((n) => n.textContent === '3')";
    browser.wait_until(come).await;
    browser.screenshot("console-waits-under-stack").await;
    browser.press(Key::Escape).await;
    browser
        .wait_until("!document.querySelector('#stack').open")
        .await;
    let at = "document.activeElement.querySelector('code')?.textContent";
    assert_eq!(browser.eval(at).await, place);

    // Nobody waits there any more: its stack is kept, its requests are not.
    shared.go_on.close();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    let gone = "document.activeElement.textContent.endsWith('none now')";
    browser.wait_until(gone).await;
    assert_eq!(browser.eval(at).await, place);
    browser.press(Key::Enter).await;
    browser.wait_for("#stack[open]").await;
    assert_eq!(browser.text("#stack-of").await, place);
    assert_eq!(browser.text("#stack-lines").await, "");
    assert_ne!(browser.text("#stack-frames").await, "");
    browser.press(Key::Escape).await;

    // As if there were more places than are listed.
    assert_eq!(browser.text("#unlisted").await, "");
    let more = "return import('/ui/live.js').then(({ model }) => {
        const doing = { ...model.doing, more: 3 };
        Object.defineProperty(model, 'doing', { get: () => doing, set() {} });
    })";
    browser.execute(more, vec![]).await;
    browser.wait_for("#unlisted").await;
    assert_eq!(browser.text("#unlisted").await, "and 3 more places: /waits");
    assert_fits(&browser).await;
    browser.screenshot("console-waits-unlisted").await;
    browser.finish().await;
}
