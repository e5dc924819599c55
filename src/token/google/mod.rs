//! Google Cloud: a service account's key, workload identity federation, the machine's metadata server.

mod aws_request;
mod document;
mod external_account;
mod hosts;
mod service_account;
mod subject_source;
#[cfg(test)]
mod testing;

use super::KeyFault;
