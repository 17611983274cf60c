//! Asks a console again and again where requests wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::client::Console;
use super::open::MOST_BYTES;
use super::waits::Waits;

/// How long the console may take to answer before the probe begins.
const FIRST_WITHIN: Duration = Duration::from_secs(2);

/// How long it may take later: an app that reads its line tables for the first time needs a few seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// The pause between two questions. A console answers with what it has seen less than a second ago, so that asking
/// once a second would show the same again every other time.
const PAUSE: Duration = Duration::from_millis(1050);

/// A task that asks the console until it is told to stop, or until this is dropped.
#[derive(Debug)]
pub(super) struct Looking {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Waits>,
}

impl Looking {
    /// Asks once, and goes on asking in a task of the current runtime.
    pub(super) async fn start(console: Arc<Console>) -> Self {
        let mut waits = Waits::default();
        let goes_on = ask(&console, &mut waits, FIRST_WITHIN).await;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            if goes_on {
                tokio::select! {
                    biased;
                    _ = stopped => {}
                    () = go_on(&console, &mut waits) => {}
                }
            }
            waits
        });
        Self { stop, task }
    }

    /// Ends it, and returns what the console has answered.
    pub(super) async fn finish(self) -> Waits {
        // The task may have ended already, with a console whose `/waits` cannot be used.
        self.stop.send(()).ok();
        self.task.await.unwrap_or_default()
    }
}

async fn go_on(console: &Console, waits: &mut Waits) {
    loop {
        sleep(PAUSE).await;
        if !ask(console, waits, ANSWERED_WITHIN).await {
            return;
        }
    }
}

/// Adds where requests wait now. Returns whether to ask again: not a console without `/waits`, or with one of another
/// version.
async fn ask(console: &Console, waits: &mut Waits, within: Duration) -> bool {
    match timeout(within, console.text("waits", MOST_BYTES)).await {
        Ok(Ok(Some(text))) => waits.add(&text),
        Ok(Ok(None)) => false,
        // It may answer later.
        Ok(Err(_)) | Err(_) => true,
    }
}
