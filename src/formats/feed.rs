//! Chunks in, checked text to a reader that uses up what it can; what it leaves waits for the next chunk.

use zeroize::Zeroizing;

use super::{Fault, FormatError, intake::Intake};

/// What is carried from one chunk to the next.
#[derive(Debug, Default)]
pub(super) struct Feed {
    intake: Intake,
    carry: Zeroizing<String>,
}

impl Feed {
    /// Calls `run` with text until nothing more can be used up. `read` is how many bytes were used up before.
    ///
    /// # Errors
    /// What `run` says, or that the bytes are not UTF-8.
    pub(super) fn push<E: From<FormatError>>(
        &mut self,
        chunk: &[u8],
        read: u64,
        run: impl FnMut(&str) -> Result<usize, E>,
    ) -> Result<(), E> {
        let held = self.carry.len();
        let text = self.intake.take(chunk, &mut self.carry);
        let text = text.map_err(|at| FormatError { at: read + (held + at) as u64, fault: Fault::Utf8 })?;
        carried(&mut self.carry, text, run)
    }

    /// What is left at the end.
    ///
    /// # Errors
    /// When that is a part of a character.
    pub(super) fn finish(&mut self, read: u64) -> Result<Zeroizing<String>, FormatError> {
        if self.intake.is_cut() {
            return Err(FormatError { at: read + self.carry.len() as u64, fault: Fault::Truncated });
        }
        Ok(std::mem::take(&mut self.carry))
    }
}

/// Calls `run` with what is carried and `text`; what it leaves is carried on. After an error nothing is.
///
/// # Errors
/// What `run` says.
#[inline]
pub(super) fn carried<E>(
    carry: &mut Zeroizing<String>,
    mut text: &str,
    mut run: impl FnMut(&str) -> Result<usize, E>,
) -> Result<(), E> {
    if !carry.is_empty() {
        let mut held = std::mem::take(carry);
        let before = held.len();
        let (near, far) = text.split_at_checked(text.floor_char_boundary(NEAR_BYTES)).unwrap_or((text, ""));
        held.push_str(near);
        let used = run(&held)?;
        if let Some(done) = used.checked_sub(before) {
            held.clear();
            *carry = held;
            text = text.get(done..).unwrap_or_default();
        } else {
            held.drain(..used);
            if !far.is_empty() {
                held.push_str(far);
                let used = run(&held)?;
                held.drain(..used);
            }
            *carry = held;
            return Ok(());
        }
    }
    let used = run(text)?;
    carry.push_str(text.get(used..).unwrap_or_default());
    Ok(())
}

/// Bytes of a chunk that are tried first when something is carried.
const NEAR_BYTES: usize = 512;
