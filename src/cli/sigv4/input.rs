//! What is read: files and standard input, bounded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most that is read of one of them.
const MOST: u64 = 64 << 20;

/// A file, or standard input where it is `-`.
pub(super) fn text(path: &Path) -> io::Result<String> {
    let bytes = if path.as_os_str() == "-" { bounded(io::stdin().lock()) } else { file(path) }?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// A file.
pub(super) fn file(path: &Path) -> io::Result<Vec<u8>> {
    bounded(File::open(path)?)
}

fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("it is longer than 64 MiB"));
    }
    Ok(bytes)
}
