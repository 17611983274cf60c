//! The recorder of the figures for Prometheus, with the buckets of its histograms.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::error::StartError;

/// How long each request was held up.
const HELD_UP_DURATION: &str = "holdup_held_up_duration_seconds";

/// The upper bounds of its buckets, seconds: from what nobody notices to the longest countdown.
const HELD_UP_BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

/// A recorder. `buckets` are the upper bounds for the durations of holds.
///
/// # Errors
///
/// Returns an error if there are no buckets.
pub(super) fn recorder(buckets: &[Duration]) -> Result<PrometheusRecorder, StartError> {
    let buckets: Vec<_> = buckets.iter().map(Duration::as_secs_f64).collect();
    let held_up = Matcher::Full(HELD_UP_DURATION.to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets(&buckets)
        .and_then(|builder| builder.set_buckets_for_metric(held_up, &HELD_UP_BUCKETS));
    let builder = builder.map_err(|error| StartError::Metrics(error.into()))?;
    Ok(builder.build_recorder())
}
