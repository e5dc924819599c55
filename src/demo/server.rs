//! `bouncer serve` as a child of the demo: the same program, started the same way as by hand.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::sync::watch;

use super::child::Child;
use super::error::Error;
use super::workdir::{Numbers, WorkDir};

/// Between two looks at something that is about to be ready.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Which of the server's two services listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Listening {
    grpc: Heard,
    admin: Heard,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Heard {
    #[default]
    NotYet,
    Yes,
}

/// Starts the server with the folder's `bouncer.yaml` and waits until it is ready: both services listen, and the issuer's
/// keys and the secrets are there.
///
/// # Errors
/// Those of [`Child`].
pub(super) async fn start(dir: &WorkDir, numbers: Numbers, client: &reqwest::Client) -> Result<Child, Error> {
    let name = "bouncer serve";
    let program = std::env::current_exe().map_err(|source| Error::Spawn { name, source })?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(dir.path("bouncer.yaml")).args(["--log-format", "json"]);
    // The lines that are waited for are of this level.
    command.env("RUST_LOG", "info");
    let (says, mut hears) = watch::channel(Listening::default());
    let on_line = move |line: &str| {
        says.send_if_modified(|listening| listening.hear(line));
    };
    let mut child = Child::start(name, command, &dir.path("bouncer.log"), on_line).await?;
    let all = Listening { grpc: Heard::Yes, admin: Heard::Yes };
    let listening = async {
        if hears.wait_for(|listening| *listening == all).await.is_err() {
            // It closed stderr: its end is told by the one who waits for it.
            std::future::pending::<()>().await;
        }
    };
    child.until(listening).await?;
    child.until(answers_200(client, format!("http://127.0.0.1:{}/readyz", numbers.admin))).await?;
    Ok(child)
}

/// Ends when a GET of `url` is answered with 200.
pub(super) async fn answers_200(client: &reqwest::Client, url: String) {
    loop {
        if client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

impl Listening {
    /// Reads one line of the log; true when it told something new.
    fn hear(&mut self, line: &str) -> bool {
        let before = *self;
        let Ok(line) = serde_json::from_str::<Value>(line) else { return false };
        let fields = line.get("fields").unwrap_or(&line);
        if fields.get("message").and_then(Value::as_str) == Some("listening") {
            match fields.get("service").and_then(Value::as_str) {
                Some("grpc") => self.grpc = Heard::Yes,
                Some("admin") => self.admin = Heard::Yes,
                _ => {}
            }
        }
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_services_are_heard_in_either_form_of_the_line() {
        let mut listening = Listening::default();
        assert!(!listening.hear("text"));
        assert!(!listening.hear(r#"{"message":"draining","service":"grpc"}"#));
        assert!(
            listening
                .hear(r#"{"level":"INFO","message":"listening","service":"grpc","address":"127.0.0.1:1"}"#)
        );
        assert!(!listening.hear(r#"{"message":"listening","service":"grpc","address":"unix:/x"}"#));
        assert_eq!(listening.admin, Heard::NotYet);
        assert!(
            listening.hear(r#"{"fields":{"message":"listening","service":"admin","address":"127.0.0.1:2"}}"#)
        );
        assert_eq!(listening, Listening { grpc: Heard::Yes, admin: Heard::Yes });
    }
}
