//! The configuration: text to tree to valid types, every fault with its place.

mod settings;

pub use settings::{
    AdminSettings, Config, CredentialSettings, FileStore, Limits, Listen, ListenAddress, OnNoProvider, ProviderEntry,
    ServerTls,
};
