//! Requests of many kinds from one seed: what clients of Bedrock send, and what nobody should.

use crate::signing::Request;

/// SplitMix64: the same requests on every run.
pub(crate) struct Random(u64);

/// A request with the way it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    pub(crate) request: Request,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    pub(crate) token: Option<String>,
    /// Whether everything in it is as clients send it, so that it is never refused.
    pub(crate) proper: bool,
}

const REGIONS: [&str; 4] = ["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-7"];
const OPERATIONS: [&str; 6] =
    ["invoke", "invoke-with-response-stream", "converse", "converse-stream", "count-tokens", "x"];
const MODELS: [&str; 8] = [
    "anthropic.claude-3-haiku-20240307-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0",
    "arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fabc123",
    "arn:aws:bedrock:us-west-2:123456789012:inference-profile%2Fus.amazon.nova-pro-v1:0",
    "arn%3aaws%3abedrock%3aus-west-2%3a123456789012%3aimported-model%2fabc",
    "mod%C3%A8le-%E1%88%B4-%F0%9F%A6%80",
    "a%20b%2Bc%3Dd%26e",
    "-._~!$&'()*+,=@:",
];
const TYPES: [&str; 5] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/x-amz-json-1.1",
    "multipart/form-data; boundary=\"a+b,c/d:e=f?\"",
    "text/plain;a=b; c=\"d e\"",
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A request; every fourth one may hold anything.
    pub(crate) fn signing(&mut self) -> Signing {
        let proper = self.below(4) > 0;
        let region = *self.one(&REGIONS);
        let host = match self.below(5) {
            0 => "127.0.0.1:5000".to_owned(),
            1 => format!("vpce-0a1b-2c3d.bedrock-runtime.{region}.vpce.amazonaws.com"),
            2 => format!("Bedrock-Runtime.{region}.amazonaws.com:443"),
            _ => format!("bedrock-runtime.{region}.amazonaws.com"),
        };
        let mut path = if proper { self.path() } else { self.any_path() };
        match self.below(3) {
            0 => {}
            1 if !proper => path += &format!("?{}", self.any_text()),
            _ => path += &format!("?{}", self.query()),
        }
        let request = Request {
            method: (*self.one(&["POST", "POST", "GET", "PUT", "DELETE"])).to_owned(),
            host,
            path,
            content_type: (self.below(3) > 0).then(|| (*self.one(&TYPES)).to_owned()),
            body: self.body(),
        };
        let token = (self.below(2) == 0).then(|| format!("IQoJb3JpZ2luX2Vj//+/{}==", self.next()));
        Signing { request, region, service: "bedrock", token, proper }
    }

    fn path(&mut self) -> String {
        match self.below(4) {
            0 => "/openai/v1/chat/completions".to_owned(),
            1 => format!("/{}/{}", self.escaped(), self.escaped()),
            _ => format!("/model/{}/{}", self.one(&MODELS), self.one(&OPERATIONS)),
        }
    }

    /// Graphic ASCII, as an HTTP parser lets it through, without an order.
    fn any_path(&mut self) -> String {
        format!("/{}", self.any_text().replace('?', "/"))
    }

    fn any_text(&mut self) -> String {
        const PIECES: [&str; 34] = [
            "a",
            "B",
            "7",
            "%2F",
            "%2f",
            "%41",
            "%C3%A9",
            "%FF",
            "%",
            "%zz",
            "+",
            "=",
            "&",
            "&&",
            ";",
            ":",
            "@",
            "/",
            ".",
            "..",
            "~",
            "*",
            "!",
            "'",
            "(",
            "$",
            ",",
            "[",
            "|",
            "<",
            "\"",
            "X-Amz-Date=1",
            "x%2Damz-a",
            "?",
        ];
        (0..self.below(8)).map(|_| *self.one(&PIECES)).collect()
    }

    /// Names and values as `encodeURIComponent` and Python's `quote` write them, in any order, some twice or without a value.
    fn query(&mut self) -> String {
        let pairs = (0..self.below(5)).map(|_| match self.below(4) {
            0 => self.escaped(),
            1 => format!("{}=", self.escaped()),
            _ => format!("{}={}", self.escaped(), self.escaped()),
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    fn escaped(&mut self) -> String {
        const PIECES: [&str; 20] = [
            "a",
            "b",
            "Z",
            "0",
            "9",
            "-",
            "_",
            "x.y",
            "~",
            "%20",
            "%2B",
            "%3D",
            "%26",
            "%25",
            "%2F",
            "%3A",
            "%C3%A9",
            "%E1%88%B4",
            "%F0%9F%A6%80",
            "%0A",
        ];
        (0..=self.below(6)).map(|_| *self.one(&PIECES)).collect()
    }

    fn body(&mut self) -> Vec<u8> {
        match self.below(4) {
            0 => Vec::new(),
            1 => b"{}".to_vec(),
            2 => br#"{"messages":[{"role":"user","content":[{"text":"\u00e9 ok"}]}]}"#.to_vec(),
            _ => (0..self.below(5_000)).map(|_| self.next().to_le_bytes()[0]).collect(),
        }
    }
}
