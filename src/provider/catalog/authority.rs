//! The host of an `:authority`, in the one form in which hosts are compared.

use crate::provider::Glob;

/// A host in lower case, without port and final dot. Lies on the stack: it is made for every request.
pub(super) struct Host {
    bytes: [u8; Self::MAX],
    length: usize,
}

impl Host {
    /// Longest name that DNS can hold, final dot included.
    const MAX: usize = 255;

    /// Reads an `:authority`. None where it has userinfo, a blank, a port that is no number or any other character that is
    /// in no host name: such a text selects nobody.
    pub(super) fn parse(authority: &str) -> Option<Self> {
        let host = match authority.strip_prefix('[') {
            Some(rest) => {
                let (inside, port) = rest.split_once(']')?;
                if inside.is_empty() || !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
                    return None;
                }
                authority.get(..inside.len() + 2)?
            }
            None => match authority.split_once(':') {
                Some((host, port)) if is_port(port) => without_final_dot(host),
                Some(_) => return None,
                None => without_final_dot(authority),
            },
        };
        let ip = host.starts_with('[');
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty()
            || !host.bytes().all(|byte| known(byte) || ip && matches!(byte, b'[' | b']' | b':'))
        {
            return None;
        }
        let mut bytes = [0; Self::MAX];
        let place = bytes.get_mut(..host.len())?;
        place.copy_from_slice(host.as_bytes());
        place.make_ascii_lowercase();
        Some(Self { bytes, length: host.len() })
    }

    pub(super) fn as_str(&self) -> &str {
        // Only ASCII was let in.
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// A configured pattern in the same form. One with a port in it stays as it is and fits nothing.
pub(super) fn pattern(glob: &Glob) -> Option<Glob> {
    Glob::new(&without_final_dot(glob.as_str()).to_ascii_lowercase())
}

fn without_final_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authority: &str, host: Option<&str>) {
        assert_eq!(Host::parse(authority).as_ref().map(Host::as_str), host, "{authority:?}");
    }

    #[test]
    fn port_case_and_one_final_dot_do_not_count() {
        check("api.example", Some("api.example"));
        check("API.Example.:8443", Some("api.example"));
        check("api.example..", Some("api.example."));
        check("10.0.0.1:80", Some("10.0.0.1"));
        check("[2001:DB8::1]:443", Some("[2001:db8::1]"));
        check("[::1]", Some("[::1]"));
    }

    #[test]
    fn a_text_that_is_no_host_selects_nobody() {
        for authority in [
            "",
            ".",
            ":443",
            "user@api.example",
            "api.example:443@evil.example",
            "api.example ",
            " api.example",
            "api.example:",
            "api.example:x",
            "api.example:1:2",
            "api.example\t",
            "api.example/x",
            "api,example",
            "*",
            "[]",
            "[::1",
            "[::1]x",
            "[::1]:",
            "::1",
            "api.éxample",
            "api.example\0",
            "a[b]",
            "%61pi.example",
            "[a@b]",
        ] {
            check(authority, None);
        }
        check(&"a".repeat(255), Some(&"a".repeat(255)));
        check(&"a".repeat(256), None);
    }

    #[test]
    fn patterns_take_the_same_form() {
        assert_eq!(pattern(&Glob::new("*.API.example.").unwrap()), Glob::new("*.api.example"));
        assert_eq!(pattern(&Glob::new(".").unwrap()), None);
    }
}
