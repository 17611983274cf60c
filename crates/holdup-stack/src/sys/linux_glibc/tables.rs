//! Finds the unwind tables of the code that is loaded.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

use super::walk::Module;

/// A search under way.
struct Search<'a> {
    address: u64,
    found: &'a mut dyn FnMut(&Module<'_>),
}

/// Calls `found` with the module whose code has this address. It is called while the loader is kept from
/// unloading the module, so it must not be slow, nor load or unload anything; nor may it allocate, because an
/// allocator may ask the loader for something while it has locked what an allocation needs.
pub(super) fn find(address: u64, found: &mut dyn FnMut(&Module<'_>)) {
    let mut search = Search { address, found };
    // SAFETY: `visit` has the signature that the loader calls, and what is handed to it is a `Search` that
    // lives until after the call and that nobody else has meanwhile.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
}

/// Looks at one module. Any other result than 0 ends the search.
extern "C" fn visit(module: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
    // SAFETY: the loader describes a module, valid until this returns, and hands over what `find` gave it.
    let (module, search) = unsafe { (&*module, &mut *search.cast::<Search<'_>>()) };
    let headers = if module.dlpi_phnum == 0 {
        &[]
    } else {
        // SAFETY: the module has that many headers there, and they are valid as long as its description.
        unsafe { slice::from_raw_parts(module.dlpi_phdr, module.dlpi_phnum.into()) }
    };
    let segments = Segments {
        moved: module.dlpi_addr,
        headers,
    };
    if segments.with(search.address, libc::PF_X).is_none() {
        return 0;
    }
    // What the tables say may be wrong. If reading them panics in spite of all care, only this search fails,
    // because a panic must not reach the loader.
    let found = || {
        segments.tables(|module| (search.found)(module));
    };
    catch_unwind(AssertUnwindSafe(found)).ok();
    1
}

/// The parts of a module that are mapped.
struct Segments<'a> {
    /// The difference between an address in memory and in the file.
    moved: u64,
    headers: &'a [libc::Elf64_Phdr],
}

impl<'a> Segments<'a> {
    /// The segment that has this address and all these permissions, as its first address and the one after
    /// its last.
    fn with(&self, address: u64, permissions: u32) -> Option<(u64, u64)> {
        let is_it = |header: &libc::Elf64_Phdr| {
            let start = self.moved.wrapping_add(header.p_vaddr);
            let end = start.checked_add(header.p_memsz)?;
            let has = header.p_type == libc::PT_LOAD
                && header.p_flags & permissions == permissions
                && (start..end).contains(&address);
            has.then_some((start, end))
        };
        self.headers.iter().find_map(is_it)
    }

    /// The bytes from an address on to the end of its segment, if they can be read and do not change.
    fn bytes(&self, address: u64) -> Option<&'a [u8]> {
        if self.with(address, libc::PF_W).is_some() {
            return None;
        }
        let (_, end) = self.with(address, libc::PF_R)?;
        let length = usize::try_from(end - address).ok()?;
        let start = ptr::with_exposed_provenance(usize::try_from(address).ok()?);
        // SAFETY: the loader has mapped the segment to be read and not to be written, and keeps it mapped
        // while it describes the module, which is as long as the headers are valid.
        Some(unsafe { slice::from_raw_parts(start, length) })
    }

    /// Calls `found` with the module's tables, or with a module without any.
    fn tables(&self, found: impl FnOnce(&Module<'_>)) {
        let mut headers = self.headers.iter();
        let header = headers.find(|header| header.p_type == libc::PT_GNU_EH_FRAME);
        let header_at = header.map_or(0, |header| self.moved.wrapping_add(header.p_vaddr));
        found(&Module {
            header_at,
            bytes: &|address| self.bytes(address),
        });
    }
}
