//! The symbol table of the program's file (elf(5)). It is searched again for each name instead of being kept,
//! because such searches are rare and the table is large.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// The section's type.
const SYMBOL_TABLE: u64 = 2;

/// The symbol's type.
const FUNCTION: u8 = 2;

/// The file's type: a program whose addresses are those in its file.
const FIXED: u64 = 2;

/// The size of a symbol in bytes, and how many symbols are read at a time.
const SYMBOL: usize = 24;
const AT_A_TIME: usize = 4096;

/// The longest name that is read. Type arguments make long ones.
const LONGEST: usize = 4096;

struct Section {
    offset: u64,
    size: u64,
    link: u64,
}

struct Program(File);

/// Whether there is a symbol table; `None` when the program's file cannot be read as such.
pub(super) fn exist() -> Option<bool> {
    let program = Program::open()?;
    let count = program.sections()?;
    let mut sections = 0..count;
    Some(sections.any(|index| program.kind(index) == Some(SYMBOL_TABLE)))
}

/// The name of the program's function that the byte before `address` is in.
pub(super) fn symbol(address: usize) -> Option<String> {
    let program = Program::open()?;
    let address = (address as u64).checked_sub(1 + program.base(address)?)?;
    let table =
        (0..program.sections()?).find(|&index| program.kind(index) == Some(SYMBOL_TABLE))?;
    let table = program.section(table)?;
    let names = program.section(table.link)?;
    let mut symbols = vec![0; SYMBOL * AT_A_TIME];
    let (mut at, end) = (table.offset, table.offset + table.size);
    while at < end {
        let length = usize::try_from(end - at).ok()?.min(symbols.len());
        program.0.read_exact_at(&mut symbols[..length], at).ok()?;
        let symbols = symbols[..length].chunks_exact(SYMBOL);
        for symbol in symbols.filter(|symbol| symbol[4] & 0xf == FUNCTION) {
            let (start, size) = (number(&symbol[8..16]), number(&symbol[16..24]));
            if (start..start + size).contains(&address) {
                return program.text(names.offset + number(&symbol[..4]));
            }
        }
        at += length as u64;
    }
    None
}

/// Both supported processors are little-endian.
fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().rev();
    digits.fold(0, |number, &byte| number << 8 | u64::from(byte))
}

impl Program {
    fn open() -> Option<Self> {
        Some(Self(File::open("/proc/self/exe").ok()?))
    }

    fn number(&self, at: u64, length: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes[..length], at).ok()?;
        Some(number(&bytes))
    }

    fn sections(&self) -> Option<u64> {
        self.number(0x3c, 2)
    }

    fn header(&self, index: u64) -> Option<u64> {
        Some(self.number(0x28, 8)? + index * self.number(0x3a, 2)?)
    }

    fn kind(&self, index: u64) -> Option<u64> {
        self.number(self.header(index)? + 4, 4)
    }

    fn section(&self, index: u64) -> Option<Section> {
        let header = self.header(index)?;
        Some(Section {
            offset: self.number(header + 24, 8)?,
            size: self.number(header + 32, 8)?,
            link: self.number(header + 40, 4)?,
        })
    }

    fn text(&self, at: u64) -> Option<String> {
        let mut bytes = vec![0; LONGEST];
        let length = self.0.read_at(&mut bytes, at).ok()?;
        let text = bytes[..length].split(|&byte| byte == 0).next()?;
        String::from_utf8(text.to_vec()).ok()
    }

    /// The difference between an address of the program in memory and in its file; `None` for an address of a
    /// library.
    fn base(&self, address: usize) -> Option<u64> {
        let path = fs::read_link("/proc/self/exe").ok()?;
        let path = path.to_str()?;
        let maps = fs::read_to_string("/proc/self/maps").ok()?;
        let mut base = None;
        for line in maps.lines().filter(|line| line.ends_with(path)) {
            let (start, rest) = line.split_once('-')?;
            let start = usize::from_str_radix(start, 16).ok()?;
            let end = usize::from_str_radix(rest.split(' ').next()?, 16).ok()?;
            let base = *base.get_or_insert(start);
            if (start..end).contains(&address) {
                let is_fixed = self.number(16, 2)? == FIXED;
                return Some(if is_fixed { 0 } else { base as u64 });
            }
        }
        None
    }
}
