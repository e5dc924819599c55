//! The primitives that `single_flight` locks with. Its model check (`tests/single_flight_model.rs`) puts others in their
//! place, which try every order of threads.

pub(super) use std::sync::{Arc, Mutex};
