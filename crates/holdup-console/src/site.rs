//! What the console's handlers know, and where the app is for a browser.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix_web::HttpRequest;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::hub::Command;
use super::names::Names;
use holdup_http::host;
use holdup_http::problem::Problem;
use holdup_watch::Watch;

/// What the listener's one worker knows.
pub(super) struct Site {
    pub(super) watch: Watch,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) readers: Arc<AtomicUsize>,
    pub(super) most_readers: usize,
    pub(super) metrics: PrometheusHandle,
    /// Where a browser finds the app, if that is known.
    pub(super) app: Option<Seen>,
    /// Whether the page may ask the app.
    pub(super) connects_to_app: bool,
    /// The names under which it answers.
    pub(super) names: Names,
    /// How another name can be allowed; `{name}` stands for it.
    pub(super) remedy: String,
}

/// Where a browser finds the app.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// At the host that it found the console at, with the scheme and port of this URL.
    BesideConsole(Url),
    /// There.
    At(Url),
}

impl Site {
    /// Asks the hub.
    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Problem> {
        let stopping = || Problem::unavailable("the console is stopping".to_owned());
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    /// The app's origin, as the browser that asks has to name it.
    pub(super) fn app_url(&self, request: &HttpRequest) -> Option<String> {
        let host = host::named(request.headers()).unwrap_or_default();
        Some(match self.app.as_ref()? {
            Seen::At(url) => url.origin().ascii_serialization(),
            Seen::BesideConsole(url) => {
                let (scheme, host) = (url.scheme(), host::without_port(host));
                let port = url.port_or_known_default().unwrap_or_default();
                format!("{scheme}://{host}:{port}")
            }
        })
    }
}
