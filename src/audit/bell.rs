//! One wake-up per thread and commit: the waits of a thread are kept together, and the writer wakes one task of it that
//! wakes the others. Woken from outside, each task would cost a system call and a detour through a locked queue.

use std::{
    cell::RefCell,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use super::shared::Shared;

/// Wakes what waits on its thread, as long as it is polled; never ready. Dropping it wakes all of them once more, and
/// further waits of the thread are woken one by one again.
#[derive(Debug)]
#[must_use = "it does nothing unless it is polled"]
pub struct Bell {
    shared: Arc<Shared>,
    room: Arc<Room>,
}

/// The waits of one thread.
pub(super) struct Room(Mutex<Waits>);

#[derive(Default)]
struct Waits {
    /// Records waited for, and who waits.
    waits: Vec<(u64, Waker)>,
    /// The task that polls the [`Bell`].
    bell: Option<Waker>,
    closed: bool,
}

thread_local! {
    static HERE: RefCell<Weak<Room>> = const { RefCell::new(Weak::new()) };
}

impl Bell {
    /// For the waits of the calling thread, which alone may poll it.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let room = Arc::new(Room(Mutex::default()));
        HERE.replace(Arc::downgrade(&room));
        shared.rooms().push(Arc::clone(&room));
        Self { shared, room }
    }
}

impl Future for Bell {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let ready = {
            let mut waits = self.room.lock();
            // Registered before the look: a commit between the two rings once more.
            waits.bell = Some(context.waker().clone());
            waits.ready(self.shared.reach())
        };
        ready.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.shared.rooms().retain(|room| !Arc::ptr_eq(room, &self.room));
        let left = {
            let mut waits = self.room.lock();
            waits.closed = true;
            waits.ready(u64::MAX)
        };
        left.into_iter().for_each(Waker::wake);
    }
}

impl Room {
    /// The room of the calling thread, if it is one of `rooms`.
    pub(super) fn here(rooms: &[Arc<Self>]) -> Option<Arc<Self>> {
        let here = HERE.with_borrow(Weak::upgrade)?;
        rooms.iter().any(|room| Arc::ptr_eq(room, &here)).then_some(here)
    }

    /// Takes the wait, or gives the waker back when the room is closed.
    pub(super) fn wait(&self, index: u64, waker: Waker) -> Result<(), Waker> {
        let mut waits = self.lock();
        if waits.closed {
            return Err(waker);
        }
        waits.waits.push((index, waker));
        Ok(())
    }

    /// For the writer: wakes the bell's task when a wait for a record below `reach` is over; the waits themselves when
    /// there is no such task yet.
    pub(super) fn ring(&self, reach: u64) {
        let mut waits = self.lock();
        if !waits.waits.iter().any(|(index, _)| *index < reach) {
            return;
        }
        let woken = match waits.bell.take() {
            Some(bell) => vec![bell],
            None => waits.ready(reach),
        };
        drop(waits);
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        // Whole entries only: a panic in between leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    /// Takes out who waits for a record below `reach`.
    fn ready(&mut self, reach: u64) -> Vec<Waker> {
        self.waits.extract_if(.., |(index, _)| *index < reach).map(|(_, waker)| waker).collect()
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;
    use crate::{audit::shared::Bounds, model::Timestamp};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn shared() -> Arc<Shared> {
        let bounds = Bounds { records: 8, bytes: 8_192 };
        Arc::new(Shared::new("n".into(), bounds, 0, [0; 32], (0, Timestamp::default())))
    }

    fn poll(bell: &mut Bell, count: &Arc<Count>) {
        let waker = Waker::from(Arc::clone(count));
        assert!(Pin::new(bell).poll(&mut Context::from_waker(&waker)).is_pending());
    }

    #[test]
    fn a_commit_wakes_the_bell_and_the_bell_wakes_who_is_done() {
        let (shared, ringing, first, second) = (shared(), Arc::default(), Arc::default(), Arc::default());
        let mut bell = Bell::new(Arc::clone(&shared));
        poll(&mut bell, &ringing);
        shared.wake_when_durable(0, &Waker::from(Arc::clone(&first)));
        shared.wake_when_durable(0, &Waker::from(Arc::clone(&first)));
        shared.wake_when_durable(1, &Waker::from(Arc::clone(&second)));
        shared.advance(1, 1, 1, [0; 32]);
        assert_eq!((Count::get(&ringing), Count::get(&first)), (1, 0));
        poll(&mut bell, &ringing);
        assert_eq!((Count::get(&first), Count::get(&second)), (2, 0));
        shared.fail("for the test");
        poll(&mut bell, &ringing);
        assert_eq!((Count::get(&ringing), Count::get(&second)), (2, 1));
    }

    #[test]
    fn a_bell_that_nobody_polls_or_that_is_gone_keeps_nobody_waiting() {
        let (shared, early, left, late) = (shared(), Arc::default(), Arc::default(), Arc::default());
        let bell = Bell::new(Arc::clone(&shared));
        shared.wake_when_durable(0, &Waker::from(Arc::clone(&early)));
        shared.advance(1, 1, 1, [0; 32]);
        assert_eq!(Count::get(&early), 1);
        shared.wake_when_durable(1, &Waker::from(Arc::clone(&left)));
        drop(bell);
        assert_eq!(Count::get(&left), 1);
        shared.wake_when_durable(1, &Waker::from(Arc::clone(&late)));
        shared.advance(1, 1, 2, [0; 32]);
        assert_eq!(Count::get(&late), 1);
    }
}
