//! A real browser, Chromium or Firefox, with a separate profile.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::PATIENCE;
use crate::base64;
pub use crate::driver::Kind;
use crate::driver::{self, Driver, Name, Refused};

pub struct Browser {
    kind: Kind,
    driver: Mutex<Driver>,
}

/// A tab of a browser.
pub struct Tab(String);

/// A key that types no letter.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    Enter,
    Escape,
    Left,
    Right,
    Home,
    End,
}

impl Key {
    /// WebDriver's code for the key.
    fn text(self) -> &'static str {
        match self {
            Self::Enter => "\u{e007}",
            Self::Escape => "\u{e00c}",
            Self::Left => "\u{e012}",
            Self::Right => "\u{e014}",
            Self::Home => "\u{e011}",
            Self::End => "\u{e010}",
        }
    }
}

fn by_css(css: &str) -> Value {
    json!({ "using": "css selector", "value": css })
}

/// Truthy in JavaScript's sense, except for NaN, which JSON cannot represent.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(value) => value.as_f64() != Some(0.0),
        Value::String(value) => !value.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

impl Browser {
    pub async fn start(kind: Kind) -> Self {
        let browser = Self {
            kind,
            driver: Mutex::new(Driver::start(kind).await),
        };
        if kind == Kind::Firefox {
            let watch = include_str!("firefox_watch.js");
            browser.in_firefox(watch, vec![]).await;
        }
        browser
    }

    /// Opens a page and waits until it is loaded. Does not work for another fragment of the same
    /// page.
    pub async fn goto(&self, url: &str) {
        self.goto_stream(url).await;
        self.wait_until("document.readyState === 'complete'").await;
    }

    /// Opens a page and waits until some of it is shown. The page may never end.
    pub async fn goto_stream(&self, url: &str) {
        let began = "performance.timeOrigin";
        let before = self.try_eval(began).await.unwrap_or_default();
        self.run(&driver::NAVIGATE, json!({ "url": url })).await;
        self.wait_until(&format!("document.body && {began} !== {before}"))
            .await;
        let shown = self.eval("document.documentURI").await;
        let shown = shown.as_str().unwrap_or_default();
        let is_error = shown.starts_with("chrome-error:") || shown.starts_with("about:neterror");
        assert!(!is_error, "{url} cannot be opened: {shown}");
    }

    /// The visible text of the first matching element: empty when the element is hidden or missing.
    pub async fn text(&self, css: &str) -> String {
        // The `innerText` of a hidden element would contain all of its text.
        let text = format!(
            "(element => element?.checkVisibility() ? element.innerText : '')(
                document.querySelector({}))",
            json!(css)
        );
        let text = self.try_eval(&text).await.unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a matching element exists and is visible.
    pub async fn wait_for(&self, css: &str) {
        let visible = format!("document.querySelector({})?.checkVisibility()", json!(css));
        self.wait_until(&visible).await;
    }

    /// Waits until this JavaScript expression is truthy, and returns its value.
    pub async fn wait_until(&self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Between two pages there is no document to query.
            let seen = self.try_eval(expression).await;
            match seen {
                Ok(value) if is_truthy(&value) => return value,
                _ if Instant::now() < deadline => {}
                _ => self.give_up(expression, &format!("{seen:?}")).await,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn give_up(&self, waited_for: &str, seen: &str) -> ! {
        let url = self.try_eval("location.href").await;
        let text = self.text("body").await;
        let errors = self.errors().await;
        panic!(
            "waited in vain for: {waited_for}\nlast seen: {seen}\nat: {url:?}\nerrors: {errors:#?}\ntext:\n{text}"
        );
    }

    /// Clicks the element as soon as that is possible.
    pub async fn click(&self, css: &str) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.try_click(css).await {
            if Instant::now() > deadline {
                self.give_up(&format!("a click on {css}"), &error.to_string())
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn try_click(&self, css: &str) -> Result<(), Refused> {
        let mut driver = self.driver.lock().await;
        let id = driver.element(&driver::FIND, by_css(css)).await?;
        driver.run(&driver::CLICK, json!({ "id": id })).await?;
        Ok(())
    }

    /// Replaces the content of a field with this text.
    pub async fn fill(&self, css: &str, text: &str) {
        self.wait_for(css).await;
        let found = self.driver.lock().await;
        let found = { found }.element(&driver::FIND, by_css(css)).await;
        let id = found.expect("it is there");
        self.run(&driver::CLEAR, json!({ "id": id })).await;
        self.run(&driver::TYPE, json!({ "id": id, "text": text }))
            .await;
    }

    /// Presses a key in the focused element.
    pub async fn press(&self, key: Key) {
        let found = self.driver.lock().await;
        let found = { found }.element(&driver::FOCUSED, json!({})).await;
        let place = json!({ "id": found.expect("a place"), "text": key.text() });
        self.run(&driver::TYPE, place).await;
    }

    /// The value of a JavaScript expression.
    pub async fn eval(&self, expression: &str) -> Value {
        self.execute(&format!("return {expression}"), vec![]).await
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, Refused> {
        let script = format!("return {expression}");
        self.driver.lock().await.execute(&script, vec![]).await
    }

    /// Runs the body of a function in the page, with these `arguments`, and returns what it
    /// returns. The page's policy (CSP) does not apply to it.
    pub async fn execute(&self, script: &str, arguments: Vec<Value>) -> Value {
        let done = self.driver.lock().await.execute(script, arguments).await;
        done.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Sets the size of the current tab's page exactly. A window could not be made this small.
    pub async fn resize(&self, width: u32, height: u32) {
        match self.kind {
            Kind::Chromium => {
                let size = json!({ "width": width, "height": height,
                    "deviceScaleFactor": 1, "mobile": false });
                self.in_chromium("Emulation.setDeviceMetricsOverride", size)
                    .await;
            }
            Kind::Firefox => {
                // Firefox's own `browsingContext.setViewport` works the same way.
                let script = "const { style } = gBrowser.selectedBrowser;
                    for (const edge of ['', 'min-', 'max-']) {
                        style.setProperty(edge + 'width', arguments[0] + 'px');
                        style.setProperty(edge + 'height', arguments[1] + 'px');
                    }";
                self.in_firefox(script, vec![width.into(), height.into()])
                    .await;
            }
        }
        self.wait_until(&format!(
            "innerWidth === {width} && innerHeight === {height}"
        ))
        .await;
    }

    /// Emulates a user who prefers a dark page, or less motion. In Chromium this applies only to
    /// the current tab.
    pub async fn prefer(&self, dark: bool, reduced_motion: bool) {
        match self.kind {
            Kind::Chromium => {
                let scheme = if dark { "dark" } else { "light" };
                let motion = if reduced_motion {
                    "reduce"
                } else {
                    "no-preference"
                };
                let features = json!({ "features": [
                    { "name": "prefers-color-scheme", "value": scheme },
                    { "name": "prefers-reduced-motion", "value": motion },
                ] });
                self.in_chromium("Emulation.setEmulatedMedia", features)
                    .await;
            }
            Kind::Firefox => {
                let script = "const [dark, still] = arguments;
                    Services.prefs.setIntPref('ui.systemUsesDarkTheme', dark ? 1 : 0);
                    Services.prefs.setIntPref('ui.prefersReducedMotion', still ? 1 : 0);";
                self.in_firefox(script, vec![dark.into(), reduced_motion.into()])
                    .await;
            }
        }
        self.wait_until(&format!(
            "matchMedia('(prefers-color-scheme: dark)').matches === {dark}
            && matchMedia('(prefers-reduced-motion: reduce)').matches === {reduced_motion}"
        ))
        .await;
    }

    /// Saves a screenshot of the tab as `target/screenshots/NAME.png`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = crate::target().join("screenshots");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(format!("{name}.png"));
        // A full-page screenshot of Firefox would be taller.
        let picture = self
            .run(&driver::SCREENSHOT, json!({ "full": false }))
            .await;
        let picture = base64::decode(picture.as_str().expect("text"));
        fs::write(&file, picture).expect("it is writable");
        file
    }

    /// The size of the page's JavaScript heap in bytes, after garbage collection. Chromium only.
    pub async fn heap(&self) -> u64 {
        self.in_chromium("HeapProfiler.collectGarbage", json!({}))
            .await;
        let usage = self.in_chromium("Runtime.getHeapUsage", json!({})).await;
        usage["usedSize"].as_u64().expect("a number of bytes")
    }

    /// The handle of the current tab.
    pub async fn tab(&self) -> Tab {
        let tab = self.run(&driver::TAB, json!({})).await;
        Tab(tab.as_str().expect("its name").to_owned())
    }

    /// Opens an empty tab and makes it the current one.
    pub async fn new_tab(&self) -> Tab {
        let tab = self.run(&driver::NEW_TAB, json!({ "type": "tab" })).await;
        let tab = Tab(tab["handle"].as_str().expect("its name").to_owned());
        self.switch_to(&tab).await;
        tab
    }

    pub async fn switch_to(&self, tab: &Tab) {
        self.run(&driver::SWITCH, json!({ "handle": tab.0 })).await;
    }

    /// Closes the current tab, and makes this one the current tab.
    pub async fn close_tab(&self, next: &Tab) {
        self.run(&driver::CLOSE_TAB, json!({})).await;
        self.switch_to(next).await;
    }

    /// The errors that the console has logged since the last call, in every tab: uncaught errors
    /// and rejections, `console.error`, and violations of the page's policy (CSP). Chromium also
    /// reports every failed fetch, Firefox only those of scripts.
    pub async fn errors(&self) -> Vec<String> {
        // Messages that the page logged earlier arrive before this answer.
        self.try_eval("1").await.ok();
        match self.kind {
            Kind::Chromium => {
                let log = self.run(&driver::LOG, json!({ "type": "browser" })).await;
                let entries = log.as_array().expect("a list").iter();
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                entries
                    .filter(|entry| entry["level"] == "SEVERE")
                    .map(|entry| format!("{}: {}", text(&entry["source"]), text(&entry["message"])))
                    .filter(|error| !error.contains("/favicon.ico - "))
                    .collect()
            }
            Kind::Firefox => {
                let errors = include_str!("firefox_errors.js");
                let errors = self.in_firefox(errors, vec![]).await;
                serde_json::from_value(errors).expect("texts")
            }
        }
    }

    /// Closes the browser, and fails if an error was logged since the last call of `errors`.
    pub async fn finish(self) {
        let errors = self.errors().await;
        assert!(errors.is_empty(), "{:?}: {errors:#?}", self.kind);
        // Chromium needs no flags.
        self.run(&driver::QUIT, json!({ "flags": ["eForceQuit"] }))
            .await;
    }

    async fn run(&self, name: &Name, parameters: Value) -> Value {
        let what = parameters.to_string();
        let done = self.driver.lock().await.run(name, parameters).await;
        done.unwrap_or_else(|error| panic!("{name:?} {what}: {error}"))
    }

    /// Runs a command of the `DevTools` protocol.
    async fn in_chromium(&self, command: &str, parameters: Value) -> Value {
        assert_eq!(self.kind, Kind::Chromium, "{command} is Chromium's");
        let body = json!({ "cmd": command, "params": parameters });
        self.run(&driver::DEV_TOOLS, body).await
    }

    /// Runs a script in the browser itself, not in the page.
    async fn in_firefox(&self, script: &str, arguments: Vec<Value>) -> Value {
        let context = |name| self.run(&driver::CONTEXT, json!({ "value": name }));
        context("chrome").await;
        let done = self.driver.lock().await.execute(script, arguments).await;
        context("content").await;
        done.unwrap_or_else(|error| panic!("{script}: {error}"))
    }
}
