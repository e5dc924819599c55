//! A small token endpoint that counts: who asked, how many at once. It answers when the case lets it.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::json;

use super::{http, local, provider};

/// A running endpoint. It ends with the value.
pub(crate) struct TokenEndpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Default)]
struct State {
    /// Nobody is answered.
    held: bool,
    over: bool,
    waiting: usize,
    most: usize,
    /// How often each client asked, by its HTTP basic credentials.
    asked: BTreeMap<String, usize>,
}

impl TokenEndpoint {
    /// One that answers.
    pub(crate) fn start() -> Self {
        let endpoint = Self::start_held();
        endpoint.let_go();
        endpoint
    }

    /// One that answers nobody until [`TokenEndpoint::let_go`].
    pub(crate) fn start_held() -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.state.lock().unwrap().held = true;
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.state.lock().unwrap().over {
                    return;
                }
                let shared = Arc::clone(&serving);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// `token_endpoint`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// Answers everybody from now on.
    pub(crate) fn let_go(&self) {
        self.shared.state.lock().unwrap().held = false;
        self.shared.turned.notify_all();
    }

    /// Exchanges that wait for their answer at this moment.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.state.lock().unwrap().waiting
    }

    /// The most that ever were there at once.
    pub(crate) fn most(&self) -> usize {
        self.shared.state.lock().unwrap().most
    }

    /// All exchanges so far.
    pub(crate) fn exchanges(&self) -> usize {
        self.shared.state.lock().unwrap().asked.values().sum()
    }

    /// What came in `authorization`, each spelling once.
    pub(crate) fn clients(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().asked.keys().cloned().collect()
    }
}

impl Drop for TokenEndpoint {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().over = true;
        self.shared.turned.notify_all();
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: &TcpStream, shared: &Shared) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (_, headers) = http::head(&mut reader).ok()?;
        http::body(&mut reader, &headers).ok()?;
        let client = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let client = client.map(|(_, value)| value.clone()).unwrap_or_default();
        let mut state = shared.state.lock().unwrap();
        *state.asked.entry(client).or_default() += 1;
        state.waiting += 1;
        state.most = state.most.max(state.waiting);
        state = shared.turned.wait_while(state, |state| state.held && !state.over).unwrap();
        state.waiting -= 1;
        drop(state);
        let token = format!("token-{}", provider::random());
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).to_string();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 .\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .ok()?;
    }
}
