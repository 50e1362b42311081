//! The thread that signs: what is durable in, a replaced `checkpoint` file out. Behind the commits, never in their way.

use std::{path::Path, sync::Arc, time::Duration};

use super::{
    checkpoint::Checkpoint,
    disk::{Folder, replace},
    layout::CHECKPOINT,
    shared::{Head, Shared},
    writer::Guard,
};
use crate::{crypto::SigningKey, model::Timestamp};

/// The signer's state.
pub(super) struct Signer {
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Box<dyn Folder>,
    pub(super) key: SigningKey,
    pub(super) origin: String,
    pub(super) pause: Duration,
    pub(super) clock: fn() -> Timestamp,
}

impl Signer {
    /// Signs at most once per pause while the log grows, and a last time at its end.
    pub(super) fn run(mut self) {
        let _guard = Guard(Arc::clone(&self.shared));
        loop {
            let head = self.shared.next_head(self.pause);
            #[cfg(test)]
            if self.shared.abandoned() {
                return;
            }
            if self.shared.failed().is_some() {
                return;
            }
            if head.signed.is_none_or(|(size, _)| size < head.size) && !self.sign(&head) {
                return;
            }
            if head.closing {
                return;
            }
        }
    }

    /// Only a durable head is ever signed, so no crash can leave two signed heads of one size.
    fn sign(&mut self, head: &Head) -> bool {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root };
        let text = checkpoint.sign(&self.key);
        match replace(&mut *self.disk, Path::new(CHECKPOINT), text.as_bytes()) {
            Ok(()) => {
                self.shared.signed(head.size, (self.clock)());
                true
            }
            Err(error) => {
                tracing::error!(error = %error, "checkpoint could not be written");
                self.shared.fail("a checkpoint could not be written");
                false
            }
        }
    }
}
