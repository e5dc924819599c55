//! The folder of one run: the files of `deploy/demo/` with the ports that are free here, the secrets, the logs.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::Error;

const BOUNCER: &str = include_str!("../../deploy/demo/bouncer.yaml");
const ENVOY: &str = include_str!("../../deploy/demo/envoy.yaml");
const OPENAI: &str = include_str!("../../deploy/demo/providers.d/openai.yaml");
const ANTHROPIC: &str = include_str!("../../deploy/demo/providers.d/anthropic.yaml");
/// Says that the folder is the demo's, and is locked while one runs.
const MARK: &str = ".bouncer-demo";
const SECRETS_OF_CHECKOUT: &str = "../../target/demo/secrets";

/// The folder, locked against a second demo for as long as this lives.
pub(super) struct WorkDir {
    root: PathBuf,
    _lock: File,
}

/// A listener on 127.0.0.1 for each party: the port of `deploy/demo/` where it is free, else any. Held from the moment of
/// the choice, so that two parties never get the same one.
pub(super) struct Ports {
    pub(super) envoy: TcpListener,
    pub(super) envoy_admin: TcpListener,
    pub(super) issuer: TcpListener,
    pub(super) provider: TcpListener,
    pub(super) grpc: TcpListener,
    pub(super) admin: TcpListener,
}

/// The numbers of [`Ports`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) envoy: u16,
    pub(super) envoy_admin: u16,
    pub(super) issuer: u16,
    pub(super) provider: u16,
    pub(super) grpc: u16,
    pub(super) admin: u16,
}

/// As `deploy/demo/` says them: easy to remember, and copied commands keep working.
const USUAL: Numbers = Numbers {
    envoy: 10_000,
    envoy_admin: 9_901,
    issuer: 10_001,
    provider: 10_002,
    grpc: 9_002,
    admin: 9_998,
};

impl Ports {
    /// Chooses and holds all.
    ///
    /// # Errors
    /// [`Error::Port`] when the machine has none left.
    pub(super) fn choose() -> Result<Self, Error> {
        let free = |usual| {
            let any = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
            TcpListener::bind((Ipv4Addr::LOCALHOST, usual)).or_else(any).map_err(Error::Port)
        };
        Ok(Self {
            envoy: free(USUAL.envoy)?,
            envoy_admin: free(USUAL.envoy_admin)?,
            issuer: free(USUAL.issuer)?,
            provider: free(USUAL.provider)?,
            grpc: free(USUAL.grpc)?,
            admin: free(USUAL.admin)?,
        })
    }

    pub(super) fn numbers(&self) -> Result<Numbers, Error> {
        let number = |listener: &TcpListener| Ok(listener.local_addr().map_err(Error::Port)?.port());
        Ok(Numbers {
            envoy: number(&self.envoy)?,
            envoy_admin: number(&self.envoy_admin)?,
            issuer: number(&self.issuer)?,
            provider: number(&self.provider)?,
            grpc: number(&self.grpc)?,
            admin: number(&self.admin)?,
        })
    }
}

impl Numbers {
    fn pairs(self) -> [(u16, u16); 6] {
        [
            (USUAL.envoy, self.envoy),
            (USUAL.envoy_admin, self.envoy_admin),
            (USUAL.issuer, self.issuer),
            (USUAL.provider, self.provider),
            (USUAL.grpc, self.grpc),
            (USUAL.admin, self.admin),
        ]
    }

    /// `text` of `deploy/demo/` with these ports.
    fn put_into(self, text: &str) -> String {
        self.pairs().into_iter().filter(|(usual, own)| usual != own).fold(
            text.to_owned(),
            |text, (usual, own)| {
                text.replace(&format!("127.0.0.1:{usual}"), &format!("127.0.0.1:{own}"))
                    .replace(&format!("port_value: {usual}}}"), &format!("port_value: {own}}}"))
            },
        )
    }
}

impl WorkDir {
    /// Takes `root`, which is new, empty or an earlier demo's, and writes the configuration into it.
    ///
    /// # Errors
    /// [`Error::ForeignFolder`], [`Error::FolderInUse`], [`Error::File`].
    pub(super) fn prepare(root: &Path, numbers: Numbers) -> Result<Self, Error> {
        folder(root)?;
        let mark = root.join(MARK);
        let mut entries = fs::read_dir(root).map_err(at(root))?;
        if entries.next().is_some() && !mark.exists() {
            return Err(Error::ForeignFolder(root.to_owned()));
        }
        let lock = File::create(&mark).map_err(at(&mark))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::FolderInUse(root.to_owned())),
            Err(TryLockError::Error(source)) => return Err(Error::File { path: mark, source }),
        }
        let dir = Self { root: root.to_owned(), _lock: lock };
        folder(&dir.path("providers.d"))?;
        dir.write("bouncer.yaml", &numbers.put_into(BOUNCER).replace(SECRETS_OF_CHECKOUT, "secrets"))?;
        dir.write("envoy.yaml", &numbers.put_into(ENVOY))?;
        dir.write("providers.d/openai.yaml", OPENAI)?;
        dir.write("providers.d/anthropic.yaml", ANTHROPIC)?;
        Ok(dir)
    }

    /// The place of a file of this folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The place of the API key of `name`, where `bouncer.yaml` looks for it.
    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.path("secrets").join(name).join("api_key")
    }

    /// Puts the API key of `name` into the secret store in one move: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn put_key(&self, name: &str, key: &str) -> Result<(), Error> {
        folder(&self.path("secrets").join(name))?;
        self.write(&format!("secrets/{name}/api_key"), key)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let (path, next) = (self.path(name), self.path("next"));
        let written = || -> io::Result<()> {
            let _ = fs::remove_file(&next);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&next, &path)
        };
        written().map_err(at(&path))
    }
}

fn folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const OTHERS: Numbers = Numbers {
        envoy: 40_000,
        envoy_admin: 40_001,
        issuer: 40_002,
        provider: 40_003,
        grpc: 40_004,
        admin: 40_005,
    };

    #[test]
    fn taken_ports_leave_no_usual_one_in_the_files() {
        let both = OTHERS.put_into(BOUNCER) + &OTHERS.put_into(ENVOY);
        for (usual, own) in OTHERS.pairs() {
            assert!(both.contains(&format!("{own}")), "{own}");
            for form in [format!("127.0.0.1:{usual}"), format!("port_value: {usual}")] {
                assert!(!both.contains(&form), "{form}");
            }
        }
        assert_eq!(USUAL.put_into(ENVOY), ENVOY);
    }

    #[test]
    fn two_choices_share_no_port() {
        let (one, two) = (Ports::choose().unwrap(), Ports::choose().unwrap());
        let mut all: Vec<u16> =
            [one, two].iter().flat_map(|p| p.numbers().unwrap().pairs()).map(|(_, own)| own).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 12);
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("bouncer.yaml"), "mine").unwrap();
        assert!(matches!(WorkDir::prepare(dir.path(), USUAL), Err(Error::ForeignFolder(_))));
        assert_eq!(fs::read_to_string(dir.path().join("bouncer.yaml")).unwrap(), "mine");
    }

    #[test]
    fn one_demo_a_folder_and_the_next_one_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = WorkDir::prepare(dir.path(), USUAL).unwrap();
        assert!(matches!(WorkDir::prepare(dir.path(), USUAL), Err(Error::FolderInUse(_))));
        drop(first);
        assert!(WorkDir::prepare(dir.path(), OTHERS).is_ok());
    }

    #[test]
    fn keys_are_for_the_owner_alone_and_lie_where_the_configuration_looks() {
        let dir = tempfile::tempdir().unwrap();
        let work = WorkDir::prepare(dir.path(), USUAL).unwrap();
        work.put_key("openai", "one").unwrap();
        work.put_key("openai", "two").unwrap();
        let key = dir.path().join("secrets/openai/api_key");
        assert_eq!(fs::read_to_string(&key).unwrap(), "two");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o077, 0);
        assert!(fs::read_to_string(work.path("bouncer.yaml")).unwrap().contains("file: {root: secrets}"));
    }

    #[test]
    fn what_the_demo_serves_is_free_of_faults_and_warnings() {
        let dir = tempfile::tempdir().unwrap();
        let work = WorkDir::prepare(dir.path(), OTHERS).unwrap();
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/bouncer.yaml");
        for file in [work.path("bouncer.yaml"), checkout] {
            let config = crate::config::load(&file).unwrap();
            assert_eq!(config.warnings, []);
            assert_eq!(config.providers.len(), 2);
        }
    }
}
