//! A workload's own token, which somebody else keeps fresh in a file: the kubelet, SPIRE, a cloud's agent.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{MaterialFault, SourceError};
use crate::base::Secret;

/// No token is longer.
const LIMIT: usize = 16 << 10;

/// Who does not replace the file whole leaves it empty for a moment.
const AGAIN: Duration = Duration::from_millis(50);

/// Reads the file, now: it is another one every few minutes. White space at its end is dropped.
///
/// # Errors
/// [`MaterialFault::File`], [`MaterialFault::NotToken`]: both name the path and pass when the file is there again.
pub(super) async fn read(path: &Path) -> Result<Secret<String>, MaterialFault> {
    read_within(path, LIMIT).await
}

/// The same of at most `limit` bytes.
pub(super) async fn read_within(path: &Path, limit: usize) -> Result<Secret<String>, MaterialFault> {
    match once(path, limit).await {
        Ok(token) => Ok(token),
        // Gone, empty or cut off in the middle of a character: it is being written, or `..data` is being swapped.
        Err(MaterialFault::File { kind: ErrorKind::NotFound, .. } | MaterialFault::NotToken { .. }) => {
            tokio::time::sleep(AGAIN).await;
            once(path, limit).await
        }
        Err(fault) => Err(fault),
    }
}

/// Reads several, in their order.
pub(super) async fn read_all(files: &[&Path]) -> Result<Vec<Secret<String>>, SourceError> {
    let mut tokens = Vec::with_capacity(files.len());
    for file in files {
        let token = read(file).await;
        tokens.push(token.map_err(|fault| SourceError::new("token file", None, fault))?);
    }
    Ok(tokens)
}

async fn once(path: &Path, limit: usize) -> Result<Secret<String>, MaterialFault> {
    let own = path.to_owned();
    let found = tokio::task::spawn_blocking(move || content(&own, limit)).await;
    let found = found.unwrap_or_else(|_| Err(ErrorKind::Other.into()));
    let shown = || path.display().to_string();
    let content = found.map_err(|error| MaterialFault::File { path: shown(), kind: error.kind() })?;
    let text = content.as_deref().and_then(|content| str::from_utf8(content).ok()).map(str::trim_ascii_end);
    match text {
        Some(text) if !text.is_empty() => Ok(Secret::new(text.to_owned())),
        _ => Err(MaterialFault::NotToken { path: shown() }),
    }
}

/// The content; none when it is longer than `limit`.
fn content(path: &Path, limit: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Opening a pipe would wait for its writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(if metadata.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::InvalidInput }.into());
    }
    // One allocation for good: a vector that grows leaves copies of the token behind.
    let mut content = Zeroizing::new(Vec::with_capacity(limit + 64));
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut content)?;
    Ok((content.len() <= limit).then_some(content))
}

#[cfg(test)]
#[path = "token_file_tests.rs"]
mod tests;
