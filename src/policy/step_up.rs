//! The step-up challenge of RFC 9470.

use std::fmt::Write as _;
use std::time::Duration;

/// What the caller has to reach. Becomes one `WWW-Authenticate` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUp {
    /// What the caller's authentication falls short of.
    pub lacking: Lacking,
    /// Wanted `acr` values in order of preference; may be empty.
    pub acr_values: Vec<String>,
    /// Wanted greatest age of the authentication.
    pub max_age: Option<Duration>,
}

/// What an authentication falls short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// The factors, whatever its age.
    Strength,
    /// Its age alone.
    Freshness,
}

impl StepUp {
    /// The value of `WWW-Authenticate` (RFC 9470 section 3), one line, quoted strings escaped.
    ///
    /// Names all that the provider asks for, also what the caller had: the new authentication has to have both.
    #[must_use]
    pub fn www_authenticate(&self) -> String {
        let mut line = format!(
            r#"Bearer error="insufficient_user_authentication", error_description="{}""#,
            self.lacking.description()
        );
        // A value with a blank or a control character inside cannot stand in the list (RFC 6749 appendix A.4).
        let mut values = self.acr_values.iter().filter(|value| is_list_item(value)).peekable();
        if values.peek().is_some() {
            line.push_str(r#", acr_values=""#);
            for (index, value) in values.enumerate() {
                if index > 0 {
                    line.push(' ');
                }
                push_escaped(&mut line, value);
            }
            line.push('"');
        }
        if let Some(max_age) = self.max_age {
            // Writing to a `String` cannot fail.
            let _ = write!(line, r#", max_age="{}""#, max_age.as_secs());
        }
        line
    }
}

impl Lacking {
    const fn description(self) -> &'static str {
        match self {
            Self::Strength => "A different authentication level is required",
            Self::Freshness => "More recent authentication is required",
        }
    }
}

fn is_list_item(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

fn push_escaped(line: &mut String, value: &str) {
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            line.push('\\');
        }
        line.push(character);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(lacking: Lacking, acr_values: &[&str], max_age: Option<u64>, expected: &str) {
        let acr_values = acr_values.iter().map(|value| (*value).to_owned()).collect();
        let step_up = StepUp { lacking, acr_values, max_age: max_age.map(Duration::from_secs) };
        assert_eq!(step_up.www_authenticate(), expected);
    }

    #[test]
    fn the_challenge_is_that_of_rfc_9470_on_one_line() {
        check(
            Lacking::Strength,
            &["a", "b"],
            Some(5),
            r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="a b", max_age="5""#,
        );
        check(
            Lacking::Strength,
            &["myACR"],
            None,
            r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR""#,
        );
        check(
            Lacking::Freshness,
            &[],
            Some(28_800),
            r#"Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="28800""#,
        );
        check(
            Lacking::Strength,
            &[],
            None,
            r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required""#,
        );
    }

    #[test]
    fn a_value_cannot_break_out_of_its_quotes_or_its_line() {
        check(
            Lacking::Strength,
            &[r#"a"b\c"#, "x\r\nSet-Cookie: a=b", "two words", "", "é"],
            None,
            r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="a\"b\\c""#,
        );
    }

    proptest! {
        #[test]
        fn any_values_make_one_line_of_printable_ascii(acr_values in proptest::collection::vec(any::<String>(), 0..5)) {
            let step_up = StepUp { lacking: Lacking::Strength, acr_values, max_age: None };
            let line = step_up.www_authenticate();
            prop_assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }
}
