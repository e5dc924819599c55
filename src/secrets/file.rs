//! `root/<name>/<key>`: the layout of a mounted Kubernetes Secret, swapped through `..data`.

use std::path::PathBuf;

use super::{ReadError, SecretSource};
use crate::base::Secret;

/// A directory of secrets.
#[derive(Debug)]
pub struct FileSecrets {
    root: PathBuf,
}

impl FileSecrets {
    /// The secrets below `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }
}

impl SecretSource for FileSecrets {
    fn read(&self, _name: &str, _key: &str) -> Result<Option<Secret<String>>, ReadError> {
        todo!("{}", self.root.display())
    }
}
