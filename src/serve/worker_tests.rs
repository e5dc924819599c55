//! What becomes of a peer that says nothing, or reads nothing.

use std::io::Write as _;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout};

use super::super::drain::drain;
use super::*;
use crate::config::Feedback;
use crate::envoy::testing::Bench;

#[tokio::test]
async fn a_tcp_peer_that_is_gone_or_reads_nothing_is_the_kernels_to_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    keep_alive(&socket).unwrap();
    assert!(sockopt::socket_keepalive(&socket).unwrap());
    let (idle, interval) =
        (sockopt::tcp_keepidle(&socket).unwrap(), sockopt::tcp_keepintvl(&socket).unwrap());
    assert_eq!(idle + interval * sockopt::tcp_keepcnt(&socket).unwrap(), UNREAD);
    assert_eq!(u128::from(sockopt::tcp_user_timeout(&socket).unwrap()), UNREAD.as_millis());
}

#[tokio::test(start_paused = true)]
async fn a_unix_peer_that_reads_nothing_is_left_after_as_long() {
    /// Each wants an answer.
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let limits = Limits::default();
    let bench = Bench::new(limits.clone(), Feedback::Off);
    let (services, _health) = Services::new(Arc::clone(&bench.current)).await.unwrap();
    let (mut peer, socket) = std::os::unix::net::UnixStream::pair().unwrap();
    for socket in [&peer, &socket] {
        socket.set_nonblocking(true).unwrap();
    }
    sockopt::set_socket_send_buffer_size(&socket, 4 << 10).unwrap();
    peer.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SETTINGS, &PING.repeat(4_096)].concat()).unwrap();
    let (_drained, drain) = drain();
    let began = Instant::now();
    let served = LocalSet::new()
        .run_until(timeout(2 * UNREAD, unix(socket, Rc::new(services.local()), &limits, drain)))
        .await
        .expect("it is waited for");
    let error = served.unwrap_err();
    assert!(format!("{error:?}").contains("the peer reads nothing"), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), UNREAD.as_secs());
}
