//! A real browser: Chromium or Firefox, with a profile of its own.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fantoccini::error::CmdError;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, Locator};
use hyper::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::PATIENCE;
pub use fantoccini::key::Key;

pub use crate::driver::Kind;
use crate::driver::start;
use crate::external::External;

pub struct Browser {
    kind: Kind,
    /// For what is not below.
    pub client: Client,
    /// Killed when it is dropped, and the browser with it.
    _driver: External,
}

/// A command of one driver only. Its path is below the session.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// Truthy as JavaScript has it, but for NaN, which JSON has not.
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
        let (driver, client) = start(kind).await;
        let browser = Self {
            kind,
            client,
            _driver: driver,
        };
        if kind == Kind::Firefox {
            let watch = include_str!("firefox_watch.js");
            browser.in_firefox(watch, vec![]).await;
        }
        browser
    }

    /// Opens a page, and waits until it is loaded. Not for another fragment of the same page.
    pub async fn goto(&self, url: &str) {
        self.goto_stream(url).await;
        self.wait_until("document.readyState === 'complete'").await;
    }

    /// Opens a page, and waits until something of it is there: it may never end.
    pub async fn goto_stream(&self, url: &str) {
        let began = "performance.timeOrigin";
        let before = self.try_eval(began).await.unwrap_or_default();
        self.client
            .goto(url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        self.wait_until(&format!("document.body && {began} !== {before}"))
            .await;
        let shown = self.eval("document.documentURI").await;
        let shown = shown.as_str().unwrap_or_default();
        let is_error = shown.starts_with("chrome-error:") || shown.starts_with("about:neterror");
        assert!(!is_error, "{url} cannot be opened: {shown}");
    }

    /// The text of the first such element as it is shown: empty when it is hidden or not there.
    pub async fn text(&self, css: &str) -> String {
        // A hidden element's own `innerText` would be all of it.
        let text = format!(
            "(element => element?.checkVisibility() ? element.innerText : '')(
                document.querySelector({}))",
            json!(css)
        );
        let text = self.try_eval(&text).await.unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until such an element is there and not hidden.
    pub async fn wait_for(&self, css: &str) {
        let visible = format!("document.querySelector({})?.checkVisibility()", json!(css));
        self.wait_until(&visible).await;
    }

    /// Waits until this JavaScript expression is truthy, and returns its value.
    pub async fn wait_until(&self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Between two pages there is nothing to ask.
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

    /// Clicks it as soon as that is possible.
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

    async fn try_click(&self, css: &str) -> Result<(), CmdError> {
        self.client.find(Locator::Css(css)).await?.click().await
    }

    /// Types this into a field, in place of what is in it.
    pub async fn fill(&self, css: &str, text: &str) {
        self.wait_for(css).await;
        let field = self.client.find(Locator::Css(css)).await;
        let field = field.expect("it is there");
        field.clear().await.expect("a field that can be emptied");
        field.send_keys(text).await.expect("a field to type in");
    }

    /// The value of a JavaScript expression.
    pub async fn eval(&self, expression: &str) -> Value {
        self.execute(&format!("return {expression}"), vec![]).await
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, CmdError> {
        let script = format!("return {expression}");
        self.client.execute(&script, vec![]).await
    }

    /// Runs a script's body in the page; its `arguments` are given, and its `return` is returned.
    /// The page's policy (CSP) does not bind it.
    pub async fn execute(&self, script: &str, arguments: Vec<Value>) -> Value {
        let done = self.client.execute(script, arguments).await;
        done.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Gives the present tab's page exactly this size, however small: a window could not be.
    pub async fn resize(&self, width: u32, height: u32) {
        match self.kind {
            Kind::Chromium => {
                let size = json!({ "width": width, "height": height,
                    "deviceScaleFactor": 1, "mobile": false });
                self.in_chromium("Emulation.setDeviceMetricsOverride", size)
                    .await;
            }
            Kind::Firefox => {
                // As its own `browsingContext.setViewport` does.
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

    /// Has the user prefer a dark page, or one that does not move. In Chromium this is the present
    /// tab's only.
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

    /// Keeps what the tab shows as `target/screenshots/NAME.png`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = crate::target().join("screenshots");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(format!("{name}.png"));
        let picture = self.client.screenshot().await.expect("a picture");
        fs::write(&file, picture).expect("it is writable");
        file
    }

    /// The bytes that the page's JavaScript holds on to, garbage collected. Chromium only.
    pub async fn heap(&self) -> u64 {
        self.in_chromium("HeapProfiler.collectGarbage", json!({}))
            .await;
        let usage = self.in_chromium("Runtime.getHeapUsage", json!({})).await;
        usage["usedSize"].as_u64().expect("a number of bytes")
    }

    /// The tab that is driven.
    pub async fn tab(&self) -> WindowHandle {
        self.client.window().await.expect("a tab")
    }

    /// Opens an empty tab, which is driven from now on.
    pub async fn new_tab(&self) -> WindowHandle {
        let tab = self
            .client
            .new_window(true)
            .await
            .expect("a new tab")
            .handle;
        self.switch_to(&tab).await;
        tab
    }

    pub async fn switch_to(&self, tab: &WindowHandle) {
        let switched = self.client.switch_to_window(tab.clone()).await;
        switched.expect("the tab is open");
    }

    /// Closes the tab that is driven; this one is driven next.
    pub async fn close_tab(&self, next: &WindowHandle) {
        self.client.close_window().await.expect("the tab is open");
        self.switch_to(next).await;
    }

    /// What the console shows as an error since the last call, in every tab: errors and rejections
    /// that nobody caught, `console.error`, and what the page's policy (CSP) forbade. Chromium
    /// shows what could not be fetched too, Firefox only scripts that could not.
    pub async fn errors(&self) -> Vec<String> {
        // What the page said before comes before its answer.
        self.try_eval("1").await.ok();
        match self.kind {
            Kind::Chromium => {
                let log = self.own("se/log", json!({ "type": "browser" })).await;
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

    /// Ends the browser, in which nothing may have failed since `errors` was called.
    pub async fn finish(self) {
        let errors = self.errors().await;
        assert!(errors.is_empty(), "{:?}: {errors:#?}", self.kind);
        self.client.close().await.expect("the browser ends");
    }

    async fn own(&self, path: &'static str, body: Value) -> Value {
        let done = self.client.issue_cmd(Own { path, body }).await;
        done.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A command of the `DevTools` protocol.
    async fn in_chromium(&self, command: &str, parameters: Value) -> Value {
        assert_eq!(self.kind, Kind::Chromium, "{command} is Chromium's");
        let body = json!({ "cmd": command, "params": parameters });
        self.own("goog/cdp/execute", body).await
    }

    /// Runs a script in the browser itself, not in the page.
    async fn in_firefox(&self, script: &str, arguments: Vec<Value>) -> Value {
        let context = |name| self.own("moz/context", json!({ "context": name }));
        context("chrome").await;
        let done = self.client.execute(script, arguments).await;
        context("content").await;
        done.unwrap_or_else(|error| panic!("{script}: {error}"))
    }
}
