//! Binds the addresses of `listen.grpc`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};

use crate::config::ListenAddress;

/// Where the server can be reached: the port is the real one where the configuration says 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// Unix socket.
    Unix(PathBuf),
}

/// A bound listener.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(TcpListener),
    /// Unix socket; its file is removed on drop.
    Unix(UnixListener, SocketFile),
}

/// A socket's file.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

/// Why an address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    address: String,
    source: io::Error,
}

/// Binds one address.
///
/// # Errors
/// [`ListenError`]: the port is taken, the folder is not there, or the path is something else than a socket.
pub async fn bind(address: &ListenAddress) -> Result<(Bound, Address), ListenError> {
    match address {
        ListenAddress::Tcp(socket) => {
            let failed = |source| ListenError { address: socket.to_string(), source };
            let listener = TcpListener::bind(socket).await.map_err(failed)?;
            let real = listener.local_addr().map_err(failed)?;
            Ok((Bound::Tcp(listener), Address::Tcp(real)))
        }
        ListenAddress::Unix(path) => {
            let listener = bind_unix(path)
                .map_err(|source| ListenError { address: format!("unix:{}", path.display()), source })?;
            Ok((Bound::Unix(listener, SocketFile(path.clone())), Address::Unix(path.clone())))
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    // A socket file of a server that was killed would keep us from starting; one that answers belongs to a live server.
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the path is there and is no socket"));
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server answers there")),
            Err(_) => std::fs::remove_file(path)?,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    // Whoever can connect can ask for credentials: owner and group, nobody else.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "the socket's file was gone already");
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
