//! Microsoft Entra: an application's secret, its certificate, a federated token, a managed identity.

mod hints;

pub(super) use hints::hint;
