//! Who compiles when: each piece of code once, and only so many at a time.

use super::{Bounds, Key, MachineCode};
use crate::sandbox::LoadError;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Made = Result<MachineCode, LoadError>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A semaphore for threads.
#[derive(Debug)]
pub(super) struct Places {
    free: Mutex<u32>,
    freed: Condvar,
}

/// A place that is free again when this is dropped.
pub(super) struct Place<'a>(&'a Places);

impl Places {
    pub(super) fn new(places: NonZeroU32) -> Self {
        Places { free: Mutex::new(places.get()), freed: Condvar::new() }
    }

    pub(super) fn take(&self) -> Place<'_> {
        let free = lock(&self.free);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *lock(&self.0.free) += 1;
        self.0.freed.notify_one();
    }
}

/// Whoever asks for what is being made waits for it.
#[derive(Debug, Default)]
pub(super) struct Turns {
    under_way: Mutex<BTreeMap<Key, Arc<Making>>>,
}

#[derive(Debug)]
struct Making {
    bounds: Bounds,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Clone)]
enum State {
    UnderWay,
    Ended(Made),
    /// Its maker panicked.
    Abandoned,
}

impl Turns {
    /// Makes it, or waits for whoever does. A refusal is shared only under the same bounds: under wider ones
    /// it may succeed.
    pub(super) fn once(&self, key: Key, bounds: Bounds, make: impl FnOnce() -> Made) -> Made {
        loop {
            let mut under_way = lock(&self.under_way);
            let Some(making) = under_way.get(&key).cloned() else {
                let state = Mutex::new(State::UnderWay);
                let making = Arc::new(Making { bounds, state, ended: Condvar::new() });
                under_way.insert(key, making.clone());
                drop(under_way);
                let mut turn = Turn { turns: self, key, making: &making, ends_in: State::Abandoned };
                let made = make();
                turn.ends_in = State::Ended(made.clone());
                return made;
            };
            drop(under_way);
            match making.end() {
                State::Ended(Ok(code)) => return Ok(code),
                State::Ended(Err(refused)) if making.bounds == bounds => return Err(refused),
                _ => {}
            }
        }
    }
}

impl Making {
    fn end(&self) -> State {
        let still = |state: &mut State| matches!(state, State::UnderWay);
        let state = self.ended.wait_while(lock(&self.state), still);
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends however its maker ends.
struct Turn<'a> {
    turns: &'a Turns,
    key: Key,
    making: &'a Making,
    ends_in: State,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.turns.under_way).remove(&self.key);
        *lock(&self.making.state) = std::mem::replace(&mut self.ends_in, State::Abandoned);
        self.making.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const KEY: Key = Key { component: [1; 32], metered: true, compatibility: [2; 32] };

    fn bounds(secs: u64) -> Bounds {
        Bounds { time_max: Duration::from_secs(secs), memory_bytes_max: 1 }
    }

    /// Starts a second asker while the first makes, and waits until it waits.
    fn ask_twice(first: impl FnOnce() -> Made + Send, second: Bounds) -> (bool, Made, usize) {
        let (turns, made) = (Turns::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let (begun, begins) = std::sync::mpsc::channel();
            let (go, goes) = std::sync::mpsc::channel::<()>();
            let (turns, made) = (&turns, &made);
            let leader = scope.spawn(move || {
                turns.once(KEY, bounds(1), || {
                    begun.send(()).unwrap();
                    goes.recv().unwrap();
                    first()
                })
            });
            begins.recv().unwrap();
            let follower = scope.spawn(move || {
                turns.once(KEY, second, || {
                    made.fetch_add(1, Ordering::SeqCst);
                    Ok(MachineCode(Arc::new(b"second".to_vec())))
                })
            });
            // Its handle on what is under way: the map's, the leader's, and the follower's.
            while lock(&turns.under_way).get(&KEY).is_none_or(|making| Arc::strong_count(making) < 3) {
                std::thread::yield_now();
            }
            go.send(()).unwrap();
            let led = leader.join();
            let followed = follower.join().unwrap();
            assert!(lock(&turns.under_way).is_empty());
            (led.is_ok(), followed, made.load(Ordering::SeqCst))
        })
    }

    #[test]
    fn who_waits_takes_what_was_made() {
        let (_, followed, made) = ask_twice(|| Ok(MachineCode(Arc::new(b"first".to_vec()))), bounds(1));
        assert_eq!((followed.unwrap().0.as_slice(), made), (&b"first"[..], 0));
    }

    #[test]
    fn a_refusal_is_shared_under_the_same_bounds_alone() {
        let refused = || Err(LoadError::CompileTime { max: Duration::from_secs(1) });
        let (_, followed, made) = ask_twice(refused, bounds(1));
        assert!(followed.is_err() && made == 0);
        let (_, followed, made) = ask_twice(refused, bounds(2));
        assert_eq!((followed.unwrap().0.as_slice(), made), (&b"second"[..], 1));
    }

    #[test]
    fn a_maker_that_panics_leaves_nobody_waiting() {
        let (led, followed, made) = ask_twice(|| panic!("on purpose"), bounds(1));
        assert!(!led && followed.is_ok() && made == 1);
    }
}
