//! Tests of `curl.rs`.

use super::*;

fn request(line: &str) -> GivenRequest {
    read(line, Path::new(".")).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn body(request: &GivenRequest) -> &[u8] {
    match &request.body {
        GivenBody::Bytes(bytes) => bytes,
        GivenBody::Hash(_) => panic!("a hash"),
    }
}

#[test]
fn a_command_is_the_request_that_curl_would_send() {
    let one = request(
        "curl -sSXPOST 'https://gw.example:8443/model/m%3A0/converse?a=1' -H 'Host: h.example' \\\n \
         -H \"Content-Type: application/json\" --data-raw '{\"a\": \"@b\"}' --compressed -o out.json",
    );
    assert_eq!((one.method.as_str(), one.authority.as_str()), ("POST", "h.example"));
    assert_eq!(one.raw_path, "/model/m%3A0/converse?a=1");
    assert_eq!(one.all("content-type").collect::<Vec<_>>(), ["application/json"]);
    assert_eq!(body(&one), br#"{"a": "@b"}"#);
}

#[test]
fn methods_and_types_that_nobody_names_are_curl_s_own() {
    for (line, method, content_type, bytes) in [
        ("curl https://h/", "GET", None, ""),
        ("curl --url h/x", "GET", None, ""),
        ("curl -I https://h/", "HEAD", None, ""),
        ("curl https://h/ -d a=1 -d b=2", "POST", Some("application/x-www-form-urlencoded"), "a=1&b=2"),
        ("curl --json '{' --json '}' https://h/", "POST", Some("application/json"), "{}"),
        ("curl -XPUT https://h/ -d x -H 'content-type;' ", "PUT", None, "x"),
    ] {
        let request = request(line);
        assert_eq!(request.method, method, "{line}");
        assert_eq!(request.all("content-type").next(), content_type, "{line}");
        assert_eq!(body(&request), bytes.as_bytes(), "{line}");
    }
    assert_eq!(request("curl -G https://h/x?a=1 -d b=2").raw_path, "/x?a=1&b=2");
}

#[test]
fn a_body_comes_from_its_file_as_curl_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("body.json"), "{\r\n}\n").unwrap();
    let read = |line| read(line, folder.path()).unwrap();
    assert_eq!(body(&read("curl h/ -d @body.json")), b"{}");
    assert_eq!(body(&read("curl h/ --data-binary @body.json")), b"{\r\n}\n");
    assert_eq!(body(&read("curl h/ --json @body.json")), b"{\r\n}\n");
    assert_eq!(body(&read("curl h/ --data-raw @body.json")), b"@body.json");
}

#[test]
fn what_is_not_known_is_named_and_no_value_is_repeated() {
    for (line, expected) in [
        ("wget https://h/", "does not begin with curl"),
        ("curl https://h/ --form a=canary", "the option --form is not known"),
        ("curl https://h/ --data=canary", "the option --data is not known"),
        ("curl https://h/ -sZ", "the option -Z is not known"),
        ("curl https://h/ -X", "the option -X wants a value"),
        ("curl https://h/ -H canary", "--header: this is no header"),
        ("curl -s", "there is no URL"),
        ("curl https://h/ https://canary/", "several URLs"),
        ("curl https://user:canary@h/", "the URL has a user"),
        ("curl ftp://canary/", "the URL begins with https://"),
        ("curl h/ -d @not-there", "--data: not-there: "),
        ("curl h/ -d @-", "--data: standard input"),
        ("curl https://h/ -d 'canary", "a quote that opens at character 20 never closes"),
        ("curl h/ -H 'a: $X' -d \"$(canary)\"", "'$' at character"),
    ] {
        let error = read(line, Path::new(".")).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("canary"), "{line}: {error}");
    }
}
