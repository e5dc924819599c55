//! A child process: its output is kept, and it is killed by its id when the case is over.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::PATIENCE;

/// A running child.
pub(crate) struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// Pipes that are still open.
    open: usize,
}

impl Process {
    /// Starts it with its own stdin, which stays open as long as the child is wanted.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let output = Arc::new(Output::default());
        output.state.lock().unwrap().open = 2;
        read(child.stdout.take().unwrap(), Arc::clone(&output));
        read(child.stderr.take().unwrap(), Arc::clone(&output));
        Self { name: name.to_owned(), child, output }
    }

    /// Waits for a line of stdout or stderr of which `find` makes something.
    pub(crate) fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        self.wait_for_at_most(PATIENCE, what, find)
    }

    /// The same, where that takes its time.
    pub(crate) fn wait_for_at_most<T>(
        &self,
        patience: Duration,
        what: &str,
        find: impl Fn(&str) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + patience;
        let mut read = 0;
        let mut state = self.output.state.lock().unwrap();
        loop {
            if let Some(found) = state.lines[read..].iter().find_map(|line| find(line)) {
                return found;
            }
            read = state.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.open == 0 || left.is_zero() {
                let lines = state.lines.join("\n");
                drop(state);
                panic!("{} did not say {what}:\n{lines}", self.name);
            }
            state = self.output.grown.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Everything it printed so far.
    pub(crate) fn text(&self) -> String {
        self.output.state.lock().unwrap().lines.join("\n")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal to this child alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it, and waits until each of its threads stands still: the signal alone takes its time.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let stopped = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap();
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "{} ended", self.name);
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_at_most(PATIENCE * 3)
    }

    /// The same, where that takes its time.
    pub(crate) fn wait_at_most(&mut self, patience: Duration) -> ExitStatus {
        let output = Arc::clone(&self.output);
        let state = output.state.lock().unwrap();
        let (state, timeout) =
            output.grown.wait_timeout_while(state, patience, |state| state.open > 0).unwrap();
        assert!(!timeout.timed_out(), "{} does not end:\n{}", self.name, state.lines.join("\n"));
        drop(state);
        self.child.wait().unwrap()
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        self.kill();
        if thread::panicking() {
            // Envoy's way to readiness is of no interest.
            let state = self.output.state.lock().unwrap();
            let lines = state
                .lines
                .iter()
                .filter(|line| !line.contains("][info][") && !line.contains("work-in-progress"));
            eprintln!("---- {} {ended:?}\n{}", self.name, lines.cloned().collect::<Vec<_>>().join("\n"));
            return;
        }
        // A crash that no assertion noticed is a failure all the same.
        let crashed =
            ended.and_then(|status| status.signal()).is_some_and(|signal| [6, 8, 11].contains(&signal));
        assert!(!crashed, "{} crashed:\n{}", self.name, self.text());
    }
}

fn read(pipe: impl Read + Send + 'static, output: Arc<Output>) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            output.state.lock().unwrap().lines.push(text);
            output.grown.notify_all();
            line.clear();
        }
        output.state.lock().unwrap().open -= 1;
        output.grown.notify_all();
    });
}
