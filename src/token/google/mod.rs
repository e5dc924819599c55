//! Google Cloud: a service account's key, workload identity federation, the machine's metadata server.

mod document;
mod external_account;
mod hosts;
mod service_account;
mod subject_source;

use super::KeyFault;
