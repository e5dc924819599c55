//! `/readyz` and `/metrics` of a server, as a probe asks for them.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Failure;

/// Status and body of a page.
///
/// # Errors
/// When nobody answers in HTTP.
pub(crate) async fn page(address: SocketAddr, path: &str) -> Result<(u16, String), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("not HTTP")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("not HTTP")?;
    Ok((status, body.to_owned()))
}

/// The sum of the metric's values whose labels hold `label`.
///
/// # Errors
/// When the page cannot be had.
pub(crate) async fn metric(address: SocketAddr, name: &str, label: &str) -> Result<f64, Failure> {
    let (_, text) = page(address, "/metrics").await?;
    let lines = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        // A longer name is another metric.
        (labels.is_empty() || labels.starts_with('{')).then_some(())?;
        labels.contains(label).then(|| value.parse::<f64>().ok())?
    });
    Ok(lines.sum())
}
