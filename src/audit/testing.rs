//! A sink in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::Value;

use super::{Appending, Audit, AuditSink, Event, RefreshFailed, SinkError, Subject};
use crate::base::Clock;
use crate::cache::Reason;
use crate::provider::{AuthType, ProviderKind};
use crate::token::Fault;

/// A sink in memory, which can be full, and can hang.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Kept>);

#[derive(Default)]
struct Kept {
    text: Mutex<String>,
    full: AtomicBool,
    hangs: AtomicBool,
}

impl Memory {
    /// The events that were written.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.0.text.lock().unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(super) fn set_full(&self, full: bool) {
        self.0.full.store(full, Ordering::Relaxed);
    }

    pub(super) fn hang(&self) {
        self.0.hangs.store(true, Ordering::Relaxed);
    }
}

impl AuditSink for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn append(&self, lines: Bytes) -> Appending<'_> {
        Box::pin(async move {
            if self.0.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.0.full.load(Ordering::Relaxed) {
                return Err(SinkError::Write(std::io::ErrorKind::StorageFull));
            }
            self.0.text.lock().unwrap().push_str(str::from_utf8(&lines).unwrap());
            Ok(())
        })
    }
}

/// An audit into memory.
pub(crate) fn in_memory(clock: Arc<dyn Clock>) -> (Arc<Audit>, Memory) {
    let memory = Memory::default();
    (Arc::new(Audit::to(vec![Box::new(memory.clone())], clock)), memory)
}

/// Records some event.
pub(crate) fn record(audit: &Audit, attempt: u32) {
    let failed = RefreshFailed {
        reason: Reason::PreExpiry,
        error: "timeout",
        fault: Fault::Remote,
        attempt,
        next_in: None,
        expires_at: None,
    };
    let subject = Subject { provider: "p", kind: ProviderKind::OpenAi, auth: AuthType::OAuth2 };
    audit.record(&Event::RefreshFailed(failed), subject, audit.correlation());
}
