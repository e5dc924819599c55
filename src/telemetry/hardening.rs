//! Memory that holds secrets does not leave the process: no core dumps, no tracing by equals, and panics that tell the
//! place but not the words, which may have been formatted from anything.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use thiserror::Error;

/// What the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HardeningError {
    /// `prctl(PR_SET_DUMPABLE, 0)`.
    #[error("the process cannot be marked as not dumpable")]
    Dumpable,
    /// `setrlimit(RLIMIT_CORE, 0)`.
    #[error("the size of core dumps cannot be set to 0")]
    CoreLimit,
}

/// Marks the process as not dumpable (which also keeps others of the same user from reading `/proc/<pid>/mem`) and
/// sets the largest core dump to nothing, for good. Tries both.
///
/// # Errors
/// [`HardeningError`]: worth a line in the log; the process can serve.
pub fn harden() -> Result<(), HardeningError> {
    let limit = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|_| HardeningError::Dumpable)?;
    limit.map_err(|_| HardeningError::CoreLimit)
}

/// From now on a panic adds one to `count` and is logged by its place alone.
pub fn install_panic_hook(count: Arc<AtomicU64>) {
    std::panic::set_hook(Box::new(move |info| on_panic(&count, info)));
}

fn on_panic(count: &AtomicU64, info: &PanicHookInfo<'_>) {
    count.fetch_add(1, Ordering::Relaxed);
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    if tracing::dispatcher::has_been_set() {
        tracing::error!(place, "panicked");
    } else {
        let _ = std::io::stderr().write_all(format!("panicked at {place}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::Mutex;
    use std::thread;

    use rustix::process::{dumpable_behavior, getrlimit};
    use tracing::subscriber::with_default;

    use super::*;
    use crate::telemetry::{LogFormat, lines};

    #[test]
    fn nothing_is_dumped() {
        harden().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        harden().unwrap();
    }

    #[test]
    fn a_panic_is_counted_and_logged_by_its_place_only() {
        let count = Arc::new(AtomicU64::new(0));
        let captured = Arc::new(Mutex::new(Vec::new()));
        // The hook is the whole process's: panics of other tests go on to the hook that was there.
        let (previous, mine, counted) = (take_hook(), thread::current().id(), Arc::clone(&count));
        set_hook(Box::new(move |info| {
            if thread::current().id() == mine { on_panic(&counted, info) } else { previous(info) }
        }));
        struct To(Arc<Mutex<Vec<u8>>>);
        impl Write for To {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let writer = Arc::clone(&captured);
        with_default(lines(LogFormat::Json, Some("error"), move || To(Arc::clone(&writer))), || {
            assert!(catch_unwind(|| panic!("token {}", "hunter2")).is_err());
            assert!(catch_unwind(|| assert_eq!("hunter2", "hunter3")).is_err());
        });
        let text = String::from_utf8(captured.lock().unwrap().clone()).unwrap();
        assert_eq!((count.load(Ordering::Relaxed), text.lines().count()), (2, 2));
        assert!(text.contains("src/telemetry/hardening.rs:") && !text.contains("hunter"), "{text}");
    }
}
