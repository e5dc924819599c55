//! The single flight under every order of threads: `src/cache/single_flight.rs` itself, with loom's locks in it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

#[path = "../src/cache/single_flight.rs"]
mod single_flight;
mod sync {
    pub(super) use loom::sync::{Arc, Mutex};
}

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use single_flight::{Landed, Leader, SingleFlight};

/// How many lead right now, and how many ever landed.
#[derive(Clone)]
struct Sky {
    leading: Arc<AtomicUsize>,
    landed: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Fate {
    Lands,
    IsDropped,
}

impl Sky {
    fn new() -> Self {
        Self { leading: Arc::new(AtomicUsize::new(0)), landed: Arc::new(AtomicUsize::new(0)) }
    }

    fn fly(&self, leader: Leader<usize>, fate: Fate) {
        assert_eq!(self.leading.fetch_add(1, Ordering::SeqCst), 0, "two fly at once");
        thread::yield_now();
        self.leading.fetch_sub(1, Ordering::SeqCst);
        match fate {
            Fate::Lands => leader.land(&(self.landed.fetch_add(1, Ordering::SeqCst) + 1)),
            Fate::IsDropped => drop(leader),
        }
    }

    /// What a demand does: waits, and flies where nobody does or the one who did is gone.
    fn demand(&self, flight: &SingleFlight<usize>, fate: Fate) -> usize {
        let (follower, leader) = flight.join();
        if let Some(leader) = leader {
            self.fly(leader, fate);
        }
        match block_on(follower) {
            Landed::With(result) => result,
            Landed::YourTurn(leader) => {
                let follower = leader.follow().unwrap();
                self.fly(leader, Fate::Lands);
                match block_on(follower) {
                    Landed::With(result) => result,
                    Landed::YourTurn(_) => unreachable!("this thread landed"),
                }
            }
        }
    }
}

fn model(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(test);
}

#[test]
fn everybody_gets_a_result_and_one_flies_at_a_time() {
    model(|| {
        let (flight, sky) = (SingleFlight::new(), Sky::new());
        let other = {
            let (flight, sky) = (flight.clone(), sky.clone());
            thread::spawn(move || sky.demand(&flight, Fate::Lands))
        };
        let own = sky.demand(&flight, Fate::Lands);
        let other = other.join().unwrap();
        let landed = sky.landed.load(Ordering::SeqCst);
        assert!(own <= landed && other <= landed && own >= 1 && other >= 1);
        assert!(flight.lead().is_some(), "nobody flies any more");
    });
}

#[test]
fn a_leader_that_is_dropped_hands_over() {
    model(|| {
        let (flight, sky) = (SingleFlight::new(), Sky::new());
        let other = {
            let (flight, sky) = (flight.clone(), sky.clone());
            thread::spawn(move || sky.demand(&flight, Fate::IsDropped))
        };
        let own = sky.demand(&flight, Fate::IsDropped);
        assert!(own >= 1 && other.join().unwrap() >= 1);
        assert!(flight.lead().is_some());
    });
}

#[test]
fn one_who_goes_away_when_it_is_its_turn_passes_it_on() {
    model(|| {
        let (flight, sky) = (SingleFlight::new(), Sky::new());
        let leader = flight.lead().unwrap();
        // Joined, and gone again before or after the leader is.
        let (gone, none) = flight.join();
        assert!(none.is_none());
        let going = thread::spawn(move || drop(gone));
        let waiting = {
            let (flight, sky) = (flight.clone(), sky.clone());
            thread::spawn(move || sky.demand(&flight, Fate::Lands))
        };
        drop(leader);
        going.join().unwrap();
        assert!(waiting.join().unwrap() >= 1);
        assert!(flight.lead().is_some());
    });
}

#[test]
fn who_comes_after_the_landing_flies_anew() {
    model(|| {
        let (flight, sky) = (SingleFlight::new(), Sky::new());
        let first = sky.demand(&flight, Fate::Lands);
        let second = sky.demand(&flight, Fate::Lands);
        assert_eq!((first, second), (1, 2));
    });
}
