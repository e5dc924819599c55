//! Connections: so many in all, so many of one peer, and whoever comes beyond is not kept waiting.

use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use prost::Message as _;
use serde_json::json;
use tonic::Code;

use super::told;
use crate::support::grpc::{Question, process};
use crate::support::{CHECK, Direct, Raw};

/// Sooner than the server gives up on one that says nothing.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Three peers of one machine: two addresses and the socket.
const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_peer_never_has_every_place() {
    let direct =
        Direct::with(|config| config["limits"] = json!({"max_connections": 6, "max_peer_connections": 3}));
    let message = Question::chat(&direct.token()).check().encode_to_vec();
    let mut greedy = vec![];
    for _ in 0..3 {
        greedy.push(served(Raw::connect(direct.grpc).await, &message).await);
    }
    let began = Instant::now();
    for _ in 0..500 {
        closed(TcpStream::connect(direct.grpc).unwrap());
    }
    let mut neighbours = vec![];
    for _ in 0..2 {
        neighbours.push(served(Raw::connect_from(NEIGHBOUR, direct.grpc).await, &message).await);
    }
    neighbours.push(served(Raw::connect_unix(&direct.socket).await, &message).await);
    // Now all are taken, whoever comes.
    closed(UnixStream::connect(&direct.socket).unwrap());
    let took = began.elapsed().as_secs();
    let refused = |limit| direct.metric("bouncer_connections_refused_total", &[limit]);
    assert_eq!(refused("limit=\"max_peer_connections\""), 500.0);
    assert_eq!(refused("limit=\"max_connections\""), 1.0);
    let (lines, _) = told(&direct, "a connection is refused: there are too many");
    assert!((1..=usize::try_from(took).unwrap() + 2).contains(&lines), "{lines} lines in {took} s");
    // Those who are in are served, and a place that is given back is the next one's.
    for connection in greedy.iter_mut().chain(&mut neighbours) {
        ask(connection, &message).await;
    }
    drop(greedy);
    let channel = direct.channel_at_last().await;
    process(&channel, &Question::chat(&direct.token())).await.authorization();
}

/// A connection that has its place.
async fn served(mut connection: Raw, message: &[u8]) -> Raw {
    ask(&mut connection, message).await;
    connection
}

async fn ask(connection: &mut Raw, message: &[u8]) {
    let mut stream = connection.open(CHECK).await.unwrap();
    stream.frame(message);
    stream.close();
    assert_eq!(stream.end().await.unwrap(), Code::Ok);
}

/// The server has closed it, and did not let it wait.
trait Socket: std::io::Read {
    fn patience(&self);
}

impl Socket for TcpStream {
    fn patience(&self) {
        self.set_read_timeout(Some(AT_ONCE)).unwrap();
    }
}

impl Socket for UnixStream {
    fn patience(&self) {
        self.set_read_timeout(Some(AT_ONCE)).unwrap();
    }
}

fn closed(mut socket: impl Socket) {
    socket.patience();
    match socket.read(&mut [0; 64]) {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("neither the end nor a reset: {other:?}"),
    }
}
