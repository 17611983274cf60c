//! Probes of the app that are started from the page. They require the feature `probe`. Without it
//! the console has no buttons and no HTTP client.

#[cfg(feature = "probe")]
mod api;
#[cfg(feature = "probe")]
mod button;
#[cfg(not(feature = "probe"))]
mod none;
#[cfg(feature = "probe")]
mod order;
#[cfg(feature = "probe")]
mod parameter;
#[cfg(feature = "probe")]
mod runner;

#[cfg(not(feature = "probe"))]
pub(crate) use self::none::{MOST_REQUESTS, PATHS, ProbeRun, Probes, Published, configure};
#[cfg(feature = "probe")]
pub(crate) use self::{
    api::{PATHS, configure},
    button::Published,
    order::{MOST_REQUESTS, Probes},
    runner::ProbeRun,
};
#[cfg(feature = "probe")]
pub use self::{
    button::Button,
    parameter::{Parameter, Values},
};
