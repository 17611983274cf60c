//! The programs that drive browsers: chromedriver and geckodriver, each with its browser.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::external::External;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Chromium,
    Firefox,
}

/// Starts a driver and its browser, with a fresh profile. What is returned first kills both when
/// it is dropped, by their process group.
pub async fn start(kind: Kind) -> (External, Client) {
    let (driver, capabilities) = match kind {
        Kind::Chromium => chromium(),
        Kind::Firefox => firefox(),
    };
    let capabilities = capabilities.as_object().expect("an object").clone();
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://{}", driver.address))
        .await
        .unwrap_or_else(|error| panic!("{kind:?} does not start: {error}"));
    (driver, client)
}

/// Where the browser keeps everything, its profile included. Not below the build's folder: the
/// path of a Unix socket has to be short.
fn temporary() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("holdup-browser-{}-{number}", process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn at_home(mut command: Command, folder: &Path) -> Command {
    command.env("HOME", folder).env("TMPDIR", folder);
    for elsewhere in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        command.env_remove(elsewhere);
    }
    command
}

/// It asks for a free port of IPv6 and then takes the same of IPv4, which may be somebody else's:
/// then it ends at once, and is started anew.
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

fn chromium() -> (External, Value) {
    let driver = chromedriver();
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
        // Do not wait for the page to end: it may be a stream.
        "pageLoadStrategy": "none",
    });
    (driver, capabilities)
}

fn firefox() -> (External, Value) {
    let folder = temporary();
    // scripts/test builds it below the build's folder.
    let built = crate::target().join("tools/bin/geckodriver");
    let geckodriver = Some(built).filter(|built| built.is_file());
    let geckodriver = geckodriver.unwrap_or_else(|| on_path("geckodriver"));
    let mut command = at_home(Command::new(geckodriver), &folder);
    // The system access is for scripts in the browser itself: they see what its console shows.
    command.args([
        "--port",
        "0",
        "--websocket-port",
        "0",
        "--allow-system-access",
    ]);
    command.arg("--profile-root").arg(&folder);
    let driver = External::saying(command, &["Listening on 127.0.0.1:"], Some(folder));
    let nowhere = "data:,nowhere";
    let capabilities = json!({
        "moz:firefoxOptions": {
            "binary": on_path("firefox-esr"),
            "args": ["-headless"],
            // geckodriver sets most of what keeps it off the net; these are for certain.
            "prefs": {
                "app.normandy.enabled": false,
                "app.update.auto": false,
                "app.update.disabledForTesting": true,
                "browser.region.network.url": "",
                "browser.safebrowsing.downloads.enabled": false,
                "browser.safebrowsing.malware.enabled": false,
                "browser.safebrowsing.phishing.enabled": false,
                "browser.search.update": false,
                "browser.shell.checkDefaultBrowser": false,
                "datareporting.healthreport.uploadEnabled": false,
                "datareporting.policy.dataSubmissionEnabled": false,
                "extensions.getAddons.cache.enabled": false,
                "extensions.update.enabled": false,
                "media.gmp-manager.updateEnabled": false,
                "messaging-system.rsexperimentloader.enabled": false,
                "network.captive-portal-service.enabled": false,
                "network.connectivity-service.enabled": false,
                "network.dns.disablePrefetch": true,
                "network.prefetch-next": false,
                "network.trr.mode": 5,
                "services.settings.server": nowhere,
                "toolkit.telemetry.server": nowhere,
                "toolkit.telemetry.unified": false,
            },
        },
        "pageLoadStrategy": "none",
    });
    (driver, capabilities)
}

fn on_path(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(program));
    let found = { found }.find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{program} is missing; scripts/test installs it"))
}
