//! The callbacks of `on_hold`.

use holdup_model::Hold;

use crate::outlets::Inlet;
use crate::settings::Callback;

/// Calls all callbacks with each hold, until the watch is gone. If one panics, the thread is restarted and
/// continues with the next hold.
pub(crate) fn run(holds: &Inlet<Hold>, callbacks: &[Callback]) {
    while let Ok(hold) = holds.recv() {
        for callback in callbacks {
            callback(&hold);
        }
    }
}
