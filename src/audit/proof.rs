//! Inclusion and consistency proofs (RFC 6962 §2.1.1, §2.1.2), made from leaf hashes and checked without them
//! (algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2).

use super::tree::{Hash, Tree, node_hash};

/// The proof that leaf `index` is in the tree over `leaves`; `None` when there is no such leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    path(leaves, index, &mut proof);
    Some(proof)
}

/// The proof that the tree over `leaves` extends the tree over its first `old`; `None` when it does not have that many.
#[must_use]
pub fn consistency(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old > leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    if old > 0 && old < leaves.len() {
        subproof(leaves, old, true, &mut proof);
    }
    Some(proof)
}

/// Whether `proof` shows that `leaf` is number `index` of the tree of `size` with `root`.
#[must_use]
pub fn check_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(step, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `new` leaves with `new_root` extends the one of `old` leaves with `old_root`.
#[must_use]
pub fn check_consistency(old: u64, new: u64, old_root: &Hash, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old > new {
        return false;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == Tree::default().root();
    }
    let mut steps = proof.iter();
    // A perfect old tree is its own first step.
    let first = if old.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(step, &from_old);
            from_new = node_hash(step, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

fn path(leaves: &[Hash], index: usize, out: &mut Vec<Hash>) {
    if leaves.len() < 2 {
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if index < left.len() {
        path(left, index, out);
        out.push(root(right));
    } else {
        path(right, index - left.len(), out);
        out.push(root(left));
    }
}

fn subproof(leaves: &[Hash], old: usize, whole: bool, out: &mut Vec<Hash>) {
    if old == leaves.len() {
        if !whole {
            out.push(root(leaves));
        }
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if old <= left.len() {
        subproof(left, old, whole, out);
        out.push(root(right));
    } else {
        subproof(right, old - left.len(), false, out);
        out.push(root(left));
    }
}

/// The largest power of two smaller than `size`, which is at least 2.
fn split(size: usize) -> usize {
    1 << (usize::BITS - 1 - (size - 1).leading_zeros())
}

fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree.root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::tree::{leaf_hash, tests::LEAVES},
        crypto::hex,
    };

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
    }

    #[test]
    fn the_reference_paths_of_rfc_6962_come_out() {
        let leaves: Vec<Hash> = LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect();
        let path: Vec<String> = inclusion(&leaves, 5).unwrap().iter().map(|hash| hex(hash)).collect();
        assert_eq!(
            path,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_leaf_of_every_tree_up_to_40_is_proved_and_only_at_its_place() {
        for size in 1..=40_u32 {
            let leaves = leaves(size);
            let head = root(&leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let proof = inclusion(&leaves, index).unwrap();
                let at = index as u64;
                assert!(check_inclusion(*leaf, at, u64::from(size), &proof, &head));
                assert!(!check_inclusion(*leaf, at + 1, u64::from(size), &proof, &head));
                assert!(!check_inclusion(leaf_hash(b"other"), at, u64::from(size), &proof, &head));
            }
            assert_eq!(inclusion(&leaves, leaves.len()), None);
        }
    }

    #[test]
    fn every_prefix_is_consistent_and_a_changed_one_is_not() {
        for size in 1..=40_u32 {
            let leaves = leaves(size);
            let head = root(&leaves);
            for old in 0..=leaves.len() {
                let proof = consistency(&leaves, old).unwrap();
                let before = root(&leaves[..old]);
                assert!(check_consistency(old as u64, u64::from(size), &before, &head, &proof), "{old} of {size}");
                assert!(!check_consistency(old as u64, u64::from(size), &leaf_hash(b"x"), &head, &proof));
            }
        }
    }
}
