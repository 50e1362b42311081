//! Proofs that were checked once: the hash of a credential in, the same `Arc<Principal>` out until the proof ends.
//! Holds no credential, only SHA-256 of it; bounded in entries.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::model::{Principal, Timestamp};

/// SHA-256 of a credential and of what was asked with it.
pub(super) type Fingerprint = [u8; 32];

/// A checked proof.
#[derive(Clone)]
pub(super) struct Proof {
    /// Who it is.
    pub(super) principal: Arc<Principal>,
    /// When the proof ends; at this instant it does not count any more.
    pub(super) until: Timestamp,
    /// Which keys verified it: issuer and generation of its keys.
    pub(super) keys: Option<(usize, u64)>,
    /// The certificate (SHA-256 in hex) that must be on the connection.
    pub(super) bound_to: Option<Arc<str>>,
}

/// The proofs, in shards so that workers seldom wait for one another.
pub(super) struct Remembered {
    shards: [Mutex<Shard>; SHARDS],
    half: usize,
}

impl Remembered {
    /// At most `limit` proofs, where `limit` is 32 or more: one per shard and half.
    pub(super) fn new(limit: usize) -> Self {
        Self { shards: Default::default(), half: (limit / SHARDS / 2).max(1) }
    }

    /// The proof of `print` that counts at `now`.
    pub(super) fn get(&self, print: &Fingerprint, now: Timestamp) -> Option<Proof> {
        self.with(print, |shard| shard.get(print, self.half).filter(|proof| now < proof.until))?
    }

    /// Keeps `proof`; when another worker was faster, its equal proof is the one that comes back.
    pub(super) fn keep(&self, print: Fingerprint, proof: Proof, now: Timestamp) -> Arc<Principal> {
        let kept = self.with(&print, |shard| {
            if let Some(known) = shard.get(&print, self.half)
                && now < known.until
                && known.keys == proof.keys
            {
                return known.principal;
            }
            shard.insert(print, proof.clone(), self.half);
            Arc::clone(&proof.principal)
        });
        kept.unwrap_or(proof.principal)
    }

    fn with<T>(&self, print: &Fingerprint, act: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        let shard = self.shards.get(usize::from(print[0]) % SHARDS)?;
        Some(act(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Two generations: what was used since the last turn is young, the rest is dropped at the next. Every step is O(1).
#[derive(Default)]
struct Shard {
    young: HashMap<Fingerprint, Proof>,
    old: HashMap<Fingerprint, Proof>,
}

impl Shard {
    fn get(&mut self, print: &Fingerprint, half: usize) -> Option<Proof> {
        if let Some(proof) = self.young.get(print) {
            return Some(proof.clone());
        }
        let proof = self.old.remove(print)?;
        self.insert(*print, proof.clone(), half);
        Some(proof)
    }

    fn insert(&mut self, print: Fingerprint, proof: Proof, half: usize) {
        if self.young.len() >= half && !self.young.contains_key(&print) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&print);
        self.young.insert(print, proof);
    }
}

const SHARDS: usize = 16;

#[cfg(test)]
impl Remembered {
    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{FORGE, with_issuer};

    fn proof(until: i64, keys: Option<(usize, u64)>) -> Proof {
        let principal = with_issuer("").of_token(&FORGE.usual(serde_json::json!({}))).unwrap();
        Proof { principal: Arc::new((*principal).clone()), until: Timestamp::from_seconds(until), keys, bound_to: None }
    }

    const NOW: Timestamp = Timestamp::from_seconds(0);

    #[test]
    fn the_first_of_two_workers_gives_the_principal_to_both() {
        let remembered = Remembered::new(64);
        let (first, second) = (proof(9, None), proof(9, None));
        let kept = remembered.keep([1; 32], first.clone(), NOW);
        assert!(Arc::ptr_eq(&kept, &first.principal));
        assert!(Arc::ptr_eq(&remembered.keep([1; 32], second, NOW), &first.principal));
        let newer = proof(9, Some((0, 1)));
        assert!(
            Arc::ptr_eq(&remembered.keep([1; 32], newer.clone(), NOW), &newer.principal),
            "other keys, other proof"
        );
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let remembered = Remembered::new(SHARDS * 2 * 4);
        let print = |n: u8| {
            let mut print = [0; 32];
            print[1] = n;
            print
        };
        let one = proof(9, None);
        for n in 0..100 {
            remembered.keep(print(n), one.clone(), NOW);
            assert!(remembered.get(&print(0), NOW).is_some(), "used at every step");
            assert!(remembered.len() <= 8);
        }
        assert!(remembered.get(&print(1), NOW).is_none());
        assert!(remembered.get(&print(99), NOW).is_some());
        assert!(remembered.get(&print(99), Timestamp::from_seconds(9)).is_none());
    }
}
