//! Where each party is asked, and the same as commands for a POSIX shell with curl and sed.

use std::path::Path;

use super::answer::Vendor;
use super::workdir::Numbers;

/// Who asks for a token.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    /// The shell variable that holds the token.
    pub(super) variable: &'static str,
    /// The fields of the form beside `grant_type`.
    pub(super) form: &'static [&'static str],
}

/// The issuer's token endpoint.
pub(super) fn token_url(numbers: Numbers) -> String {
    format!("http://127.0.0.1:{}/token", numbers.issuer)
}

/// A provider, through Envoy.
pub(super) fn provider_url(numbers: Numbers, vendor: Vendor) -> String {
    let path = match vendor {
        Vendor::OpenAi => "openai/v1/chat/completions",
        Vendor::Anthropic => "anthropic/v1/messages",
    };
    format!("http://127.0.0.1:{}/{path}", numbers.envoy)
}

/// Header and prefix where the vendor's SDK puts its API key, so where callers of an unmodified SDK put their token.
pub(super) fn token_place(vendor: Vendor) -> (&'static str, &'static str) {
    match vendor {
        Vendor::OpenAi => ("authorization", "Bearer "),
        Vendor::Anthropic => ("x-api-key", ""),
    }
}

/// What is asked.
pub(super) fn question(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::OpenAi => {
            r#"{"model":"demo","messages":[{"role":"user","content":"Which key do you see?"}]}"#
        }
        Vendor::Anthropic => {
            r#"{"model":"demo","max_tokens":64,"messages":[{"role":"user","content":"Which key do you see?"}]}"#
        }
    }
}

/// Puts a token into the caller's shell variable.
pub(super) fn token_command(numbers: Numbers, caller: Caller) -> String {
    let (variable, url) = (caller.variable, token_url(numbers));
    let form: String = caller.form.iter().map(|field| format!(" -d {field}")).collect();
    let cut = r#"sed -E 's/.*"access_token":"([^"]+)".*/\1/'"#;
    format!("{variable}=$(curl -s {url} -d grant_type=client_credentials{form} | {cut})")
}

/// Asks the provider through Envoy.
pub(super) fn request_command(numbers: Numbers, vendor: Vendor, caller: Option<Caller>) -> String {
    let token = caller.map_or_else(String::new, |caller| {
        let (name, prefix) = token_place(vendor);
        format!(" -H \"{name}: {prefix}${}\"", caller.variable)
    });
    let url = provider_url(numbers, vendor);
    format!("curl -i {url}{token} -H 'content-type: application/json' -d '{}'", question(vendor))
}

/// Lets the provider make one more key and moves it into the secret store.
pub(super) fn swap_command(numbers: Numbers, vendor: Vendor, next: &Path, key: &Path) -> String {
    let (next, key) = (quoted(&next.to_string_lossy()), quoted(&key.to_string_lossy()));
    let url = format!("http://127.0.0.1:{}/demo/keys/{}", numbers.provider, vendor.name());
    format!("curl -s -X POST {url} -o {next} && mv {next} {key}")
}

/// The same question by the vendor's own Python SDK, which knows nothing of bouncer.
pub(super) fn sdk_command(numbers: Numbers, vendor: Vendor) -> String {
    let base = format!("http://127.0.0.1:{}/{}", numbers.envoy, vendor.name());
    let ask = r#"messages=[{"role": "user", "content": "Which key do you see?"}]"#;
    match vendor {
        Vendor::OpenAi => format!(
            "OPENAI_BASE_URL={base}/v1 OPENAI_API_KEY=$TOKEN python3 -c 'from openai import OpenAI; \
             print(OpenAI().chat.completions.create(model=\"demo\", {ask}).choices[0].message.content)'"
        ),
        Vendor::Anthropic => format!(
            "ANTHROPIC_BASE_URL={base} ANTHROPIC_API_KEY=$MFA_TOKEN python3 -c 'from anthropic import Anthropic; \
             print(Anthropic().messages.create(model=\"demo\", max_tokens=64, {ask}).content[0].text)'"
        ),
    }
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_any_name_stays_one_word() {
        assert_eq!(quoted("target/demo/next"), "target/demo/next");
        let name = "it's a $(folder)";
        let echoed =
            std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(name))]).output();
        assert_eq!(String::from_utf8(echoed.unwrap().stdout).unwrap(), name);
    }
}
