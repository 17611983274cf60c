//! The console without the feature `probe`: it has no buttons, and no probe ever runs.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use serde::Serialize;
use tokio::sync::watch;

/// Paths to append to the list of routes.
pub(crate) const PATHS: &str = "";

/// The most requests that a probe may send, if there are buttons.
pub(crate) const MOST_REQUESTS: Option<u32> = None;

/// A button, in the form that the page receives.
#[derive(Debug, Serialize)]
pub(crate) enum Published {}

/// The state of a probe.
#[derive(Debug, Serialize)]
pub(crate) enum ProbeRun {}

impl ProbeRun {
    pub(crate) fn beside(&self) -> Option<String> {
        match *self {}
    }
}

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
