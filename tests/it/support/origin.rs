//! The LLM service behind the provider's Envoy: it writes down every header that arrives and answers as the vendor does.

use std::collections::VecDeque;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::{http, local, unix_now};

/// A running service. It ends with the value.
pub(crate) struct Origin {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    told: Mutex<VecDeque<Told>>,
    released: (Mutex<usize>, Condvar),
    over: AtomicBool,
}

/// An answer that the service is told to give.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// Beside content type and length.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) pace: Pace,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    #[default]
    AtOnce,
    /// Nothing before [`Origin::release`].
    Late,
    /// The head and half of it, then the rest after [`Origin::release`].
    Held,
}

/// One request that got through the provider's own check of its key.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which provider's Envoy let it in.
    pub(crate) llm: String,
    pub(crate) path: String,
    /// Every line, names as they came.
    pub(crate) headers: Vec<(String, String)>,
    /// When it came, in seconds of Unix time.
    pub(crate) at: f64,
}

impl Origin {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// The requests so far, taken away.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }

    /// The last one, which stays.
    pub(crate) fn last_seen(&self) -> Option<Seen> {
        self.shared.seen.lock().unwrap().last().cloned()
    }

    /// The next requests are answered with these statuses, one each.
    pub(crate) fn fail_next(&self, statuses: &[u16]) {
        let body = json!({"error": {"message": "told to fail"}}).to_string();
        for status in statuses {
            self.answer_next(Told { status: *status, body: body.clone(), ..Told::default() });
        }
    }

    /// The next request gets this answer.
    pub(crate) fn answer_next(&self, told: Told) {
        self.shared.told.lock().unwrap().push_back(told);
    }

    /// One answer that is held goes on.
    pub(crate) fn release(&self) {
        *self.shared.released.0.lock().unwrap() += 1;
        self.shared.released.1.notify_all();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.release();
        let _ = TcpStream::connect(self.address);
    }
}

impl Seen {
    /// Every value under this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (first, headers) = http::head(&mut reader).ok()?;
        http::body(&mut reader, &headers).ok()?;
        let path = first.split(' ').nth(1)?.to_owned();
        let at = unix_now();
        let seen = Seen { llm: String::new(), path, headers, at };
        let llm = seen.all(LLM).join(",");
        let told = shared.told.lock().unwrap().pop_front();
        let told = told.unwrap_or_else(|| Told {
            status: 200,
            body: completion(&seen.path).to_string(),
            ..Told::default()
        });
        shared.seen.lock().unwrap().push(Seen { llm, ..seen });
        answer(stream, &told, shared).ok()?;
    }
}

/// Header in which the provider's Envoy names itself.
pub(super) const LLM: &str = "x-llm";

fn answer(mut stream: &TcpStream, told: &Told, shared: &Shared) -> io::Result<()> {
    let Told { status, headers, body, pace } = told;
    if *pace == Pace::Late {
        shared.wait();
    }
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n")?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "\r\n")?;
    let (first, rest) = body.as_bytes().split_at(length / 2);
    stream.write_all(first)?;
    if *pace == Pace::Held {
        shared.wait();
    }
    stream.write_all(rest)
}

impl Shared {
    /// Waits for one [`Origin::release`].
    fn wait(&self) {
        let mut released = self.released.0.lock().unwrap();
        while *released == 0 && !self.over.load(Ordering::SeqCst) {
            released = self.released.1.wait(released).unwrap();
        }
        *released = released.saturating_sub(1);
    }
}

/// What an SDK is content with.
fn completion(path: &str) -> Value {
    if path.contains("/messages") {
        return json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
            "stop_sequence": null, "content": [{"type": "text", "text": "Hello."}],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        });
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
}
