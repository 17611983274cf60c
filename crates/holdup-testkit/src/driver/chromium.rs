//! Chromium, through chromedriver.

use std::process::Command;

use serde_json::json;

use super::home::{at_home, temporary};
use super::http::WebDriver;
use super::refused::Refused;
use crate::external::External;

/// Starts chromedriver. It picks a free IPv6 port and then binds the same IPv4 port, which may be
/// taken. In that case it exits, and is started again.
fn chromedriver() -> External {
    for _ in 0..10 {
        let folder = temporary();
        let mut command = at_home(Command::new("chromedriver"), &folder);
        command.arg("--port=0");
        let before = ["started successfully on port "];
        match External::try_saying(command, &before, Some(folder)) {
            Ok(driver) => return driver,
            Err(said)
                if said
                    .iter()
                    .any(|line| line.contains("Address already in use")) => {}
            Err(said) => panic!("chromedriver does not say where it is: {said:#?}"),
        }
    }
    panic!("chromedriver found no free port ten times");
}

pub(super) async fn start() -> Result<(External, WebDriver), Refused> {
    let process = chromedriver();
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ];
    let capabilities = json!({
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
        // Do not wait for the page to load completely: it may be an endless stream.
        "pageLoadStrategy": "none",
    });
    let session = WebDriver::begin(process.address, capabilities).await?;
    Ok((process, session))
}
