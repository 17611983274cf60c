//! One exact timer for everything that waits on a thread, beside tokio's own.
//!
//! [`install`] gives a thread its timer, and [`sleep()`] waits by it. The timer fires at
//! multiples of 1.25 ms of the system's clock, and wakes everything that is due by then. A thread without one
//! waits by tokio's.
//!
//! | module | what it is for |
//! |---|---|
//! | `sleep` | the wait, by whichever timer there is |
//! | `timer` | a thread's timer: its `timerfd`, and what it wakes |
//! | `wheel` | what is due when, without a clock |

#![forbid(unsafe_code)]

mod sleep;
#[cfg(target_os = "linux")]
mod timer;
#[cfg(target_os = "linux")]
mod wheel;

pub use sleep::{Sleep, install, sleep};
