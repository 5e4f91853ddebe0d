//! The allocator of every program that runs the engine (docs/adr/0006): ticks make and drop many small
//! objects on all cores.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives the system back what a tick has used and no longer needs. By itself the allocator does so only
/// when it is asked for more later than a second after, which may be a minute away.
pub(crate) fn give_back() {
    #[expect(unsafe_code, reason = "a call into C; no safe library has it")]
    // SAFETY: `mi_collect` takes no pointer and frees only what nothing refers to, on any thread.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
