//! More than the server can bear, from peers, callers and identity providers that mean harm or cannot help it: it says so at
//! once, holds no more than it promised, and the others do not feel it.

mod callers;
mod connections;
mod frames;
mod held;
mod streams;
mod waiting;

use crate::support::{Bouncer, Direct, field};

/// Log lines with this message so far, and what the others were that they stand for.
fn told(bouncer: &Bouncer, message: &str) -> (usize, u64) {
    let text = bouncer.process.text();
    let lines = text.lines().filter(|line| field(line, "message").as_deref() == Some(message));
    lines.fold((0, 0), |(count, held), line| {
        let suppressed = field(line, "suppressed").and_then(|text| text.parse::<u64>().ok());
        (count + 1, held + suppressed.unwrap_or_default())
    })
}

/// That the server holds no more than so many MiB beyond what it held `before`.
#[track_caller]
fn holds_at_most(direct: &Direct, before: u64, mib: u64) {
    let after = direct.resident();
    assert!(after < before + (mib << 10), "{before} KiB before, {after} KiB after");
}
