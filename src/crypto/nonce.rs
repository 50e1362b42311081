//! Random bytes that are published: drawn from the operating system's generator in blocks, one block per thread.

use std::cell::RefCell;

use super::{NoRandomness, random};

const BLOCK_BYTES: usize = 1024;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; BLOCK_BYTES], used: BLOCK_BYTES }) };
}

struct Pool {
    bytes: [u8; BLOCK_BYTES],
    used: usize,
}

/// `N` fresh bytes (`N` ≤ 1024) for nonces and ids. Nothing secret may depend on them: they wait in memory, and are
/// published in the record or the header they make unique.
///
/// # Errors
/// When the random source fails.
pub fn nonce<const N: usize>() -> Result<[u8; N], NoRandomness> {
    POOL.with_borrow_mut(|pool| {
        if pool.used + N > BLOCK_BYTES {
            pool.bytes = random()?;
            pool.used = 0;
        }
        let bytes = pool.bytes.get(pool.used..).and_then(|rest| rest.first_chunk()).copied().ok_or(NoRandomness)?;
        pool.used += N;
        Ok(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_draws_are_alike() {
        let mut seen: Vec<[u8; 16]> = (0..1000).map(|_| nonce().unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1000);
    }
}
