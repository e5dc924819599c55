//! What README.md shows is true: its snippets load, its excerpts stand in `deploy/`, its commands, links, names and tables are
//! those of the program; and what lies in `deploy/` is accepted by bouncer and by the real Envoys.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[path = "readme/benches.rs"]
mod benches;
#[path = "readme/filters.rs"]
mod filters;
#[path = "readme/samples.rs"]
mod samples;
#[path = "readme/text.rs"]
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bouncer::app::App;
use bouncer::base::SystemClock;
use bouncer::config;
use bouncer::pipeline::Code;
use bouncer::provider::{AuthType, ProviderKind};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use text::{Block, blocks, has_word, read, readme, rows, sources, stands_in, top};

/// The oldest and the newest that are supported, as in `scripts/tools.sh`.
const ENVOYS: [&str; 2] = ["1.36.2", "1.40.0"];

/// Every manifest, with the kinds of its documents.
const MANIFESTS: [(&str, &[&str]); 7] = [
    (
        "deploy/kubernetes/deployment.yaml",
        &[
            "Namespace",
            "Secret",
            "Secret",
            "ConfigMap",
            "Deployment",
            "Service",
            "PodDisruptionBudget",
            "NetworkPolicy",
        ],
    ),
    ("deploy/kubernetes/sidecar.yaml", &["ConfigMap", "Deployment"]),
    ("deploy/envoy-gateway/ext-proc.yaml", &["EnvoyExtensionPolicy", "ReferenceGrant", "BackendTLSPolicy"]),
    ("deploy/envoy-gateway/ext-auth.yaml", &["SecurityPolicy", "ReferenceGrant"]),
    ("deploy/istio/ext-proc.yaml", &["EnvoyFilter", "DestinationRule"]),
    ("deploy/istio/ext-authz.yaml", &["AuthorizationPolicy"]),
    ("deploy/ai-gateway/openai.yaml", &["Gateway", "SecurityPolicy", "BackendSecurityPolicy"]),
];

/// Part of a configuration of somebody else's.
const FRAGMENTS: [&str; 1] = ["deploy/istio/mesh-config.yaml"];

#[test]
fn every_block_is_of_a_kind_that_is_checked() {
    for Block { info, text } in blocks() {
        match info.split_once(' ') {
            Some(("yaml", "bouncer")) => loads("README.md", &text),
            Some(("yaml", file)) => {
                assert!(stands_in(&read(file), &text), "{file} does not contain:\n{text}");
            }
            None if info == "sh" => commands(&text),
            None if info == "mermaid" => {
                assert!(
                    text.starts_with("sequenceDiagram\n") || text.starts_with("flowchart LR\n"),
                    "{text}"
                );
            }
            None if info == "text" => {}
            _ => panic!("an unchecked block: {info:?}"),
        }
    }
}

#[test]
fn bouncer_takes_every_configuration_of_deploy() {
    let files = deployed();
    let mut seen = 0;
    for file in files.iter().filter(|file| file.ends_with("/bouncer.yaml")) {
        loads(file, &read(file));
        seen += 1;
    }
    for (file, document) in embedded("bouncer.yaml") {
        loads(&file, &document);
        seen += 1;
    }
    assert_eq!(seen, 5, "envoy, ai-gateway, demo, and the two of kubernetes");
}

#[test]
fn the_envoys_take_every_bootstrap_and_filter_of_deploy() {
    let mut bootstraps: Vec<_> = deployed()
        .into_iter()
        .filter(|file| file.starts_with("deploy/envoy/") && !file.ends_with("/bouncer.yaml"))
        .chain(["deploy/demo/envoy.yaml".to_owned()])
        .map(|file| (file.clone(), read(&file)))
        .collect();
    assert_eq!(bootstraps.len(), 11, "{:?}", bootstraps.iter().map(|(file, _)| file).collect::<Vec<_>>());
    bootstraps.extend(embedded("envoy.yaml"));
    let filter =
        documents("deploy/istio/ext-proc.yaml")[0]["spec"]["configPatches"][0]["patch"]["value"].clone();
    bootstraps.push(("deploy/istio/ext-proc.yaml".to_owned(), around(filter)));
    assert_eq!(bootstraps.len(), 13);

    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let certificates = certificates(folder.path());
    for (file, text) in bootstraps {
        let text = text.replace("/etc/envoy/tls/", &certificates).replace("/etc/ssl/certs/", &certificates);
        let path = folder.path().join("envoy.yaml");
        fs::write(&path, text).unwrap();
        for version in ENVOYS {
            let output = Command::new(envoy(version))
                .args(["--mode", "validate", "--log-level", "warn", "--config-path"])
                .arg(&path)
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{file}, Envoy {version}: {told}");
        }
    }
}

#[test]
fn manifests_have_the_kinds_that_they_should_have() {
    for (file, kinds) in MANIFESTS {
        let found: Vec<_> =
            documents(file).iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, kinds, "{file}");
        for one in documents(file) {
            assert!(one["apiVersion"].is_string() && one["metadata"]["name"].is_string(), "{file}: {one}");
        }
    }
    for file in FRAGMENTS {
        assert_eq!(documents(file).len(), 1, "{file}");
    }
    let known: BTreeSet<_> = MANIFESTS.iter().map(|(file, _)| *file).chain(FRAGMENTS).collect();
    for file in deployed() {
        let elsewhere = file.starts_with("deploy/envoy/") || file.starts_with("deploy/demo/");
        assert!(
            elsewhere || file.ends_with("/bouncer.yaml") || known.contains(&*file),
            "{file} is unchecked"
        );
    }
}

#[test]
fn relative_links_and_headings_exist() {
    let readme = readme();
    let headings: BTreeSet<_> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or(line.strip_prefix("### ")))
        .map(|heading| heading.to_lowercase().replace(',', "").replace(' ', "-"))
        .collect();
    let mut seen = 0;
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
        seen += 1;
        match link.strip_prefix('#') {
            Some(heading) => assert!(headings.contains(heading), "no heading for #{heading}"),
            None => assert!(top().join(link).exists(), "{link} does not exist"),
        }
    }
    assert!(seen > 20);
}

#[test]
fn the_refusals_are_all_there_is() {
    let mut told: Vec<_> = rows("Refusals").iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut real: Vec<_> =
        Code::ALL.iter().map(|code| (code.status().to_string(), format!("`{}`", code.as_str()))).collect();
    told.sort();
    real.sort();
    assert_eq!(told, real);
    for (row, code) in rows("Refusals").iter().flat_map(|row| Code::ALL.map(|code| (row.clone(), code))) {
        if row[1] == format!("`{}`", code.as_str()) {
            let retry = code.retry_after_seconds().map(|seconds| format!("`Retry-After: {seconds}`"));
            assert!(retry.is_none_or(|retry| row[2].contains(&retry)), "{row:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_metrics_are_those_of_a_server_that_just_started() {
    let text = json!({
        "listen": {"grpc": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "callers": {"mtls": {"trust_domains": ["a.example"]}},
    });
    let config = config::from_text(Path::new("bouncer.yaml"), &text.to_string()).unwrap();
    let (app, _reloader) = App::start(config, Arc::new(SystemClock)).await.unwrap();
    let mut admin = TcpStream::connect(app.admin().unwrap()).await.unwrap();
    admin.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    admin.read_to_string(&mut page).await.unwrap();

    let told: BTreeSet<_> =
        rows("Metrics and logs").iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    let real: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() })
        .collect();
    assert_eq!(told, real);
    assert!(page.contains("\nbouncer_config_generation 1\n"), "{page}");
}

#[test]
fn the_matrix_is_that_of_the_program() {
    let columns: [&[AuthType]; 4] = [
        &[AuthType::ApiKey],
        &[AuthType::OAuth2, AuthType::Oidc],
        &[AuthType::AwsSigV4],
        &[AuthType::AzureAd],
    ];
    let table: Vec<_> = rows("Configuration").into_iter().filter(|row| row.len() == 5).collect();
    let rows: Vec<_> = table.iter().filter(|row| row[0] != "provider").collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let kind = ProviderKind::parse(row[0].split(',').next().unwrap()).unwrap();
        for (cell, types) in row[1..].iter().zip(columns) {
            for auth in types {
                let known = kind.auth_types().contains(auth);
                let expected = if !known {
                    "–"
                } else if serves(kind, *auth) {
                    "●"
                } else {
                    "○"
                };
                assert_eq!(cell, expected, "{row:?} {auth}");
            }
        }
    }
}

#[test]
fn every_key_of_an_entry_is_told() {
    for key in config::schema()["$defs"]["Provider"]["properties"].as_object().unwrap().keys() {
        let forms = [format!("{key}`"), format!("{key}:")];
        assert!(forms.iter().any(|form| has_word(&readme(), form)), "{key}");
    }
}

#[test]
fn causes_in_the_troubleshooting_are_the_programs_own_words() {
    let sources = sources(&top().join("src"));
    let mut seen = 0;
    for row in rows("Troubleshooting") {
        let quoted: Vec<_> = row[0].split('`').skip(1).step_by(2).collect();
        let causes = quoted.iter().filter_map(|text| text.strip_prefix("cause=\""));
        let further = quoted.iter().copied().filter(|_| row[0].starts_with("... "));
        for cause in causes.chain(further) {
            let words = cause.trim_end_matches('"').trim_start_matches("token not accepted: ");
            let words = words.trim_end_matches("...").trim_end().trim_end_matches(':');
            assert!(sources.contains(words), "nothing says {words:?}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
}

fn serves(kind: ProviderKind, auth: AuthType) -> bool {
    let mut entry = json!({"provider": kind.as_str(), "auth_type": auth.as_str(), "credential_ref": "a"});
    let url = json!("https://a.example");
    match auth {
        AuthType::OAuth2 if kind != ProviderKind::Vertex => entry["token_endpoint"] = url,
        AuthType::Oidc if kind != ProviderKind::Vertex => entry["issuer"] = url,
        AuthType::AwsSigV4 => entry["aws"] = json!({"service": "bedrock"}),
        AuthType::AzureAd => entry["scopes"] = json!(["https://a.example/.default"]),
        _ => {}
    }
    let text = json!({
        "listen": {"grpc": "127.0.0.1:1"},
        "callers": {"mtls": {"trust_domains": ["a.example"]}},
        "providers": [entry],
    });
    config::from_text(Path::new("bouncer.yaml"), &text.to_string()).is_ok()
}

#[track_caller]
fn loads(name: &str, text: &str) {
    match config::from_text(&top().join(name), text) {
        Ok(config) => assert_eq!(config.warnings, [], "{name}"),
        Err(faults) => panic!("{name}:\n{}", config::report::text(&faults)),
    }
}

/// `make` targets exist; subcommands of bouncer exist and know the options.
fn commands(text: &str) {
    let targets = read("Makefile");
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let command = line.split(" #").next().unwrap().split('>').next().unwrap();
        let words: Vec<_> = command.split_whitespace().collect();
        match words[..] {
            ["make", target, ..] => assert!(targets.contains(&format!("\n{target}:")), "{line}"),
            ["bouncer", subcommand, ref rest @ ..] => {
                // The one command that has commands of its own.
                let nested = rest.first().filter(|_| subcommand == "sigv4");
                let help = Command::new(env!("CARGO_BIN_EXE_bouncer"))
                    .arg(subcommand)
                    .args(nested)
                    .arg("--help")
                    .output()
                    .unwrap();
                assert!(help.status.success(), "{line}");
                let help = String::from_utf8(help.stdout).unwrap();
                let mut options = rest.iter().filter(|word| word.starts_with("--"));
                assert!(options.all(|option| has_word(&help, option)), "{line}");
            }
            _ => panic!("an unchecked command: {line}"),
        }
    }
}

/// A bootstrap with this HTTP filter of Istio's and the cluster that it names.
fn around(filter: Value) -> String {
    let cluster = filter["typed_config"]["grpc_service"]["envoy_grpc"]["cluster_name"].clone();
    let router = json!({"name": "envoy.filters.http.router", "typed_config":
        {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "a",
        "route_config": {},
        "http_filters": [filter, router],
    });
    json!({"static_resources": {
        "listeners": [{
            "name": "a",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters":
                [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
        }],
        "clusters": [{"name": cluster, "type": "STATIC", "load_assignment": {"cluster_name": cluster}}],
    }})
    .to_string()
}

/// Makes every file that the bootstraps name. Returns their folder with a slash at its end.
fn certificates(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for name in ["server", "envoy", "clients-ca", "bouncer-ca", "ca-certificates"] {
        fs::write(folder.join(format!("{name}.crt")), made.cert.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    }
    format!("{}/", folder.display())
}

fn envoy(version: &str) -> PathBuf {
    let tools = std::env::var_os("BOUNCER_TOOLS").map_or_else(|| top().join("target/tools"), PathBuf::from);
    let program = tools.join("envoy").join(version).join("envoy");
    assert!(program.exists(), "{} is missing: run scripts/tools.sh", program.display());
    program
}

/// The ConfigMaps' data under `key`, with the file that they stand in.
fn embedded(key: &str) -> Vec<(String, String)> {
    let with_data =
        MANIFESTS.iter().flat_map(|(file, _)| documents(file).into_iter().map(move |one| (*file, one)));
    with_data
        .filter_map(|(file, one)| Some((format!("{file} ({key})"), one["data"][key].as_str()?.to_owned())))
        .collect()
}

fn documents(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every YAML file below `deploy/`, by its path from the top.
fn deployed() -> Vec<String> {
    let mut files = Vec::new();
    for folder in fs::read_dir(top().join("deploy")).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "yaml") {
                files.push(file.strip_prefix(top()).unwrap().display().to_string());
            }
        }
    }
    files.sort();
    files
}
