//! A browser that a test drives: Chromium through chromedriver, Firefox by its own protocol.

mod chromium;
mod firefox;
mod home;
mod http;
mod marionette;
mod refused;

use serde_json::{Value, json};

use self::http::WebDriver;
use self::marionette::Marionette;
pub(crate) use self::refused::Refused;
use crate::external::External;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Chromium,
    Firefox,
}

/// A WebDriver command: Marionette's name for it, and its method and path over HTTP. `{id}` in the
/// path is replaced by the parameter `id`.
#[derive(Debug)]
pub(crate) struct Name {
    marionette: &'static str,
    method: &'static str,
    path: &'static str,
}

const fn name(marionette: &'static str, method: &'static str, path: &'static str) -> Name {
    Name {
        marionette,
        method,
        path,
    }
}

pub(crate) const NAVIGATE: Name = name("WebDriver:Navigate", "POST", "/url");
pub(crate) const EXECUTE: Name = name("WebDriver:ExecuteScript", "POST", "/execute/sync");
pub(crate) const FIND: Name = name("WebDriver:FindElement", "POST", "/element");
pub(crate) const FOCUSED: Name = name("WebDriver:GetActiveElement", "GET", "/element/active");
pub(crate) const CLICK: Name = name("WebDriver:ElementClick", "POST", "/element/{id}/click");
pub(crate) const CLEAR: Name = name("WebDriver:ElementClear", "POST", "/element/{id}/clear");
pub(crate) const TYPE: Name = name("WebDriver:ElementSendKeys", "POST", "/element/{id}/value");
pub(crate) const SCREENSHOT: Name = name("WebDriver:TakeScreenshot", "GET", "/screenshot");
pub(crate) const TAB: Name = name("WebDriver:GetWindowHandle", "GET", "/window");
pub(crate) const NEW_TAB: Name = name("WebDriver:NewWindow", "POST", "/window/new");
pub(crate) const SWITCH: Name = name("WebDriver:SwitchToWindow", "POST", "/window");
pub(crate) const CLOSE_TAB: Name = name("WebDriver:CloseWindow", "DELETE", "/window");
pub(crate) const QUIT: Name = name("Marionette:Quit", "DELETE", "");
/// Firefox only: sets whether scripts run in the page ("content") or in the browser itself
/// ("chrome").
pub(crate) const CONTEXT: Name = name("Marionette:SetContext", "", "");
/// Chromium only: runs a command of `DevTools`.
pub(crate) const DEV_TOOLS: Name = name("", "POST", "/goog/cdp/execute");
/// Chromium only: returns what the console has logged since the last call.
pub(crate) const LOG: Name = name("", "POST", "/se/log");

enum Session {
    WebDriver(WebDriver),
    Marionette(Marionette),
}

/// A browser with a fresh profile.
pub(crate) struct Driver {
    session: Session,
    /// The browser's processes. They are killed by process group when this is dropped.
    _process: External,
}

impl Driver {
    pub(crate) async fn start(kind: Kind) -> Self {
        let started = match kind {
            Kind::Chromium => chromium::start()
                .await
                .map(|(process, session)| (process, Session::WebDriver(session))),
            Kind::Firefox => firefox::start()
                .await
                .map(|(process, session)| (process, Session::Marionette(session))),
        };
        let (process, session) =
            started.unwrap_or_else(|error| panic!("{kind:?} does not start: {error}"));
        Self {
            session,
            _process: process,
        }
    }

    /// Runs a command and returns its result.
    pub(crate) async fn run(&mut self, name: &Name, parameters: Value) -> Result<Value, Refused> {
        match &mut self.session {
            Session::Marionette(session) => session.run(name.marionette, parameters).await,
            Session::WebDriver(session) => {
                let id = parameters["id"].as_str().unwrap_or_default();
                let path = name.path.replace("{id}", id);
                session.run(name.method, &path, parameters).await
            }
        }
    }

    /// The id of an element that a command returned.
    pub(crate) async fn element(
        &mut self,
        name: &Name,
        parameters: Value,
    ) -> Result<String, Refused> {
        // The WebDriver standard defines this key.
        const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
        let found = self.run(name, parameters).await?;
        let id = found[ELEMENT].as_str();
        id.map(str::to_owned)
            .ok_or_else(|| Refused::new(format!("no element: {found}")))
    }

    pub(crate) async fn execute(
        &mut self,
        script: &str,
        arguments: Vec<Value>,
    ) -> Result<Value, Refused> {
        self.run(&EXECUTE, json!({ "script": script, "args": arguments }))
            .await
    }
}
