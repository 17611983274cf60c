//! The system call that a thread waits in, as the kernel reports it in `/proc/…/syscall` (`proc_pid_syscall(5)`).

/// A system call: its number, which differs from processor to processor, and its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) first: u64,
}

impl Call {
    /// Returns `None` for `running`, and for `-1`, which means a wait outside of system calls.
    pub(super) fn parse(syscall: &str) -> Option<Self> {
        let mut fields = syscall.split_ascii_whitespace();
        let number = fields.next()?.parse().ok()?;
        let first = fields.next()?.strip_prefix("0x")?;
        let first = u64::from_str_radix(first, 16).ok()?;
        Some(Self { number, first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_call_and_its_first_argument_are_read() {
        let syscall = "0 0x3 0x7fed 0x20000 0x7fed 0xffffffff 0x0 0x7ffd 0x7fed\n";
        let call = Call {
            number: 0,
            first: 3,
        };
        assert_eq!(Call::parse(syscall), Some(call));
        for none in ["running\n", "-1 0x7ffd 0x7fed\n", "", "0"] {
            assert_eq!(Call::parse(none), None, "{none:?}");
        }
    }
}
