//! TLS of one entry: its own authorities instead of the public ones, and the certificate that it shows.

use std::fs::{self, File};
use std::io::{Read, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder, Identity};
use zeroize::Zeroizing;

use super::error::TlsFile;

/// `tls` of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientTls {
    /// PEM certificates that are trusted instead of the public ones.
    pub ca: Option<PathBuf>,
    /// PEM chain and key that we show.
    pub identity: Option<ClientIdentity>,
}

/// Files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientIdentity {
    /// PEM chain.
    pub certificate: PathBuf,
    /// PEM key.
    pub private_key: PathBuf,
}

/// What tells one version of the files from the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<[u64; 6]>>);

/// The files, read.
pub(super) struct Loaded {
    ca: Option<Vec<Certificate>>,
    identity: Option<Identity>,
}

/// No bundle is larger.
const LIMIT: u64 = 1 << 20;

impl ClientTls {
    /// Whether it asks for anything.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.ca.is_none() && self.identity.is_none()
    }

    /// The path of `file`.
    #[must_use]
    pub fn path(&self, file: TlsFile) -> Option<&Path> {
        match (file, &self.identity) {
            (TlsFile::Ca, _) => self.ca.as_deref(),
            (TlsFile::Certificate, Some(identity)) => Some(&identity.certificate),
            (TlsFile::PrivateKey, Some(identity)) => Some(&identity.private_key),
            _ => None,
        }
    }

    /// What the files look like from outside.
    pub(super) fn stamp(&self) -> Stamp {
        let all = [TlsFile::Ca, TlsFile::Certificate, TlsFile::PrivateKey];
        let stat = |path: &Path| {
            let stat = fs::metadata(path).ok()?;
            let times = [stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec()];
            let [a, b, c, d] = times.map(i64::cast_unsigned);
            Some([stat.ino(), stat.len(), a, b, c, d])
        };
        Stamp(all.into_iter().map(|file| self.path(file).and_then(stat)).collect())
    }

    /// Reads the files.
    pub(super) fn load(&self) -> std::result::Result<Loaded, TlsFile> {
        let ca = self.ca.as_deref().map(|path| {
            let pem = read(path).map_err(|_| TlsFile::Ca)?;
            let bundle = Certificate::from_pem_bundle(&pem).map_err(|_| TlsFile::Ca)?;
            // An empty bundle would trust nobody, which looks like a server at fault.
            if bundle.is_empty() { Err(TlsFile::Ca) } else { Ok(bundle) }
        });
        let identity = self.identity.as_ref().map(|files| {
            let mut pem = read(&files.certificate).map_err(|_| TlsFile::Certificate)?;
            if Certificate::from_pem_bundle(&pem).map_or(true, |chain| chain.is_empty()) {
                return Err(TlsFile::Certificate);
            }
            let key = read(&files.private_key).map_err(|_| TlsFile::PrivateKey)?;
            let mut both = Zeroizing::new(Vec::with_capacity(pem.len() + key.len() + 1));
            both.append(&mut pem);
            both.push(b'\n');
            both.extend_from_slice(&key);
            Identity::from_pem(&both).map_err(|_| TlsFile::PrivateKey)
        });
        Ok(Loaded { ca: ca.transpose()?, identity: identity.transpose()? })
    }
}

impl Loaded {
    pub(super) fn apply(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if let Some(ca) = &self.ca {
            builder = builder.tls_certs_only(ca.iter().cloned());
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        builder
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let stat = fs::metadata(path)?;
    // Opening a pipe would wait for its writer.
    if !stat.is_file() || stat.len() > LIMIT {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let capacity = usize::try_from(stat.len()).unwrap_or_default() + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(capacity));
    File::open(path)?.take(LIMIT).read_to_end(&mut content)?;
    Ok(content)
}
