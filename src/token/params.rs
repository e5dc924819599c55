//! The parameters of a token request, and the two ways to write them.

use std::borrow::Cow;

use url::form_urlencoded::byte_serialize;

use super::BodyFormat;
use crate::base::{Secret, SecretBytes};

/// Parameters in their order.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(Cow<'static, str>, Value)>);

#[derive(Debug)]
enum Value {
    Plain(String),
    Secret(Secret<String>),
    List(Vec<String>),
}

impl Params {
    /// One that an error may repeat.
    pub(super) fn with(mut self, name: impl Into<Cow<'static, str>>, value: &str) -> Self {
        self.0.push((name.into(), Value::Plain(value.to_owned())));
        self
    }

    /// One that nobody may see.
    pub(super) fn with_secret(mut self, name: impl Into<Cow<'static, str>>, value: &Secret<String>) -> Self {
        self.0.push((name.into(), Value::Secret(value.clone())));
        self
    }

    /// Several of one name: an array in JSON, a parameter each in a form.
    pub(super) fn with_list<'a>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let values = values.into_iter().map(str::to_owned).collect();
        self.0.push((name.into(), Value::List(values)));
        self
    }

    /// What nobody may see.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(_, value)| match value {
            Value::Secret(secret) => Some(secret.expose().as_str()),
            _ => None,
        })
    }

    /// Content type and content.
    pub(super) fn write(&self, format: BodyFormat) -> (&'static str, SecretBytes) {
        match format {
            // RFC 6749 appendix B.
            BodyFormat::Form => ("application/x-www-form-urlencoded", self.form()),
            BodyFormat::Json => ("application/json", self.json()),
        }
    }

    fn form(&self) -> SecretBytes {
        let mut body = Vec::with_capacity(self.most(3));
        let mut pair = |name: &str, value: &str| {
            if !body.is_empty() {
                body.push(b'&');
            }
            byte_serialize(name.as_bytes()).for_each(|piece| body.extend_from_slice(piece.as_bytes()));
            body.push(b'=');
            byte_serialize(value.as_bytes()).for_each(|piece| body.extend_from_slice(piece.as_bytes()));
        };
        for (name, value) in &self.0 {
            match value {
                Value::Plain(value) => pair(name, value),
                Value::Secret(value) => pair(name, value.expose()),
                Value::List(values) => values.iter().for_each(|value| pair(name, value)),
            }
        }
        SecretBytes::new(body)
    }

    fn json(&self) -> SecretBytes {
        let mut body = Vec::with_capacity(self.most(6));
        body.push(b'{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            text(&mut body, name);
            body.push(b':');
            match value {
                Value::Plain(value) => text(&mut body, value),
                Value::Secret(value) => text(&mut body, value.expose()),
                Value::List(values) => {
                    body.push(b'[');
                    for (index, value) in values.iter().enumerate() {
                        if index > 0 {
                            body.push(b',');
                        }
                        text(&mut body, value);
                    }
                    body.push(b']');
                }
            }
        }
        body.push(b'}');
        SecretBytes::new(body)
    }

    /// The most that the text takes when each byte becomes `factor` of them: a buffer that grows leaves copies behind.
    fn most(&self, factor: usize) -> usize {
        let of = |(name, value): &(Cow<'_, str>, Value)| {
            let text = match value {
                Value::Plain(value) => name.len() + value.len(),
                Value::Secret(value) => name.len() + value.expose().len(),
                Value::List(values) => values.iter().map(|value| name.len() + value.len() + 2).sum(),
            };
            text * factor + 8
        };
        2 + self.0.iter().map(of).sum::<usize>()
    }
}

/// A JSON text. What `serde_json` refuses to write, no `str` holds.
fn text(body: &mut Vec<u8>, value: &str) {
    let before = body.len();
    if serde_json::to_writer(&mut *body, value).is_err() {
        body.truncate(before);
        body.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(params: &Params, format: BodyFormat) -> String {
        String::from_utf8(params.write(format).1.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_form_and_json_say_the_same() {
        let params = Params::default()
            .with("grant_type", "client_credentials")
            .with_secret("client_secret", &Secret::new("a:%+ &=é\"\\".to_owned()))
            .with_list("resource", ["https://a.example/", "https://b.example/"]);
        assert_eq!(
            text_of(&params, BodyFormat::Form),
            "grant_type=client_credentials&client_secret=a%3A%25%2B+%26%3D%C3%A9%22%5C&resource=https%3A%2F%2Fa.example%2F\
             &resource=https%3A%2F%2Fb.example%2F"
        );
        assert_eq!(
            text_of(&params, BodyFormat::Json),
            r#"{"grant_type":"client_credentials","client_secret":"a:%+ &=é\"\\","resource":["https://a.example/","https://b.example/"]}"#
        );
    }

    #[test]
    fn no_buffer_grows() {
        let params = Params::default()
            .with_secret("\u{1}", &Secret::new("\u{1}\u{ffff}".repeat(500)))
            .with_list("é", ["\u{2}", "", "é"])
            .with("", "");
        for (format, factor) in [(BodyFormat::Form, 3), (BodyFormat::Json, 6)] {
            assert!(text_of(&params, format).len() <= params.most(factor));
        }
    }
}
