//! A program that the demo started: its log, its last words, its end. It is always ended by its own process id.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::Error;

/// How many lines are shown of a program that ended too early.
const LAST_LINES: usize = 15;
/// How long a program may take to be ready on a busy machine.
const READY: Duration = Duration::from_secs(30);
/// How long a program may take to end when it is asked to.
const STOP: Duration = Duration::from_secs(5);

/// One running program. Dropped, it is killed.
pub(super) struct Child {
    name: &'static str,
    process: tokio::process::Child,
    last: Arc<Mutex<VecDeque<String>>>,
    reader: JoinHandle<()>,
}

impl Child {
    /// Starts `command`; what it says on stderr goes to the file `log`, and line by line to `on_line`.
    ///
    /// # Errors
    /// [`Error::Spawn`], [`Error::File`].
    pub(super) async fn start(
        name: &'static str,
        mut command: Command,
        log: &Path,
        on_line: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, Error> {
        let file = |source| Error::File { path: log.to_owned(), source };
        let log = tokio::fs::File::create(log).await.map_err(file)?;
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // Its own group: Ctrl-C reaches the demo alone, which then ends its programs in order.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Spawn { name, source })?;
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = process.stderr.take();
        let reader = tokio::spawn(copy(stderr, log, Arc::clone(&last), on_line));
        Ok(Self { name, process, last, reader })
    }

    /// Waits for `ready`, as long as the program lives.
    ///
    /// # Errors
    /// [`Error::Died`], [`Error::NotReady`].
    pub(super) async fn until<T>(&mut self, ready: impl Future<Output = T>) -> Result<T, Error> {
        let status = tokio::select! {
            ready = timeout(READY, ready) => {
                let slow = |_| Error::NotReady { name: self.name, seconds: READY.as_secs(), last: self.last_lines() };
                return ready.map_err(slow);
            }
            status = self.process.wait() => status,
        };
        Err(self.death(status).await)
    }

    /// Ends only when the program does, with the reason.
    pub(super) async fn ended(&mut self) -> Error {
        let status = self.process.wait().await;
        self.death(status).await
    }

    /// Asks the program to end, and makes it end when it does not.
    pub(super) async fn stop(mut self) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself in this moment; then there is nothing to stop.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if timeout(STOP, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }

    async fn death(&mut self, status: std::io::Result<ExitStatus>) -> Error {
        let status = match status {
            Ok(status) => status,
            Err(source) => return Error::Spawn { name: self.name, source },
        };
        // The last lines may still be in the pipe.
        let _ = timeout(Duration::from_secs(1), &mut self.reader).await;
        Error::Died { name: self.name, status, last: self.last_lines() }
    }

    fn last_lines(&self) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_empty() {
            String::from("  (none)")
        } else {
            last.iter().map(|line| format!("  {line}\n")).collect()
        }
    }
}

async fn copy(
    stderr: Option<ChildStderr>,
    mut log: tokio::fs::File,
    last: Arc<Mutex<VecDeque<String>>>,
    mut on_line: impl FnMut(&str),
) {
    let Some(stderr) = stderr else { return };
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        on_line(&line);
        // A full disk must not stop the program: its pipe is emptied all the same.
        let _ = log.write_all(format!("{line}\n").as_bytes()).await;
        let _ = log.flush().await;
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut child = Child::start("sh", shell("echo why >&2; exit 3"), &log, |_| ()).await.unwrap();
        let error = child.until(std::future::pending::<()>()).await.unwrap_err().to_string();
        assert!(error.contains("why") && error.contains("sh ended"), "{error}");
        assert_eq!(std::fs::read_to_string(log).unwrap(), "why\n");
    }

    #[tokio::test]
    async fn a_line_makes_a_program_ready_and_stop_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let (said, hears) = tokio::sync::oneshot::channel();
        let mut said = Some(said);
        let on_line = move |line: &str| {
            if let Some(said) = said.take() {
                let _ = said.send(line.to_owned());
            }
        };
        let command = shell("echo up $$ >&2; exec tail -f /dev/null");
        let mut child = Child::start("sh", command, &dir.path().join("log"), on_line).await.unwrap();
        let line = child.until(hears).await.unwrap().unwrap();
        let id: i32 = line.trim_start_matches("up ").parse().unwrap();
        child.stop().await;
        let id = rustix::process::Pid::from_raw(id).unwrap();
        assert!(rustix::process::test_kill_process(id).is_err());
    }
}
