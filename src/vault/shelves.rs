//! Which shelf a row lies on, and the shelves' keys as far as they have been needed.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::{VaultError, keys::Keys};
use crate::{
    crypto::{Shelf, SubjectKey},
    model::SubjectRef,
};

/// Shelves of a vault. With 5 million tokens one holds about 1,200 rows: what an erasure seals again per row it
/// destroys, while a roll of the subject-wrapping key wraps 4,096 keys and not one per person.
pub(super) const SHELVES: u16 = 4_096;

/// The shelf of a subject or token: the first 12 bits of its (random or keyed) name.
pub(super) fn shelf_of(name: &[u8]) -> u16 {
    let front = name.first_chunk().copied().unwrap_or_default();
    u16::from_be_bytes(front) >> 4
}

/// The lowest and the highest name of `N` bytes on a shelf.
pub(super) fn names_on<const N: usize>(shelf: u16) -> ([u8; N], [u8; N]) {
    let fill = |front: u16, byte: u8| {
        let mut out = [byte; N];
        out.iter_mut().zip(front.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
        out
    };
    (fill(shelf << 4, 0), fill(shelf << 4 | 0x0f, 0xff))
}

/// A shelf's key as it is stored: its name, and the wrapped key.
pub(super) fn stored(key: &SubjectKey, keys: &Keys) -> Result<Vec<u8>, VaultError> {
    let mut bytes = key.reference().0.to_vec();
    bytes.extend_from_slice(&keys.wrap(key)?);
    Ok(bytes)
}

/// The key out of what [`stored`] made.
pub(super) fn unwrapped(bytes: &[u8], keys: &Keys) -> Result<SubjectKey, VaultError> {
    let (name, wrapped) = split(bytes)?;
    keys.unwrap(name, wrapped)
}

/// Whether the key is wrapped under the current subject-wrapping key.
pub(super) fn is_current(bytes: &[u8], keys: &Keys) -> Result<bool, VaultError> {
    Ok(keys.is_current(split(bytes)?.1))
}

fn split(bytes: &[u8]) -> Result<(SubjectRef, &[u8]), VaultError> {
    let (name, wrapped) = bytes.split_first_chunk::<8>().ok_or(VaultError::Tampered)?;
    Ok((SubjectRef(*name), wrapped))
}

/// Shelves that were opened. What is stored is asked each time, so a shelf that got a new key is noticed at once; only
/// unwrapping and deriving are saved.
pub(super) struct Opened(Vec<ArcSwapOption<Shelf>>);

impl Opened {
    pub(super) fn new() -> Self {
        Self((0..SHELVES).map(|_| ArcSwapOption::empty()).collect())
    }

    /// The shelf number `number`, which is stored as `bytes`.
    pub(super) fn get(&self, number: u16, bytes: &[u8], keys: &Keys) -> Result<Arc<Shelf>, VaultError> {
        let slot = self.0.get(usize::from(number)).ok_or(VaultError::Tampered)?;
        let (name, _) = split(bytes)?;
        if let Some(shelf) = slot.load_full().filter(|shelf| shelf.reference() == name) {
            return Ok(shelf);
        }
        let shelf = Arc::new(keys.shelf(&unwrapped(bytes, keys)?)?);
        slot.store(Some(Arc::clone(&shelf)));
        Ok(shelf)
    }

    /// Forgets the shelves that got new keys.
    pub(super) fn forget(&self, numbers: impl IntoIterator<Item = u16>) {
        numbers.into_iter().filter_map(|number| self.0.get(usize::from(number))).for_each(|slot| slot.store(None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_on_the_shelf_of_their_first_twelve_bits() {
        assert_eq!(shelf_of(&[0, 0, 9]), 0);
        assert_eq!(shelf_of(&[0xff, 0xff]), SHELVES - 1);
        for shelf in [0, 1, 2_049, SHELVES - 1] {
            let (low, high) = names_on::<8>(shelf);
            assert_eq!((shelf_of(&low), shelf_of(&high)), (shelf, shelf));
            assert!(shelf == 0 || names_on::<8>(shelf - 1).1 < low);
        }
    }
}
