//! What kind of thing a thread is doing, as the kernel reports it without asking the thread.

#[cfg(any(target_os = "linux", test))]
use holdup_model::Activity;

#[cfg(any(target_os = "linux", test))]
use super::call::Call;

/// What a thread of this process is doing; `None` where the system does not report it.
#[cfg(target_os = "linux")]
pub(crate) fn of(thread: Option<u32>) -> Option<Activity> {
    let folder = format!("/proc/self/task/{}", thread?);
    let read = |name| std::fs::read_to_string(format!("{folder}/{name}")).ok();
    let state = state(&read("stat")?)?;
    // Some kernels do not have this file, and some processes may not read it.
    let call = read("syscall").as_deref().and_then(Call::parse);
    let target = |fd: u64| {
        let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        Some(path.to_string_lossy().into_owned())
    };
    Some(activity(state, call, target))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of(_: Option<u32>) -> Option<holdup_model::Activity> {
    None
}

/// The state's letter in `/proc/…/stat` (`proc_pid_stat(5)`): the first field after the name, which
/// may itself have spaces and brackets.
#[cfg(any(target_os = "linux", test))]
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// System calls that wait, by what they wait for.
#[cfg(any(target_os = "linux", test))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Sleep,
    Lock,
    Read,
    Write,
    Open,
    Connect,
    Accept,
    Poll,
    Child,
    Sync,
    FileLock,
}

/// Maps the number of a system call to its kind. The numbers differ from processor to processor (linux,
/// `syscall.tbl` and `unistd.h`).
#[cfg(any(all(target_os = "linux", target_arch = "x86_64"), test))]
fn x86_64(number: u64) -> Option<Wait> {
    Some(match number {
        35 | 230 => Wait::Sleep,
        202 | 449 => Wait::Lock,
        0 | 17 | 19 | 45 | 47 | 78 | 217 | 295 | 299 | 326 | 327 => Wait::Read,
        1 | 18 | 20 | 40 | 44 | 46 | 296 | 307 | 328 => Wait::Write,
        2 | 4 | 6 | 21 | 257 | 262 | 332 | 437 => Wait::Open,
        42 => Wait::Connect,
        43 | 288 => Wait::Accept,
        7 | 23 | 232 | 270 | 271 | 281 | 441 => Wait::Poll,
        61 | 247 => Wait::Child,
        26 | 74 | 75 | 162 | 277 | 306 => Wait::Sync,
        72 | 73 => Wait::FileLock,
        _ => return None,
    })
}

#[cfg(any(all(target_os = "linux", target_arch = "aarch64"), test))]
fn aarch64(number: u64) -> Option<Wait> {
    Some(match number {
        101 | 115 => Wait::Sleep,
        98 | 449 => Wait::Lock,
        61 | 63 | 65 | 67 | 69 | 207 | 212 | 243 | 285 | 286 => Wait::Read,
        64 | 66 | 68 | 70 | 71 | 206 | 211 | 269 | 287 => Wait::Write,
        56 | 79 | 291 | 437 => Wait::Open,
        203 => Wait::Connect,
        202 | 242 => Wait::Accept,
        22 | 72 | 73 | 441 => Wait::Poll,
        95 | 260 => Wait::Child,
        81..=84 | 227 | 267 => Wait::Sync,
        25 | 32 => Wait::FileLock,
        _ => return None,
    })
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use self::x86_64 as wait;

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
use self::aarch64 as wait;

#[cfg(all(
    target_os = "linux",
    not(any(target_arch = "x86_64", target_arch = "aarch64"))
))]
fn wait(_: u64) -> Option<Wait> {
    None
}

#[cfg(target_os = "linux")]
fn activity(state: char, call: Option<Call>, target: impl Fn(u64) -> Option<String>) -> Activity {
    let known = call.and_then(|call| Some((wait(call.number)?, call.first)));
    describe(state, call, known, target)
}

/// Describes a thread's state and system call. `target` returns what a file descriptor refers to.
#[cfg(any(target_os = "linux", test))]
fn describe(
    state: char,
    call: Option<Call>,
    known: Option<(Wait, u64)>,
    target: impl Fn(u64) -> Option<String>,
) -> Activity {
    let other = |words: &str| Activity::Other(words.to_owned());
    if state == 'R' {
        return Activity::Computing;
    }
    match (state, known) {
        ('t' | 'T', _) => return other("stopped"),
        (_, None) => {}
        (_, Some((wait, descriptor))) => {
            return match wait {
                Wait::Sleep => Activity::Sleeping,
                Wait::Lock => Activity::WaitingForLock,
                Wait::Open => Activity::ReadingFile,
                Wait::Read => match target(descriptor) {
                    Some(path) if path.starts_with("socket:") => other("reading from a socket"),
                    Some(path) if path.starts_with("pipe:") => other("reading from a pipe"),
                    _ => Activity::ReadingFile,
                },
                Wait::Write => match target(descriptor) {
                    Some(path) if path.starts_with("socket:") => other("writing to a socket"),
                    Some(path) if path.starts_with("pipe:") => other("writing to a pipe"),
                    _ => other("writing a file"),
                },
                Wait::Connect => Activity::Connecting,
                Wait::Accept => other("waiting for a connection"),
                Wait::Poll => Activity::Polling,
                Wait::Child => other("waiting for a process"),
                Wait::Sync => other("writing to the disk"),
                Wait::FileLock => other("waiting for a lock on a file"),
            };
        }
    }
    match (state, call) {
        (_, Some(call)) => Activity::Other(format!("in system call {}", call.number)),
        ('D', None) => other("waiting for the disk"),
        (_, None) => other("waiting"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_x86_64(state: char, syscall: &str, target: &str) -> String {
        let call = Call::parse(syscall);
        let known = call.and_then(|call| Some((x86_64(call.number)?, call.first)));
        describe(state, call, known, |_| Some(target.to_owned())).to_string()
    }

    #[test]
    fn the_state_is_read_after_the_name_even_if_the_name_contains_brackets() {
        assert_eq!(state("26660 (cat) R 26648 26648 19036"), Some('R'));
        assert_eq!(state("7 (a) S (b) c) D 1 2 3"), Some('D'));
        assert_eq!(state(""), None);
    }

    #[test]
    fn each_kind_of_waiting_is_described() {
        for (state, syscall, target, words) in [
            ('R', "running", "", "computing"),
            ('S', "230 0x0", "", "sleeping"),
            ('S', "202 0x7f00", "", "waiting for a lock"),
            ('S', "0 0x3", "/tmp/fifo", "reading a file"),
            ('D', "0 0x3", "/data/big", "reading a file"),
            ('S', "257 0xffffff9c", "", "reading a file"),
            ('S', "45 0x9", "socket:[123]", "reading from a socket"),
            ('S', "0 0x9", "pipe:[123]", "reading from a pipe"),
            ('S', "1 0x9", "/data/big", "writing a file"),
            ('S', "42 0x9", "socket:[123]", "connecting"),
            ('S', "7 0x7f00", "", "polling"),
            ('S', "61 0x7f00", "", "waiting for a process"),
            ('S', "219 0x7f00", "", "in system call 219"),
            ('D', "-1 0x7f00 0x0", "", "waiting for the disk"),
            ('S', "", "", "waiting"),
            ('T', "230 0x0", "", "stopped"),
        ] {
            assert_eq!(
                on_x86_64(state, syscall, target),
                words,
                "{state} {syscall}"
            );
        }
        for (on_the_one, on_the_other) in [(230, 115), (202, 98), (0, 63), (257, 56), (42, 203)] {
            assert_eq!(x86_64(on_the_one), aarch64(on_the_other));
        }
    }
}
