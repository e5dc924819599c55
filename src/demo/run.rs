//! The demo as a whole: everything up in order, the steps, then up until Ctrl-C; whatever happens, nothing is left behind.

use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::signal::unix::{SignalKind, signal};

use super::answer::Vendor;
use super::child::Child;
use super::error::Error;
use super::issuer::Issuer;
use super::llm::Llm;
use super::screen::Screen;
use super::steps::{self, Stage, Verdict};
use super::workdir::{Numbers, Ports, WorkDir};
use super::{Args, by_hand, envoy, server};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts everything, shows and verifies the steps, and stays up until Ctrl-C (with `--check`: ends).
///
/// Needs a tokio runtime with IO, time and signals. Exit code 0 when every step held, else 1, with the reason on stderr.
pub async fn run(args: Args) -> ExitCode {
    let screen = Screen::new();
    match whole(&args, &screen).await {
        Ok(Verdict::Held) => ExitCode::SUCCESS,
        Ok(Verdict::Missed) => ExitCode::FAILURE,
        Err(error) => {
            screen.error(error);
            ExitCode::FAILURE
        }
    }
}

async fn whole(args: &Args, screen: &Screen) -> Result<Verdict, Error> {
    let mut told_to_stop = pin!(told_to_stop());
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().map_err(Error::Client)?;

    let ports = Ports::choose()?;
    let numbers = ports.numbers()?;
    let dir = WorkDir::prepare(&args.dir, numbers)?;
    let Ports { envoy: envoy_port, envoy_admin, issuer, provider, grpc, admin } = ports;

    let llm = Arc::new(Llm::default());
    let keys = [llm.new_key(Vendor::OpenAi)?, llm.new_key(Vendor::Anthropic)?];
    for (vendor, key) in [Vendor::OpenAi, Vendor::Anthropic].into_iter().zip(&keys) {
        dir.put_key(vendor.name(), key)?;
    }
    serve(provider, Arc::clone(&llm).router())?;
    serve(issuer, Issuer::new(format!("http://127.0.0.1:{}", numbers.issuer))?.router())?;

    // Until now these were held so that nobody else took them.
    drop((grpc, admin));
    let mut bouncer = tokio::select! {
        started = server::start(&dir, numbers, &client) => started?,
        () = told_to_stop.as_mut() => return Ok(Verdict::Missed),
    };
    drop((envoy_port, envoy_admin));
    let mut envoy = tokio::select! {
        started = envoy::start(args.envoy.as_deref(), &dir, numbers, &client) => started?,
        error = bouncer.ended() => return Err(error),
        () = told_to_stop.as_mut() => return Ok(Verdict::Missed),
    };

    introduce(screen, numbers, &dir);
    let stage = Stage { screen, client: &client, numbers, dir: &dir, llm: &llm, keys };
    let outcome = tokio::select! {
        verdict = steps::run(&stage) => verdict.map(Some),
        error = first_end(&mut bouncer, &mut envoy) => Err(error),
        () = told_to_stop.as_mut() => Ok(None),
    };
    let outcome = match outcome {
        Ok(Some(verdict)) if !args.check => {
            stay(screen, numbers, &mut bouncer, &mut envoy, told_to_stop).await.map(|()| verdict)
        }
        Ok(Some(verdict)) => {
            screen.title(match verdict {
                Verdict::Held => "Every step held.",
                Verdict::Missed => "Not every step held.",
            });
            Ok(verdict)
        }
        Ok(None) => Ok(Verdict::Missed),
        Err(error) => Err(error),
    };
    envoy.stop().await;
    bouncer.stop().await;
    outcome
}

/// Stays up until somebody says stop.
async fn stay(
    screen: &Screen,
    numbers: Numbers,
    bouncer: &mut Child,
    envoy: &mut Child,
    told_to_stop: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), Error> {
    screen.title("With SDKs, unmodified: the caller's token where the API key would be");
    for vendor in [Vendor::OpenAi, Vendor::Anthropic] {
        screen.command(by_hand::sdk_command(numbers, vendor));
    }
    screen.title("All is up. Ctrl-C stops it.");
    tokio::select! {
        error = first_end(bouncer, envoy) => Err(error),
        () = told_to_stop => Ok(()),
    }
}

fn introduce(screen: &Screen, numbers: Numbers, dir: &WorkDir) {
    let Numbers { envoy, envoy_admin, issuer, provider, grpc, admin } = numbers;
    screen.line(format_args!(
        "caller -> Envoy http://127.0.0.1:{envoy} -> LLM provider http://127.0.0.1:{provider}\n\
         \x20         |  asks\n\
         \x20         bouncer 127.0.0.1:{grpc} (gRPC) -> issuer http://127.0.0.1:{issuer} (keys)\n\n\
         metrics  http://127.0.0.1:{admin}/metrics\n\
         Envoy's  http://127.0.0.1:{envoy_admin}\n\
         files    {}",
        dir.path("").display()
    ));
}

async fn first_end(one: &mut Child, other: &mut Child) -> Error {
    tokio::select! {
        error = one.ended() => error,
        error = other.ended() => error,
    }
}

/// Serves `router` on `listener` for as long as the demo runs.
fn serve(listener: TcpListener, router: Router) -> Result<(), Error> {
    listener.set_nonblocking(true).map_err(Error::Port)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(Error::Port)?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Ctrl-C, a polite kill, or the end of the terminal.
async fn told_to_stop() {
    let next = async |kind| match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        // Without it there are the other two.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = next(SignalKind::interrupt()) => {}
        () = next(SignalKind::terminate()) => {}
        () = next(SignalKind::hangup()) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    async fn up(router: impl FnOnce(String) -> Router) -> (reqwest::Client, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        serve(listener, router(url.clone())).unwrap();
        (reqwest::Client::builder().no_proxy().build().unwrap(), url)
    }

    #[tokio::test]
    async fn discovery_leads_to_the_issuers_keys() {
        let (client, url) = up(|url| Issuer::new(url).unwrap().router()).await;
        let read = async |url: String| -> Value {
            serde_json::from_slice(&client.get(url).send().await.unwrap().bytes().await.unwrap()).unwrap()
        };
        let found = read(format!("{url}/.well-known/openid-configuration")).await;
        assert_eq!(found["issuer"], url);
        let keys = read(found["jwks_uri"].as_str().unwrap().to_owned()).await;
        let key = &keys["keys"][0];
        assert_eq!((&key["kty"], &key["alg"]), (&"EC".into(), &"ES256".into()));
        for coordinate in ["x", "y"] {
            // RFC 7518 section 6.2.1.2: 32 octets, so 43 characters.
            assert_eq!(key[coordinate].as_str().unwrap().len(), 43);
        }
    }

    #[tokio::test]
    async fn a_key_that_is_made_by_hand_is_accepted_beside_the_first() {
        let llm = Arc::new(Llm::default());
        let first = llm.new_key(Vendor::OpenAi).unwrap();
        let (client, url) = up(|_| llm.router()).await;
        let made = client.post(format!("{url}/demo/keys/openai")).send().await.unwrap().text().await.unwrap();
        assert_ne!(made, first);
        for (key, status) in [(first.as_str(), 200), (&made, 200), ("sk-other", 401)] {
            let request =
                client.get(format!("{url}/v1/models")).header("authorization", format!("Bearer {key}"));
            assert_eq!(request.send().await.unwrap().status(), status);
        }
        assert_eq!(client.post(format!("{url}/demo/keys/other")).send().await.unwrap().status(), 404);
    }
}
