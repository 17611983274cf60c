//! The state that the console's handlers share, and the app's URL for browsers.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, rt};
use metrics_exporter_prometheus::PrometheusRecorder;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use url::Url;

use super::await_points::AwaitPoints;
use super::hub::Command;
use super::names::Names;
use super::replay::Control;
use holdup_http::host;
use holdup_http::problem::Problem;
use holdup_watch::Watch;

/// The longest that a scrape waits until it is known where requests wait. If it takes longer, the next scrape has it.
const LOOKS: Duration = Duration::from_millis(250);

/// The state of the listener's single worker.
pub(super) struct Site {
    /// The watch; `None` for a record.
    pub(super) watch: Option<Watch>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) readers: Arc<AtomicUsize>,
    pub(super) most_readers: usize,
    pub(super) recorder: Arc<PrometheusRecorder>,
    pub(super) await_points: Arc<AwaitPoints>,
    /// The app's URL for browsers, if it is known.
    pub(super) app: Option<Seen>,
    /// Whether the page may send requests to the app.
    pub(super) connects_to_app: bool,
    /// The names under which the console answers.
    pub(super) names: Names,
    /// How to allow a refused name, for which `{name}` stands.
    pub(super) remedy: String,
    /// Takes what a reader of a record asks for.
    pub(super) replay: Option<mpsc::Sender<Control>>,
}

/// How browsers reach the app.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// Through the host at which the browser found the console, with the scheme and port of this
    /// URL.
    BesideConsole(Url),
    /// Through this URL.
    At(Url),
}

impl Site {
    /// Sends a question to the hub and waits for its answer.
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

    /// The figures for Prometheus. Finds out first where requests wait, unless that was done lately. A record has none.
    pub(super) async fn figures(site: Data<Self>) -> String {
        let now = site.watch.as_ref().map(Watch::elapsed);
        let recorder = Arc::clone(&site.recorder);
        if now.is_some_and(|now| site.await_points.is_look_due(now)) {
            // It goes on if it takes longer.
            let look = rt::spawn(async move { site.look().await });
            timeout(LOOKS, look).await.ok();
        }
        recorder.handle().render()
    }

    async fn look(&self) {
        if let Ok(surveyed) = self.ask(Command::Survey).await {
            surveyed.survey.record_in(&self.await_points);
        }
    }

    /// The app's origin, as the requesting browser has to write it.
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
