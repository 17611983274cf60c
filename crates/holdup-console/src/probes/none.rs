//! A console without the feature `probe`: there are no buttons, and no probe ever runs.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use serde::Serialize;
use tokio::sync::watch;

/// Further paths, as the list of all paths goes on.
pub(crate) const PATHS: &str = "";

/// The most requests of a probe, if there are any.
pub(crate) const MOST_REQUESTS: Option<u32> = None;

/// A button as the page gets it.
#[derive(Debug, Serialize)]
pub(crate) enum Published {}

/// A probe, as far as it has come.
#[derive(Debug, Serialize)]
pub(crate) enum ProbeRun {}

/// The probes of one console.
#[derive(Debug)]
pub(crate) struct Probes;

#[expect(
    clippy::unused_self,
    reason = "the probes of the feature have the same methods"
)]
impl Probes {
    pub(crate) fn published(&self) -> Vec<Published> {
        Vec::new()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<ProbeRun>> {
        watch::channel(None).1
    }

    pub(crate) fn stop(&self) {}
}

/// Adds no path.
pub(crate) fn configure(_: &mut ServiceConfig, _: &Arc<Probes>) {}
