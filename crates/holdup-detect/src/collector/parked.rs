//! Whether a worker waits in its own event loop, as seen from outside. Such a worker is held by nothing, and need not
//! be woken to be asked.
//!
//! The kernel reports the system call in which a thread waits (`proc_pid_syscall(5)`). A loop waits in `epoll_wait` on
//! an epoll instance of its own. Which one that is, the kernel also reports: the one that has the worker's socket for
//! the second heartbeat among those that it watches. A call that blocks the worker may wait in `epoll_wait`, too, but
//! on another instance.

#[cfg(target_os = "linux")]
use std::{fs, fs::File, os::unix::fs::FileExt};

#[cfg(target_os = "linux")]
use super::call::Call;
use crate::worker_state::WorkerState;

/// What is seen of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It waits in its event loop.
    Parked,
    /// It does something else.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only Linux tells")
    )]
    Elsewhere,
    /// That cannot be told.
    Hidden,
}

/// What is known of one worker.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// In which of the thread's event loops the worker was seen.
    #[cfg(target_os = "linux")]
    event_loop: u64,
    /// Where the kernel reports the thread's system call. Kept open, because it is read at each look.
    #[cfg(target_os = "linux")]
    syscall: Option<File>,
    /// The loop's epoll instance.
    #[cfg(target_os = "linux")]
    epoll: Option<u64>,
}

impl Parked {
    #[cfg(target_os = "linux")]
    pub(super) fn look(&mut self, state: &WorkerState) -> Seen {
        self.try_look(state).unwrap_or(Seen::Hidden)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn look(&mut self, _: &WorkerState) -> Seen {
        Seen::Hidden
    }

    #[cfg(target_os = "linux")]
    fn try_look(&mut self, state: &WorkerState) -> Option<Seen> {
        let (event_loop, socket) = state.sockets.watched_by_loop()?;
        if self.event_loop != event_loop {
            (self.event_loop, self.epoll) = (event_loop, None);
        }
        if self.syscall.is_none() {
            let path = format!("/proc/self/task/{}/syscall", state.thread?);
            self.syscall = Some(File::open(path).ok()?);
        }
        // The number, six arguments and two addresses.
        let mut text = [0; 256];
        let length = self.syscall.as_ref()?.read_at(&mut text, 0).ok()?;
        let call = Call::parse(str::from_utf8(&text[..length]).ok()?);
        let waits_at = call.filter(|call| EPOLL_WAIT.contains(&call.number));
        let waits_at = waits_at.map(|call| call.first);
        if let Some(epoll) = self.epoll {
            let is_own = waits_at == Some(epoll);
            return Some(if is_own {
                Seen::Parked
            } else {
                Seen::Elsewhere
            });
        }
        let epoll = waits_at?;
        let watches = fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).ok()?;
        if !has_target(&watches, socket) {
            return None;
        }
        self.epoll = Some(epoll);
        Some(Seen::Parked)
    }
}

/// Whether the epoll instance watches this descriptor, according to its `/proc/…/fdinfo` (`proc_pid_fdinfo(5)`).
#[cfg(any(target_os = "linux", test))]
fn has_target(fdinfo: &str, descriptor: i32) -> bool {
    let targets = fdinfo.lines().filter_map(|line| {
        let target = line.strip_prefix("tfd:")?;
        target.split_ascii_whitespace().next()?.parse().ok()
    });
    targets.into_iter().any(|target: i32| target == descriptor)
}

/// The numbers of `epoll_wait`, `epoll_pwait` and `epoll_pwait2` (linux, `syscall.tbl` and `unistd.h`).
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const EPOLL_WAIT: &[u64] = &[232, 281, 441];

#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "aarch64",
        target_arch = "loongarch64",
        target_arch = "riscv64"
    )
))]
const EPOLL_WAIT: &[u64] = &[22, 441];

#[cfg(all(
    target_os = "linux",
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "loongarch64",
        target_arch = "riscv64"
    ))
))]
const EPOLL_WAIT: &[u64] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_the_instance_watches_is_found() {
        let fdinfo = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t26\n\
                      tfd:        4 events:       19 data:                4  pos:0 ino:4443e2 sdev:9\n\
                      tfd:       17 events: 8000201d data:     7f00deadbeef  pos:0 ino:4443e2 sdev:9\n";
        for descriptor in [4, 17] {
            assert!(has_target(fdinfo, descriptor), "{descriptor}");
        }
        for descriptor in [0, 1, 7, 19, 170] {
            assert!(!has_target(fdinfo, descriptor), "{descriptor}");
        }
        assert!(!has_target("", 4));
    }
}
