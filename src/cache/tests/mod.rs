//! Every race of an entry under a clock that stands still (THREATS 2.5).

mod demand;
mod failure;
mod rejection;
mod renewal;
