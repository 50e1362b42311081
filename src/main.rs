//! The binary: hands the command line to the library.

use std::process::ExitCode;

/// Small blocks come and go with every request on one thread, which is what this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fieldgate::cli::main()
}
