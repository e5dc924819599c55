//! Proxies are those of the environment, which only another process can have.

use super::*;
use crate::outbound::{Http, OutboundError, Reach, Request};

/// What the other process finds in its environment.
const TARGET: &str = "BOUNCER_TEST_TARGET";

/// Runs in a process of its own, with proxies in its environment; alone it has nothing to do.
#[tokio::test]
async fn in_a_process_with_proxies() {
    #[allow(clippy::disallowed_methods, reason = "how the parent says what is to be done")]
    let Ok(target) = std::env::var(TARGET) else { return };
    let http = Http::with_deadline(Duration::from_secs(4)).unwrap();
    let there = Url::parse("https://idp.example/token").unwrap();
    assert_eq!(http.document(&there, 100).await, Err(OutboundError::Connect));
    let here = Url::parse(&target).unwrap();
    assert_eq!(http.document(&here, 100).await.unwrap(), "{}");
    let request = Request {
        method: reqwest::Method::GET,
        url: &here,
        reach: Reach::Metadata,
        headers: Vec::new(),
        body: None,
        limit: 100,
    };
    assert_eq!(http.send(request).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_world_is_behind_the_proxy_of_the_environment_and_loopback_is_not() {
    let target = Server::start().await.at("/", json("{}"));
    let proxy = Server::start().await;
    let own = module_path!().split_once("::").unwrap().1;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", &format!("{own}::in_a_process_with_proxies")])
        .env(TARGET, target.url("/").as_str());
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        child.env(name, &proxy.origin).env(name.to_ascii_lowercase(), &proxy.origin);
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    let asked = proxy.heads();
    assert!(
        !asked.is_empty() && asked.iter().all(|head| head.starts_with("CONNECT idp.example:443 ")),
        "{asked:?}"
    );
    assert_eq!(target.heads().len(), 2);
}
