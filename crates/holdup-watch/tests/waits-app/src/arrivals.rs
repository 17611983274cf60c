//! Which requests have come to the line at which they are to wait, of those that wait elsewhere before.

use std::sync::atomic::{AtomicUsize, Ordering};

static ARRIVED: AtomicUsize = AtomicUsize::new(0);

/// Notes that a request is about to wait at the next line.
pub fn arrive() {
    ARRIVED.fetch_add(1, Ordering::SeqCst);
}

/// Whether all of these routes' requests have arrived, if each was asked once.
pub fn are_complete(routes: &[String]) -> bool {
    let waits_before = |route: &&String| ["socket", "sqlx", "sqlx_query"].contains(&route.as_str());
    ARRIVED.load(Ordering::SeqCst) == routes.iter().filter(waits_before).count()
}

/// Begins anew.
pub fn forget() {
    ARRIVED.store(0, Ordering::SeqCst);
}
