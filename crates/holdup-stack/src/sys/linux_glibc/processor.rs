//! The registers of the supported processors, by their numbers in DWARF.

pub(super) use self::one::{COUNT, STACK_POINTER, VENDOR, of, without_signature};

/// What a thread's registers held when it was interrupted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Registers {
    /// The address of the instruction that was next.
    pub(super) instruction: u64,
    pub(super) values: [u64; COUNT],
}

impl Registers {
    pub(super) const UNKNOWN: Self = Self {
        instruction: 0,
        values: [0; COUNT],
    };

    pub(super) fn stack_pointer(&self) -> u64 {
        self.values[usize::from(STACK_POINTER.0)]
    }
}

#[cfg(target_arch = "x86_64")]
mod one {
    use gimli::{Register, Vendor, X86_64};

    use super::Registers;

    /// The general registers. The address of the instruction has a number as well, and is a return address once
    /// it is saved.
    pub(in super::super) const COUNT: usize = 17;
    pub(in super::super) const STACK_POINTER: Register = X86_64::RSP;
    pub(in super::super) const VENDOR: Vendor = Vendor::Default;

    /// Where the kernel puts each register, in the order of their numbers.
    const PLACES: [libc::c_int; COUNT] = [
        libc::REG_RAX,
        libc::REG_RDX,
        libc::REG_RCX,
        libc::REG_RBX,
        libc::REG_RSI,
        libc::REG_RDI,
        libc::REG_RBP,
        libc::REG_RSP,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
        libc::REG_RIP,
    ];

    /// The registers in a signal's context. Safe in a signal handler.
    pub(in super::super) fn of(context: &libc::mcontext_t) -> Registers {
        let values =
            PLACES.map(|place| context.gregs[place.unsigned_abs() as usize].cast_unsigned());
        Registers {
            instruction: values[COUNT - 1],
            values,
        }
    }

    /// A return address as the program stores it is the address itself.
    pub(in super::super) fn without_signature(address: u64) -> u64 {
        address
    }
}

#[cfg(target_arch = "aarch64")]
mod one {
    use gimli::{AArch64, Register, Vendor};

    use super::Registers;

    /// The general registers, and the stack pointer.
    pub(in super::super) const COUNT: usize = 32;
    pub(in super::super) const STACK_POINTER: Register = AArch64::SP;
    pub(in super::super) const VENDOR: Vendor = Vendor::AArch64;

    /// The registers in a signal's context. Safe in a signal handler.
    pub(in super::super) fn of(context: &libc::mcontext_t) -> Registers {
        let mut values = [context.sp; COUNT];
        for (value, held) in values.iter_mut().zip(context.regs) {
            *value = held;
        }
        Registers {
            instruction: context.pc,
            values,
        }
    }

    /// A return address without the signature that the program may store in its upper bits. Linux gives a
    /// program addresses of 48 bits unless it asks for longer ones.
    pub(in super::super) fn without_signature(address: u64) -> u64 {
        address & ((1 << 48) - 1)
    }
}
