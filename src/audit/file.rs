//! Files and stdout as sinks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::{Appending, AuditSink, SinkError, SinkSettings};

/// A file. It is opened for every write, so that it may be moved away or taken away at any time, as logrotate does.
struct FileSink {
    name: String,
    path: Arc<Path>,
}

/// The process's stdout.
struct StdoutSink {
    /// Whether the last line there has no end.
    torn: Arc<AtomicBool>,
}

/// The sinks of the configuration. Those of one kind are told apart by their number.
pub(super) fn sinks(settings: &[SinkSettings]) -> Vec<Box<dyn AuditSink>> {
    let mut files = 0;
    let sinks = settings.iter().map(|sink| -> Box<dyn AuditSink> {
        match sink {
            SinkSettings::Stdout => Box::new(StdoutSink { torn: Arc::default() }),
            SinkSettings::File(path) => {
                files += 1;
                let name = if files == 1 { "file".to_owned() } else { format!("file_{files}") };
                Box::new(FileSink { name, path: Arc::from(path.as_path()) })
            }
        }
    });
    sinks.collect()
}

impl AuditSink for FileSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn append(&self, lines: Bytes) -> Appending<'_> {
        let path = Arc::clone(&self.path);
        aside(move || append(&path, &lines))
    }
}

impl AuditSink for StdoutSink {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn append(&self, lines: Bytes) -> Appending<'_> {
        let torn = Arc::clone(&self.torn);
        aside(move || {
            // Not through the library's buffer: what failed must not be written later, beside its second attempt.
            let stdout = io::stdout().lock();
            let stdout =
                stdout.as_fd().try_clone_to_owned().map_err(|error| SinkError::Open(error.kind()))?;
            let mut stdout = File::from(stdout);
            let mut text = lines.as_ref();
            if torn.load(Ordering::Relaxed) {
                stdout.write_all(b"\n").map_err(|error| SinkError::Write(error.kind()))?;
            }
            let result = write(&mut stdout, &mut text);
            torn.store(result.is_err() && text.len() < lines.len(), Ordering::Relaxed);
            result
        })
    }
}

/// A disk that hangs must not hold up the runtime that accepts connections.
fn aside(work: impl FnOnce() -> Result<(), SinkError> + Send + 'static) -> Appending<'static> {
    Box::pin(async move { tokio::task::spawn_blocking(work).await.unwrap_or(Err(SinkError::Broken)) })
}

fn append(path: &Path, lines: &[u8]) -> Result<(), SinkError> {
    let open = |error: io::Error| SinkError::Open(error.kind());
    // A pipe would wait for its reader here.
    if let Ok(metadata) = fs::metadata(path)
        && !(metadata.is_file() || metadata.file_type().is_char_device())
    {
        return Err(SinkError::NoFile);
    }
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(open)?;
    let metadata = file.metadata().map_err(open)?;
    let mut before = if metadata.is_file() { metadata.len() } else { 0 };
    let mut rest = lines;
    if before > 0 && !ends_a_line(&mut file).map_err(open)? {
        // Whoever wrote last was stopped in the midst of a line.
        file.write_all(b"\n").map_err(|error| SinkError::Write(error.kind()))?;
        before += 1;
    }
    let result = write(&mut file, &mut rest);
    let written = (lines.len() - rest.len()) as u64;
    if result.is_err() && metadata.is_file() {
        take_back(&file, before, written);
    }
    result
}

/// Takes off what a failed write left at the end of the file, so that the next attempt leaves no half a line behind. Where
/// somebody else wrote meanwhile it stays.
fn take_back(file: &File, before: u64, written: u64) {
    let is_ours = file.metadata().is_ok_and(|metadata| metadata.len() == before + written);
    if written > 0 && is_ours {
        // Else the next one finds half a line, and ends it.
        let _mended = file.set_len(before);
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// As `write_all`, but afterwards `rest` is what was not written.
fn write(to: &mut impl Write, rest: &mut &[u8]) -> Result<(), SinkError> {
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(0) => return Err(SinkError::Write(io::ErrorKind::WriteZero)),
            Ok(written) => *rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SinkError::Write(error.kind())),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
