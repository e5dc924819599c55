//! What AWS puts beside a workload to hand it keys: the service of a container (ECS, EKS Pod Identity), and that of an
//! instance, version 2 (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::aws::AccessKey;
use crate::support::{head, local};

/// The service of a container. Its thread ends with the tests' process.
pub(super) struct Container(Stub);

/// The service of an instance.
pub(super) struct Instance(Stub);

struct Stub {
    address: SocketAddr,
    /// How often keys were handed out.
    asked: Arc<AtomicUsize>,
}

type Headers = [(String, String)];
type Reply = (u16, String);

impl Container {
    /// What whoever asks has to show, as it stands in the file.
    pub(super) const TOKEN: &'static str = "eyJhbGciOiJub25lIn0.cG9kLWlkZW50aXR5LXRva2Vu.c2lnbmF0dXJl";

    pub(super) fn start() -> Self {
        Self(Stub::start(|method, path, headers| {
            let shown = header_of(headers, "authorization") == Some(Self::TOKEN);
            match (method, path, shown) {
                ("GET", "/v1/credentials", true) => (200, keys("POD").to_string()),
                _ => (403, json!({"code": "AccessDenied", "message": "no"}).to_string()),
            }
        }))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1/credentials", self.0.address)
    }

    pub(super) fn key(&self) -> AccessKey {
        let Self(_) = self;
        key("POD")
    }

    pub(super) fn secrets(&self) -> Vec<String> {
        let AccessKey { secret, token, .. } = self.key();
        [vec![secret, Self::TOKEN.to_owned()], token.into_iter().collect()].concat()
    }

    pub(super) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

impl Instance {
    const TOKEN: &'static str = "AQAEAInstanceSessionTokenOfVersion2==";

    pub(super) fn start() -> Self {
        Self(Stub::start(|method, path, headers| {
            let shown = header_of(headers, "x-aws-ec2-metadata-token") == Some(Self::TOKEN);
            let lives = header_of(headers, "x-aws-ec2-metadata-token-ttl-seconds");
            match (method, path, shown) {
                ("PUT", "/latest/api/token", _) if lives.is_some() => (200, Self::TOKEN.to_owned()),
                ("GET", "/latest/meta-data/iam/security-credentials/", true) => (200, "llm".to_owned()),
                ("GET", "/latest/meta-data/iam/security-credentials/llm", true) => {
                    let mut keys = keys("EC2");
                    keys["Code"] = json!("Success");
                    keys["Type"] = json!("AWS-HMAC");
                    (200, keys.to_string())
                }
                (_, _, true) => (404, String::new()),
                // Version 1 is switched off.
                _ => (401, String::new()),
            }
        }))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    pub(super) fn key(&self) -> AccessKey {
        let Self(_) = self;
        key("EC2")
    }

    pub(super) fn secrets(&self) -> Vec<String> {
        let AccessKey { secret, token, .. } = self.key();
        [vec![secret, Self::TOKEN.to_owned()], token.into_iter().collect()].concat()
    }

    pub(super) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

impl Stub {
    fn start(reply: fn(&str, &str, &Headers) -> Reply) -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counted = Arc::clone(&counted);
                thread::spawn(move || serve(&stream, reply, &counted));
            }
        });
        Self { address, asked }
    }
}

fn serve(
    mut stream: &TcpStream,
    reply: fn(&str, &str, &Headers) -> Reply,
    counted: &AtomicUsize,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (first, headers) = head(&mut reader).ok()?;
        let mut words = first.split(' ');
        let (status, text) = reply(words.next()?, words.next()?, &headers);
        if text.contains("SecretAccessKey") {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        let lives = header_of(&headers, "x-aws-ec2-metadata-token-ttl-seconds");
        let lives = lives.map(|lives| format!("x-aws-ec2-metadata-token-ttl-seconds: {lives}\r\n"));
        let (lives, length) = (lives.unwrap_or_default(), text.len());
        write!(stream, "HTTP/1.1 {status} .\r\n{lives}content-length: {length}\r\n\r\n{text}").ok()?;
    }
}

fn header_of<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn key(whose: &str) -> AccessKey {
    AccessKey {
        id: format!("ASIAIOSFODNN7EXAMP{whose}"),
        secret: format!("wJalrXUtnFEMI/K7MDENG/bPxRfiCYOF{whose}"),
        token: Some(format!("IQoJb3JpZ2luX2VjSESSIONTOKENOF{whose}+/==")),
    }
}

fn keys(whose: &str) -> Value {
    let AccessKey { id, secret, token } = key(whose);
    json!({"AccessKeyId": id, "SecretAccessKey": secret, "Token": token, "Expiration": "2037-12-31T00:00:00Z"})
}
