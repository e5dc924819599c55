//! One flight at a time: whoever comes first leads, everybody else waits for what the leader brings. A leader that is
//! dropped on the way hands over to one of those who wait.
//!
//! `tests/single_flight_model.rs` compiles this file with other locks and tries every order of threads.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use super::sync::{Arc, Mutex};

/// Where flights of one thing begin. Clones are the same place.
pub(super) struct SingleFlight<T>(Arc<Mutex<State<T>>>);

/// What a wait ends with.
pub(super) enum Landed<T> {
    /// The leader's result, shared.
    With(T),
    /// The leader is gone without one: it is your turn.
    YourTurn(Leader<T>),
}

/// The right to fly, held by one at a time.
pub(super) struct Leader<T>(Option<Arc<Mutex<State<T>>>>);

/// A place among those who wait.
pub(super) struct Follower<T> {
    flight: Arc<Mutex<State<T>>>,
    ticket: u64,
    done: bool,
}

struct State<T> {
    /// Whether somebody leads, or was told that it is their turn.
    flying: bool,
    next_ticket: u64,
    waiting: VecDeque<Waiting<T>>,
}

struct Waiting<T> {
    ticket: u64,
    waker: Option<Waker>,
    told: Option<Told<T>>,
}

enum Told<T> {
    Result(T),
    YourTurn,
}

impl<T> SingleFlight<T> {
    /// Nobody flies.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { flying: false, next_ticket: 0, waiting: VecDeque::new() })))
    }

    /// Waits with the others. The first one gets the flight to lead as well, for itself or for somebody whom it sends.
    pub(super) fn join(&self) -> (Follower<T>, Option<Leader<T>>) {
        let mut state = lock(&self.0);
        let follower = state.follow(&self.0);
        let leader = (!std::mem::replace(&mut state.flying, true)).then(|| Leader(Some(Arc::clone(&self.0))));
        (follower, leader)
    }

    /// Leads if nobody does; none while somebody does.
    pub(super) fn lead(&self) -> Option<Leader<T>> {
        let mut state = lock(&self.0);
        (!std::mem::replace(&mut state.flying, true)).then(|| Leader(Some(Arc::clone(&self.0))))
    }
}

impl<T> State<T> {
    fn follow(&mut self, flight: &Arc<Mutex<Self>>) -> Follower<T> {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back(Waiting { ticket, waker: None, told: None });
        Follower { flight: Arc::clone(flight), ticket, done: false }
    }
}

impl<T> Leader<T> {
    /// A place among those who wait for this flight, for one who sends somebody else to fly it. None after it landed.
    pub(super) fn follow(&self) -> Option<Follower<T>> {
        self.0.as_ref().map(|flight| lock(flight).follow(flight))
    }
}

impl<T: Clone> Leader<T> {
    /// Ends the flight; everybody who waits gets `result`.
    pub(super) fn land(mut self, result: &T) {
        let Some(flight) = self.0.take() else { return };
        let wakers: Vec<Waker> = {
            let mut state = lock(&flight);
            state.flying = false;
            let told = |waiting: &mut Waiting<T>| {
                waiting.told = Some(Told::Result(result.clone()));
                waiting.waker.take()
            };
            state.waiting.iter_mut().filter(|waiting| waiting.told.is_none()).filter_map(told).collect()
        };
        // Outside the lock: a waker may run what it wakes at once.
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Leader<T> {
    fn drop(&mut self) {
        if let Some(flight) = self.0.take() {
            hand_over(&flight);
        }
    }
}

/// The leader is gone. The next one who waits leads; with nobody there, nobody does.
fn hand_over<T>(flight: &Mutex<State<T>>) {
    let waker = {
        let mut state = lock(flight);
        match state.waiting.iter_mut().find(|waiting| waiting.told.is_none()) {
            Some(next) => {
                next.told = Some(Told::YourTurn);
                next.waker.take()
            }
            None => {
                state.flying = false;
                None
            }
        }
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Future for Follower<T> {
    type Output = Landed<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Landed<T>> {
        let this = self.get_mut();
        let mut state = lock(&this.flight);
        let Some(place) = state.waiting.iter().position(|waiting| waiting.ticket == this.ticket) else {
            // Polled again after it was ready, which no executor does.
            return Poll::Pending;
        };
        let told = state.waiting.get_mut(place).and_then(|waiting| {
            if waiting.told.is_none() {
                waiting.waker = Some(context.waker().clone());
            }
            waiting.told.take()
        });
        let Some(told) = told else { return Poll::Pending };
        state.waiting.remove(place);
        if state.waiting.is_empty() {
            // There are very many flights, and most of them rest.
            state.waiting = VecDeque::new();
        }
        this.done = true;
        Poll::Ready(match told {
            Told::Result(result) => Landed::With(result),
            Told::YourTurn => Landed::YourTurn(Leader(Some(Arc::clone(&this.flight)))),
        })
    }
}

impl<T> Drop for Follower<T> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let told = {
            let mut state = lock(&self.flight);
            let place = state.waiting.iter().position(|waiting| waiting.ticket == self.ticket);
            place.and_then(|place| state.waiting.remove(place)).and_then(|waiting| waiting.told)
        };
        // It was this one's turn, and it does not want it any more.
        if matches!(told, Some(Told::YourTurn)) {
            hand_over(&self.flight);
        }
    }
}

impl<T> Clone for SingleFlight<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for SingleFlight<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

/// A thread that panicked while it held the lock left whole entries: nothing here panics between two writes.
fn lock<T>(flight: &Mutex<State<T>>) -> impl std::ops::DerefMut<Target = State<T>> + '_ {
    flight.lock().unwrap_or_else(PoisonError::into_inner)
}
