//! Where a caller's token stands: in the configured headers, once. Never in the query, never in a cookie.

use super::{IssuerSettings, TokenError};
use crate::request::Headers;

/// A token as it came, and where. No `Debug`: it would print the token.
#[derive(Clone, Copy)]
pub(super) struct PresentedToken<'a> {
    pub(super) text: &'a [u8],
    pub(super) seen_in: HeaderSet,
    /// It stands behind the scheme Bearer.
    bearer: bool,
}

/// A set of positions in the list of token headers. Holds 64; one beyond that is in no set, so nothing in it is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeaderSet(u64);

impl HeaderSet {
    /// The headers of `names` in which the issuer's tokens are accepted.
    pub(super) fn of(settings: &IssuerSettings, names: &[String]) -> Self {
        let accepted = names.iter().enumerate().filter(|(_, name)| settings.token_from.contains(name));
        accepted.fold(Self::default(), |set, (index, _)| set.with(index))
    }

    /// Whether the two have a header in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn with(self, index: usize) -> Self {
        let bit = u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index));
        Self(self.0 | bit.unwrap_or_default())
    }
}

impl PresentedToken<'_> {
    /// Whether it is one token and not a list. To be asked of one that is not remembered: what was verified has neither a comma
    /// nor a blank, and to look for them once more in every request is a tenth of what finding out who calls takes.
    ///
    /// # Errors
    /// [`TokenError::Several`], [`TokenError::Scheme`].
    pub(super) fn is_one(&self) -> Result<(), TokenError> {
        if self.text.contains(&b',') {
            return Err(TokenError::Several);
        }
        if self.bearer && self.text.iter().any(|byte| *byte <= b' ') {
            return Err(TokenError::Scheme);
        }
        Ok(())
    }
}

/// Every header in which some issuer's token is accepted, each once, in lower case.
pub(super) fn names<'a>(issuers: impl IntoIterator<Item = &'a IssuerSettings>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in issuers.into_iter().flat_map(|issuer| &issuer.token_from) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Finds the token. `authorization` holds it behind the scheme Bearer, every other header holds it bare. Whether it is one,
/// [`PresentedToken::is_one`] says.
///
/// # Errors
/// [`TokenError::Several`] when there is another in another header, or a second line of one header. [`TokenError::Scheme`] when `authorization` holds something else.
pub(super) fn find<'a>(
    headers: &Headers<'a>,
    names: &[String],
) -> Result<Option<PresentedToken<'a>>, TokenError> {
    let mut found: Option<PresentedToken<'a>> = None;
    for (index, name) in names.iter().enumerate() {
        let mut lines = headers.all(name);
        let Some(line) = lines.next() else { continue };
        if lines.next().is_some() {
            return Err(TokenError::Several);
        }
        let bearer = name == "authorization";
        let text = if bearer { behind_bearer(line)? } else { line };
        let (seen_in, bearer) = match found {
            None => (HeaderSet::default(), bearer),
            Some(earlier) if earlier.text == text => (earlier.seen_in, bearer || earlier.bearer),
            Some(_) => return Err(TokenError::Several),
        };
        found = Some(PresentedToken { text, seen_in: seen_in.with(index), bearer });
    }
    Ok(found)
}

/// `Bearer` 1*SP token, the scheme in any case (RFC 6750 section 2.1, RFC 9110 section 11.4).
fn behind_bearer(value: &[u8]) -> Result<&[u8], TokenError> {
    let (scheme, rest) = value.split_at_checked("bearer".len()).ok_or(TokenError::Scheme)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") || !rest.starts_with(b" ") {
        return Err(TokenError::Scheme);
    }
    let token = rest.trim_ascii_start();
    let blanks = rest.len() - token.len();
    if rest.iter().take(blanks).any(|byte| *byte != b' ') || token.is_empty() {
        return Err(TokenError::Scheme);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[(&str, &str)], expected: Result<Option<&str>, TokenError>) {
        let names = ["authorization", "x-api-key", "api-key"].map(String::from);
        let headers: Headers<'_> = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let found = find(&headers, &names).and_then(|found| {
            found.map(|token| token.is_one().map(|()| str::from_utf8(token.text).unwrap())).transpose()
        });
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn j20_one_token_is_found_wherever_it_is_accepted() {
        check(&[], Ok(None));
        check(&[("authorization", "Bearer a.b.c")], Ok(Some("a.b.c")));
        check(&[("authorization", "bearer a.b.c")], Ok(Some("a.b.c")));
        check(&[("Authorization", "BEARER   a.b.c")], Ok(Some("a.b.c")));
        check(&[("x-api-key", "a.b.c")], Ok(Some("a.b.c")));
        check(&[("authorization", "Bearer a.b.c"), ("api-key", "a.b.c")], Ok(Some("a.b.c")));
    }

    #[test]
    fn j20_more_than_one_token_is_refused() {
        for lines in [
            [("authorization", "Bearer a"), ("authorization", "Bearer b")].as_slice(),
            &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
            &[("authorization", "Bearer a"), ("authorization", "Basic b")],
            &[("authorization", "Basic b"), ("authorization", "Bearer a")],
            &[("authorization", "Bearer a, Bearer b")],
            &[("authorization", "Bearer a,Bearer b")],
            &[("authorization", "Bearer a"), ("x-api-key", "b")],
            &[("authorization", "Bearer a"), ("x-api-key", "")],
            &[("x-api-key", "a"), ("x-api-key", "a")],
            &[("x-api-key", "a,b")],
            &[("x-api-key", "a"), ("api-key", "b")],
        ] {
            check(lines, Err(TokenError::Several));
        }
    }

    #[test]
    fn j20_an_authorization_that_is_not_bearer_is_refused_and_not_missing() {
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer\ta",
            "Bearer \ta",
            "Basic dXNlcjpwYXNz",
            "BearerX a",
            "a.b.c",
            "Bearer a b",
            "Bearer a ",
            " Bearer a",
            "Negotiate",
            "é",
            "Bearéé",
        ] {
            check(&[("authorization", value)], Err(TokenError::Scheme));
        }
    }

    #[test]
    fn j21_other_headers_are_not_looked_at() {
        check(
            &[("cookie", "access_token=a.b.c"), (":path", "/v1?access_token=a.b.c"), ("x_api_key", "a")],
            Ok(None),
        );
    }

    #[test]
    fn a_header_beyond_the_sixty_fourth_is_in_no_set() {
        let last = HeaderSet::default().with(63);
        assert!(last.meets(last));
        let beyond = HeaderSet::default().with(64);
        assert!(!beyond.meets(beyond));
    }
}
