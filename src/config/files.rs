//! Reading files, bounded.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::{At, Faults};
use super::tree::MAX_BYTES;
use crate::base::{Fault, Severity};

/// Most files of `providers_dir`.
const MOST: usize = 10_000;

/// The text of a file. None is told.
pub(super) fn read(file: &Arc<Path>, faults: &Faults) -> Option<String> {
    text(file).map_err(|what| faults.push(whole(file, what))).ok()
}

/// The entries of a folder in the order of their names. None is told.
pub(super) fn entries(folder: &Path, at: &At<'_>) -> Option<Vec<PathBuf>> {
    list(folder, at)
        .map_err(|error| at.fault(format!("the folder cannot be read: {}", reason(&error)), None))
        .ok()
}

pub(super) fn text(file: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| format!("the file cannot be read: {}", reason(&error));
    let mut bytes = Vec::new();
    // One more than allowed, so that the reader of the tree sees that there is more.
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file).map_err(cannot)?.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > MAX_BYTES {
        return Err("the file is larger than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())
}

fn list(folder: &Path, at: &At<'_>) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // `..data` and the like are how Kubernetes swaps a mounted folder; editors leave `.x.swp`.
        if name.starts_with('.') {
            continue;
        }
        if name.ends_with(".yml") {
            at.warning(
                format!("{} is not read", super::words::quoted(name)),
                "names that end in .yaml".to_owned(),
            );
        }
        // A pipe would be waited for.
        if name.ends_with(".yaml") && folder.join(name).metadata().is_ok_and(|meta| !meta.is_file()) {
            at.warning(format!("{} is not a file and is not read", super::words::quoted(name)), None);
        } else if name.ends_with(".yaml") {
            files.push(folder.join(name));
        }
        if files.len() > MOST {
            return Err(io::Error::other("too many files"));
        }
    }
    files.sort();
    Ok(files)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "not permitted".to_owned(),
        _ => super::words::cut(&error.to_string(), 100),
    }
}

fn whole(file: &Path, what: String) -> Fault {
    let name = super::words::cut(&file.display().to_string(), 4_096);
    Fault {
        severity: Severity::Fault,
        place: None,
        path: String::new(),
        what: format!("{name}: {what}"),
        allowed: None,
    }
}
