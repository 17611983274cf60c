//! Starts Firefox and drives it through Marionette.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::home::{at_home, temporary};
use super::marionette::Marionette;
use super::refused::Refused;
use crate::external::External;

/// The preferences in which a test's profile differs from a user's. With Marionette on, Firefox
/// already sets most of those that keep it off the network (`remote.prefs.recommended`); some are
/// repeated here to be sure.
fn preferences() -> Value {
    let nowhere = "data:,nowhere";
    json!({
        // Any free port; Firefox prints which one it took.
        "marionette.port": 0,
        "app.normandy.enabled": false,
        "app.update.auto": false,
        "app.update.disabledForTesting": true,
        "browser.region.network.url": "",
        "browser.safebrowsing.downloads.enabled": false,
        "browser.safebrowsing.malware.enabled": false,
        "browser.safebrowsing.phishing.enabled": false,
        "browser.search.update": false,
        "browser.sessionstore.resume_from_crash": false,
        "browser.shell.checkDefaultBrowser": false,
        "browser.startup.page": 0,
        "browser.warnOnQuit": false,
        "datareporting.healthreport.uploadEnabled": false,
        "datareporting.policy.dataSubmissionEnabled": false,
        "dom.ipc.reportProcessHangs": false,
        "extensions.autoDisableScopes": 0,
        "extensions.getAddons.cache.enabled": false,
        "extensions.update.enabled": false,
        // A page has the focus even when another window has it.
        "focusmanager.testmode": true,
        "media.gmp-manager.updateEnabled": false,
        "messaging-system.rsexperimentloader.enabled": false,
        "network.captive-portal-service.enabled": false,
        "network.connectivity-service.enabled": false,
        "network.dns.disablePrefetch": true,
        "network.prefetch-next": false,
        "network.trr.mode": 5,
        "services.settings.server": nowhere,
        "startup.homepage_welcome_url": "about:blank",
        "startup.homepage_welcome_url.additional": "",
        "toolkit.startup.max_resumed_crashes": -1,
        "toolkit.telemetry.server": nowhere,
        "toolkit.telemetry.unified": false,
    })
}

fn write_profile(folder: &Path) {
    let preferences = preferences();
    let mut lines = String::new();
    for (name, value) in preferences.as_object().expect("an object") {
        writeln!(lines, "user_pref(\"{name}\", {value});").expect("text");
    }
    fs::write(folder.join("user.js"), lines).expect("it is writable");
}

pub(super) async fn start() -> Result<(External, Marionette), Refused> {
    let folder = temporary();
    let profile = folder.join("profile");
    fs::create_dir(&profile).expect("a folder of its own");
    write_profile(&profile);
    let mut command = at_home(Command::new("firefox-esr"), &folder);
    command.args(["--headless", "--no-remote", "--marionette"]);
    // Scripts in the browser itself need this; they read its console.
    command.arg("--remote-allow-system-access");
    command.arg("--profile").arg(&profile);
    // A crash fails the test, so no crash report is needed.
    command.env("MOZ_CRASHREPORTER_DISABLE", "1");
    let process = External::saying(command, &["Marionette", "Listening on port "], Some(folder));
    // Do not wait for the page to load completely: it may be an endless stream.
    let capabilities = json!({ "pageLoadStrategy": "none" });
    let session = Marionette::begin(process.address, capabilities).await?;
    Ok((process, session))
}
