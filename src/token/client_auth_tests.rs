//! What goes on the wire, compared with what the crate `oauth2` sends.

use std::convert::Infallible;

use oauth2::basic::BasicClient;
use oauth2::{AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, TokenUrl};

use super::super::testing::{NOW, material};
use super::super::{BodyFormat, ClientIdentity};
use super::*;

const NASTY: &str = "a:b%2B+ &=é/?#\"\\~*-._\u{1f511}";

fn endpoint() -> Url {
    Url::parse("https://idp.example/token").unwrap()
}

fn pem() -> String {
    rcgen::KeyPair::generate().unwrap().serialize_pem()
}

/// The header and the form of a request for client credentials by an independent implementation.
fn second_opinion(id: &str, secret: &str, kind: AuthType) -> (Option<String>, String) {
    let client = BasicClient::new(ClientId::new(id.to_owned()))
        .set_client_secret(ClientSecret::new(secret.to_owned()))
        .set_token_uri(TokenUrl::from_url(endpoint()))
        .set_auth_type(kind);
    let seen = std::sync::Mutex::new(None);
    let http = |request: HttpRequest| -> Result<HttpResponse, Infallible> {
        let header = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        *seen.lock().unwrap() = Some((header, String::from_utf8(request.into_body()).unwrap()));
        Ok(HttpResponse::new(br#"{"access_token":"a","token_type":"bearer"}"#.to_vec()))
    };
    client.exchange_client_credentials().request(&http).unwrap();
    seen.into_inner().unwrap().unwrap()
}

fn shown(client: &Client) -> (Option<String>, Vec<(String, String)>) {
    let params = Params::default().with("grant_type", "client_credentials");
    let (params, header) = client.show(params, &endpoint(), NOW).unwrap();
    let body = params.write(BodyFormat::Form).1;
    let mut pairs: Vec<_> = url::form_urlencoded::parse(body.expose()).into_owned().collect();
    pairs.sort();
    (header.map(|header| header.expose().clone()), pairs)
}

fn client(method: Option<ClientAuth>, fields: &[(&'static str, &str)]) -> Result<Client, SecretFault> {
    Client::new(method, Need::Client, &material(fields), &ClientTls::default())
}

#[test]
fn t23_ids_and_secrets_of_every_character_are_encoded_as_another_library_does() {
    for (id, secret) in [("id", "secret"), (NASTY, NASTY), ("a:b", ":"), ("é", " "), ("%3A", "+%20")] {
        let fields = [("client_id", id), ("client_secret", secret)];
        for (method, kind) in
            [(ClientAuth::Basic, AuthType::BasicAuth), (ClientAuth::Post, AuthType::RequestBody)]
        {
            let (header, body) = second_opinion(id, secret, kind);
            let mut pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            pairs.sort();
            assert_eq!(shown(&client(Some(method), &fields).unwrap()), (header, pairs), "{id:?} {secret:?}");
        }
    }
}

#[test]
fn t23_the_bytes_of_basic_are_those_of_rfc_6749() {
    let client = client(None, &[("client_id", "a:b"), ("client_secret", ":%+ &=é")]).unwrap();
    let (header, _) = shown(&client);
    let pair = STANDARD.decode(header.unwrap().strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(String::from_utf8(pair).unwrap(), "a%3Ab:%3A%25%2B+%26%3D%C3%A9");
}

#[test]
fn the_secret_decides_where_the_configuration_does_not() {
    let (key, id) = (pem(), ("client_id", "me"));
    let lacks = |keys| SecretFault::NoKey { name: "idp".to_owned(), keys };
    assert!(matches!(client(None, &[id, ("client_secret", "s")]), Ok(Client::Basic { .. })));
    assert!(matches!(client(None, &[id, ("private_key", &key)]), Ok(Client::PrivateKeyJwt { .. })));
    assert!(matches!(client(None, &[id, ("refresh_token", "r")]), Ok(Client::Named(_))));
    let both = SecretFault::Undecided { name: "idp".to_owned(), keys: "client_secret, private_key" };
    for (method, fields, fault) in [
        (None, &[id, ("client_secret", "s"), ("private_key", &key)][..], both),
        (None, &[id], lacks("client_secret, private_key")),
        (None, &[id, ("client_secret", "")], lacks("client_secret, private_key")),
        (None, &[("client_secret", "s")], lacks("client_id")),
        (None, &[], lacks("client_id")),
        (Some(ClientAuth::Basic), &[id], lacks("client_secret")),
        (Some(ClientAuth::Post), &[id], lacks("client_secret")),
        (Some(ClientAuth::PrivateKeyJwt), &[id, ("client_secret", "s")], lacks("private_key")),
        (Some(ClientAuth::None), &[], lacks("client_id")),
        (Some(ClientAuth::TlsClientAuth), &[id], SecretFault::NoClientCertificate),
        (None, &[id, ("private_key", "hunter2")], SecretFault::PrivateKey { name: "idp".to_owned() }),
        (
            None,
            &[id, ("private_key", &key), ("certificate", "hunter2")],
            SecretFault::Certificate { name: "idp".to_owned() },
        ),
    ] {
        let found = client(method, fields).unwrap_err();
        assert!(!found.to_string().contains("hunter2"));
        assert_eq!(found, fault);
    }
}

#[test]
fn a_client_with_a_certificate_on_the_connection_says_its_name_only() {
    let identity = Some(ClientIdentity { certificate: "a".into(), private_key: "b".into() });
    let tls = ClientTls { ca: None, identity };
    for method in [None, Some(ClientAuth::TlsClientAuth)] {
        let client = Client::new(method, Need::Client, &material(&[("client_id", "me")]), &tls).unwrap();
        let (header, pairs) = shown(&client);
        assert_eq!(header, None);
        assert_eq!(
            pairs,
            [("client_id", "me"), ("grant_type", "client_credentials")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}

#[test]
fn a_token_that_is_presented_may_speak_for_itself() {
    let nobody = Client::new(None, Need::Nothing, &material(&[]), &ClientTls::default()).unwrap();
    assert!(matches!(nobody, Client::Nameless));
    let named = Client::new(None, Need::Nothing, &material(&[("client_id", "me")]), &ClientTls::default());
    assert!(matches!(named.unwrap(), Client::Named(_)));
}

#[test]
fn debug_of_a_client_shows_no_secret() {
    let key = pem();
    for fields in
        [[("client_id", "me"), ("client_secret", "hunter2")], [("client_id", "me"), ("private_key", &key)]]
    {
        let text = format!("{:?} {:?}", client(None, &fields).unwrap(), material(&fields));
        assert!(!text.contains("hunter2") && !text.contains("PRIVATE KEY"), "{text}");
        assert!(!text.contains(&STANDARD.encode("me:hunter2")));
    }
}
