//! Where a file of credentials may send us: such a file may come from anywhere, and what it names gets our tokens.

use url::{Host, Url};

use super::KeyFault;
use crate::outbound::is_secure;

/// The hosts that an entry allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hosts<'a> {
    /// `vertex.allowed_token_hosts`, compared whole.
    pub(super) extra: &'a [String],
}

impl Hosts<'_> {
    /// Reads the URL in `field`.
    ///
    /// # Errors
    /// [`KeyFault::Host`] where it leads anywhere else.
    pub(super) fn url(self, field: &'static str, text: &str) -> Result<Url, KeyFault> {
        let url = Url::parse(text).map_err(|_| KeyFault::Unfit(field))?;
        if self.allow(&url) { Ok(url) } else { Err(KeyFault::Host(field)) }
    }

    /// Whether `url` may be asked for a token.
    pub(super) fn allow(self, url: &Url) -> bool {
        is_secure(url) && (is_google(url) || self.name(url))
    }

    /// Whether the operator named the host of `url`.
    pub(super) fn name(self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| self.extra.iter().any(|extra| extra.eq_ignore_ascii_case(host)))
    }
}

/// `*.googleapis.com` on the border of a label, at the port of https.
fn is_google(url: &Url) -> bool {
    url.scheme() == "https"
        && url.port().is_none()
        && matches!(url.host(), Some(Host::Domain(name)) if name.ends_with(".googleapis.com"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(extra: &[&str], url: &str) -> bool {
        let extra: Vec<String> = extra.iter().map(|&host| host.to_owned()).collect();
        Hosts { extra: &extra }.url("token_url", url).is_ok()
    }

    #[test]
    fn google_s_own_hosts_are_allowed_by_https_alone() {
        for url in [
            "https://sts.googleapis.com/v1/token",
            "https://STS.GoogleApis.com:443/v1/token",
            "https://sts.us-east1.rep.googleapis.com/v1/token",
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
        ] {
            assert!(allow(&[], url), "{url}");
        }
    }

    #[test]
    fn what_only_looks_like_google_s_host_is_refused() {
        for url in [
            "",
            "sts.googleapis.com",
            "http://sts.googleapis.com/v1/token",
            "https://googleapis.com/v1/token",
            "https://evilgoogleapis.com/v1/token",
            "https://sts.googleapis.com.evil.example/v1/token",
            "https://sts.googleapis.com@evil.example/v1/token",
            "https://evil.example/sts.googleapis.com",
            "https://evil.example#.googleapis.com",
            "https://evil.example?.googleapis.com",
            "https://evil.example\\.googleapis.com",
            "https://user@sts.googleapis.com/",
            "https://sts.googleapis.com:8443/",
            "https://sts.googleapis.com./",
            "https://sts．googleapis．com.evil.example/",
            "https://169.254.169.254/",
            "http://169.254.169.254/",
            "http://metadata.google.internal/",
            "file:///etc/passwd",
        ] {
            assert!(!allow(&[], url), "{url}");
        }
    }

    #[test]
    fn the_operator_s_hosts_are_compared_whole() {
        let extra = ["sts.corp.example", "127.0.0.1"];
        assert!(allow(&extra, "https://sts.corp.example/token"));
        assert!(allow(&extra, "https://STS.corp.example:8443/token"));
        assert!(allow(&extra, "http://127.0.0.1:8080/token"));
        for url in [
            "http://sts.corp.example/token",
            "https://a.sts.corp.example/token",
            "https://corp.example/",
            "https://u:p@sts.corp.example/token",
            "http://127.0.0.2:8080/token",
        ] {
            assert!(!allow(&extra, url), "{url}");
        }
    }
}
