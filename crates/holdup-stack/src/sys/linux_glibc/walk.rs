//! Walks the copy of a stack, with the help of the unwind tables. What the tables say may be wrong: then the
//! walk ends early or names a wrong function, but nothing outside of the copy is read.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EhFrameOffset, EndianSlice, Evaluation,
    EvaluationResult, EvaluationStorage, FrameDescriptionEntry, Location, NativeEndian, Piece,
    Register, RegisterRule, UnwindContext, UnwindExpression, UnwindSection, Value,
};

use super::copy::Memory;
use super::processor::{COUNT, Registers, STACK_POINTER, VENDOR, without_signature};

/// The most frames that are noted. The outermost frames of a deeper stack are lost.
pub(super) const DEPTH: usize = 192;

/// The most operations of an expression in the tables. The usual ones have ten.
const OPERATIONS: u32 = 1000;

type Bytes<'a> = EndianSlice<'a, NativeEndian>;

/// A program or a library that is loaded, by its addresses in memory.
pub(super) struct Module<'a> {
    /// The address of its `.eh_frame_hdr`, which leads to its tables; 0 if it has none.
    pub(super) header_at: u64,
    /// The bytes from an address on, if there are any that do not change.
    pub(super) bytes: &'a dyn Fn(u64) -> Option<&'a [u8]>,
}

/// Calls its second argument with the module whose code has the address that is the first argument.
pub(super) type Find<'a> = &'a dyn Fn(u64, &mut dyn FnMut(&Module<'_>));

/// The addresses of the frames of a stack, the innermost first. Each is one byte after an instruction of its
/// frame, as [`backtrace::resolve`] expects.
pub(super) fn walk(registers: &Registers, memory: Memory<'_>, find: Find<'_>) -> Vec<usize> {
    let mut frame = Frame {
        instruction: registers.instruction,
        is_next: true,
        values: registers.values.map(Some),
    };
    let mut context = UnwindContext::new();
    let mut addresses = Vec::new();
    while addresses.len() < DEPTH {
        let (mut is_code, mut caller) = (false, None);
        find(frame.looked_up(), &mut |module| {
            is_code = true;
            caller = frame.caller(module, memory, &mut context);
        });
        // Where the tables lead to an address outside of all code, they are wrong. Only what the thread was
        // interrupted at is code in any case, such as that of a compiler within the program.
        if !is_code && !addresses.is_empty() {
            break;
        }
        addresses.push(frame.looked_up().wrapping_add(1) as usize);
        let Some(caller) = caller else { break };
        // Each frame is further out than the one that it called, except that the innermost one may have
        // nothing on the stack.
        let (of_frame, of_caller) = (frame.stack_pointer(), caller.stack_pointer());
        let is_further = of_caller > of_frame || addresses.len() == 1 && of_caller == of_frame;
        if !is_further {
            break;
        }
        frame = caller;
    }
    addresses
}

/// One frame of the stack.
struct Frame {
    instruction: u64,
    /// Whether the instruction was next when the frame was interrupted. If not, it is the one to which the
    /// frame's call returns.
    is_next: bool,
    /// The registers whose values are known.
    values: [Option<u64>; COUNT],
}

impl Frame {
    /// The address for which the tables are asked: a call may be a function's last instruction.
    fn looked_up(&self) -> u64 {
        self.instruction.wrapping_sub(u64::from(!self.is_next))
    }

    fn value(&self, register: Register) -> Option<u64> {
        *self.values.get(usize::from(register.0))?
    }

    fn stack_pointer(&self) -> Option<u64> {
        self.value(STACK_POINTER)
    }

    /// The frame that called this one; `None` at the outermost, or where the tables do not tell. Allocates
    /// nothing.
    fn caller(
        &self,
        module: &Module<'_>,
        memory: Memory<'_>,
        context: &mut UnwindContext<usize>,
    ) -> Option<Self> {
        let bytes = |address| Some(EndianSlice::new((module.bytes)(address)?, NativeEndian));
        let bases = BaseAddresses::default().set_eh_frame_hdr(module.header_at);
        let header = EhFrameHdr::from(bytes(module.header_at)?);
        let header = header.parse(&bases, 8).ok()?;
        let entries_at = header.eh_frame_ptr().direct().ok()?;
        let bases = bases.set_eh_frame(entries_at);
        let mut entries = EhFrame::from(bytes(entries_at)?);
        entries.set_address_size(8);
        entries.set_vendor(VENDOR);
        let entry = header.table()?.lookup(self.looked_up(), &bases).ok()?;
        let offset = entry.direct().ok()?.checked_sub(entries_at)?;
        let offset = EhFrameOffset(usize::try_from(offset).ok()?);
        let entry = entries
            .fde_from_offset(&bases, offset, EhFrame::cie_from_offset)
            .ok()?;
        let row = entry
            .unwind_info_for_address(&entries, &bases, context, self.looked_up())
            .ok()?;
        let rules = Rules {
            frame: self,
            memory,
            entries: &entries,
            entry: &entry,
        };
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                self.value(*register)?.checked_add_signed(*offset)?
            }
            CfaRule::Expression(expression) => rules.evaluate(expression, None)?,
        };
        // A register that the tables do not mention has the value that it had.
        let mut values = self.values;
        values[usize::from(STACK_POINTER.0)] = Some(cfa);
        let back = entry.cie().return_address_register();
        for (register, rule) in row.registers() {
            if let Some(value) = values.get_mut(usize::from(register.0)) {
                *value = rules.value(*register, rule, cfa);
            }
        }
        let instruction = *values.get(usize::from(back.0))?;
        // Where a return address is not mentioned, there is no caller. Only a function that was interrupted may
        // still have it in a register, if the processor has one for it.
        let is_told = row.register(back).is_some();
        let may_be_untold = self.is_next && instruction != Some(self.instruction);
        let instruction = instruction.filter(|_| is_told || may_be_untold)?;
        Some(Self {
            instruction: without_signature(instruction),
            is_next: entry.is_signal_trampoline(),
            values,
        })
    }
}

/// What the rules of one frame refer to.
struct Rules<'a> {
    frame: &'a Frame,
    memory: Memory<'a>,
    entries: &'a EhFrame<Bytes<'a>>,
    entry: &'a FrameDescriptionEntry<Bytes<'a>>,
}

impl Rules<'_> {
    /// The value that a register had in the caller.
    fn value(&self, register: Register, rule: &RegisterRule<usize>, cfa: u64) -> Option<u64> {
        match rule {
            RegisterRule::SameValue => self.frame.value(register),
            RegisterRule::Offset(offset) => self.memory.word(cfa.checked_add_signed(*offset)?),
            RegisterRule::ValOffset(offset) => cfa.checked_add_signed(*offset),
            RegisterRule::Register(other) => self.frame.value(*other),
            RegisterRule::Expression(expression) => {
                self.memory.word(self.evaluate(expression, Some(cfa))?)
            }
            RegisterRule::ValExpression(expression) => self.evaluate(expression, Some(cfa)),
            _ => None,
        }
    }

    fn evaluate(&self, expression: &UnwindExpression<usize>, cfa: Option<u64>) -> Option<u64> {
        let bytecode = expression.get(self.entries).ok()?.0;
        let encoding = self.entry.cie().encoding();
        let mut evaluation = Evaluation::<_, InPlace>::new_in(bytecode, encoding);
        evaluation.set_max_iterations(OPERATIONS);
        if let Some(cfa) = cfa {
            evaluation.set_initial_value(cfa);
        }
        let mut result = evaluation.evaluate().ok()?;
        loop {
            result = match result {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = Value::Generic(self.frame.value(register)?);
                    evaluation.resume_with_register(value).ok()?
                }
                EvaluationResult::RequiresMemory {
                    address, size: 8, ..
                } => {
                    let value = Value::Generic(self.memory.word(address)?);
                    evaluation.resume_with_memory(value).ok()?
                }
                _ => return None,
            };
        }
        match evaluation.as_result() {
            [
                Piece {
                    location: Location::Address { address },
                    ..
                },
            ] => Some(*address),
            _ => None,
        }
    }
}

/// Room for an expression, without an allocation.
struct InPlace;

impl<'a> EvaluationStorage<Bytes<'a>> for InPlace {
    type Stack = [Value; 64];
    type ExpressionStack = [(Bytes<'a>, Bytes<'a>); 1];
    type Result = [Piece<Bytes<'a>>; 1];
}
