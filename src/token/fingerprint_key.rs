//! The installation's own key of fingerprints, from the secret store.

use super::SecretFault;
use super::static_key::field;
use crate::base::{FingerprintKey, Secret};
use crate::secrets::SecretSource;

/// The key of the secret that holds it.
const KEY: &str = "key";

/// In bytes; with a shorter one a weak secret could be guessed from its fingerprint after all.
const SHORTEST: usize = 16;

/// Reads the key from the secret `name`.
///
/// # Errors
/// [`SecretFault`] says what to mend.
pub fn read_fingerprint_key(source: &dyn SecretSource, name: &str) -> Result<FingerprintKey, SecretFault> {
    let key =
        field(source, name, KEY)?.ok_or_else(|| SecretFault::NoKey { name: name.to_owned(), keys: KEY })?;
    if key.expose().len() < SHORTEST {
        return Err(SecretFault::TooShort { name: name.to_owned(), key: KEY, least: SHORTEST });
    }
    Ok(FingerprintKey::new(&Secret::new(key.expose().as_bytes().to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::ReadError;

    struct Store(Option<&'static str>);

    impl SecretSource for Store {
        fn read(&self, _: &str, key: &str) -> Result<Option<Secret<String>>, ReadError> {
            Ok(self.0.filter(|_| key == "key").map(|value| Secret::new(value.to_owned())))
        }
    }

    #[test]
    fn a_key_of_the_installation_names_a_credential_alike_everywhere() {
        let read = |key| read_fingerprint_key(&Store(key), "audit");
        let (one, other) = (read(Some("0123456789abcdef")).unwrap(), read(Some("0123456789abcdef")).unwrap());
        assert_eq!(one.of(b"sk-1"), other.of(b"sk-1"));
        assert_ne!(one.of(b"sk-1"), read(Some("0123456789abcdeg")).unwrap().of(b"sk-1"));
    }

    #[test]
    fn a_key_that_could_be_guessed_is_none() {
        let read = |key| read_fingerprint_key(&Store(key), "audit");
        let error = read(Some("hunter2")).unwrap_err();
        assert!(
            matches!(error, SecretFault::TooShort { .. })
                && !format!("{error} {error:?}").contains("hunter2")
        );
        assert!(matches!(read(Some("")), Err(SecretFault::TooShort { .. })));
        assert!(matches!(read(None), Err(SecretFault::NoKey { .. })));
    }
}
