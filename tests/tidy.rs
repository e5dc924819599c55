//! The rules of the house that no compiler checks: floors, length, docs, and who alone may do what.
//!
//! Each rule is a function from a file to what is wrong in it, and has a test that shows it a bad sample.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "tidy/rust.rs"]
mod rust;

use std::fs;
use std::path::Path;

use rust::{code, line, used_from, without_tests, words};

/// The floors of the core: synchronous, and nobody's wire format.
const CORE: [&str; 6] = ["base", "request", "identity", "policy", "provider", "credential"];

/// Who may read a secret's value, beside `base/`, which defines how.
const EXPOSE: [&str; 5] =
    ["src/base/", "src/credential/", "src/outbound/", "src/token/", "src/request/mutation.rs"];

/// Who may read it by its other name, `HeaderValue::wire`: what encodes the answers.
const WIRE: [&str; 1] = ["src/envoy/mutation.rs"];

/// Who may take JSON apart or put it together in the core.
const CORE_JSON: [&str; 2] = ["src/identity/", "src/provider/dialect.rs"];

const CLOCK: [&str; 1] = ["src/base/clock.rs"];
const ENVIRONMENT: [&str; 4] =
    ["src/config/", "src/secrets/env.rs", "src/secrets/env/", "src/telemetry/log.rs"];

/// Beginnings of paths that are on the writer's machine only.
const MACHINE: [&str; 5] = ["/work/", "/root/", "/home/", "/Users/", "/tmp/"];

const MAX_LINES: usize = 400;

/// A file of the repository; its path is relative to the top and has `/` in it everywhere.
struct File {
    path: String,
    text: String,
}

type Rule = fn(&File, floors: &[String]) -> Vec<String>;

const RULES: [Rule; 8] = [
    length,
    module_doc,
    upward_use,
    expose_in_its_rooms,
    no_serde_in_the_core,
    clocks_and_environment,
    no_machine_path,
    nothing_left_to_do,
];

#[test]
fn the_house_is_tidy() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let floors = floors(&fs::read_to_string(top.join("src/lib.rs")).unwrap());
    assert!(
        CORE.iter().all(|name| floors.iter().any(|floor| floor == name)),
        "src/lib.rs lists the core: {floors:?}"
    );
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        read(top, folder, &mut files);
    }
    assert!(files.len() > floors.len());
    let wrong: Vec<_> =
        files.iter().flat_map(|file| RULES.iter().flat_map(|rule| rule(file, &floors))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

// ---- the rules

fn length(file: &File, _: &[String]) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        vec![format!("{}: {lines} lines; {MAX_LINES} are the most", file.path)]
    } else {
        Vec::new()
    }
}

fn module_doc(file: &File, _: &[String]) -> Vec<String> {
    let said = file
        .text
        .lines()
        .next()
        .is_some_and(|line| line.strip_prefix("//!").is_some_and(|doc| doc.len() > 1));
    if said { Vec::new() } else { vec![format!("{}:1: begin with a module doc (//!)", file.path)] }
}

/// A module uses its own floor and those above it in the list of `src/lib.rs`.
fn upward_use(file: &File, floors: &[String]) -> Vec<String> {
    let Some(own) = file.floor() else {
        return Vec::new();
    };
    let Some(height) = floors.iter().position(|floor| floor == own) else {
        return vec![format!("{}: src/lib.rs does not list {own}", file.path)];
    };
    let code = code(&file.text);
    let mut used = used_from(&code, "crate::");
    // As many steps up as the file lies deep lead to the top; tests inside a file lie one deeper.
    used.extend(used_from(&without_tests(&code), &"super::".repeat(file.depth())));
    used.extend(used_from(&code, &"super::".repeat(file.depth() + 1)));
    let mut wrong = Vec::new();
    for (at, name) in used {
        if floors.iter().position(|floor| *floor == name).is_none_or(|used| used > height) {
            wrong.push(format!(
                "{}:{}: {own} must not use {name}: it is no floor below",
                file.path,
                line(&code, at)
            ));
        }
    }
    wrong
}

fn expose_in_its_rooms(file: &File, _: &[String]) -> Vec<String> {
    let (code, mut wrong) = (file.own_code(), Vec::new());
    for (word, rooms) in [("expose", &EXPOSE[..]), ("wire()", &WIRE)] {
        if file.is_source() && !file.is_in(rooms) {
            wrong.extend(file.at(&code, word, "a secret's value is not read here"));
        }
    }
    wrong
}

fn no_serde_in_the_core(file: &File, _: &[String]) -> Vec<String> {
    if !file.is_core() || file.is_test() {
        return Vec::new();
    }
    let code = file.own_code();
    let mut wrong = Vec::new();
    for word in ["Serialize", "Deserialize", "schemars", "JsonSchema"] {
        wrong.extend(file.at(&code, word, "no type of the core has a wire format"));
    }
    for word in ["serde", "serde_json"].iter().filter(|_| !file.is_in(&CORE_JSON)) {
        wrong.extend(file.at(&code, word, "the core speaks JSON in identity and in the dialects only"));
    }
    wrong
}

fn clocks_and_environment(file: &File, _: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    if !file.is_source() {
        return wrong;
    }
    let code = file.own_code();
    // tokio's clock stands still in a test that pauses it; outside the core it may tell when to wake up.
    let tokio = !file.is_core() && code.contains("use tokio::time::");
    for word in ["SystemTime::now", "Instant::now"] {
        if !(file.is_in(&CLOCK) || tokio && word == "Instant::now") {
            wrong.extend(file.at(&code, word, "time is an argument: base/clock reads it"));
        }
    }
    if !file.is_in(&ENVIRONMENT) {
        for word in ["env::var", "env::var_os", "env::vars", "env::vars_os"] {
            wrong.extend(file.at(
                &code,
                word,
                "only config/, secrets/env and telemetry/log (RUST_LOG) read the environment",
            ));
        }
    }
    wrong
}

fn no_machine_path(file: &File, _: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for folder in MACHINE.iter().filter(|_| file.path.starts_with("src/")) {
        for (at, _) in file.text.match_indices(folder) {
            // `…/v1/work/x` is some address, `/work/x` is a place on a disk.
            if !file.text[..at].ends_with(|before: char| before.is_alphanumeric() || "-._}*".contains(before))
            {
                wrong.push(format!(
                    "{}:{}: {folder} is on one machine only",
                    file.path,
                    line(&file.text, at)
                ));
            }
        }
    }
    wrong
}

fn nothing_left_to_do(file: &File, _: &[String]) -> Vec<String> {
    if !file.path.starts_with("src/") {
        return Vec::new();
    }
    ["TODO", "FIXME"].iter().flat_map(|word| file.at(&file.text, word, "do it, or open an issue")).collect()
}

// ---- reading

impl File {
    /// The module of `src/lib.rs` that the file belongs to; `lib.rs` and `main.rs` stand above all floors.
    fn floor(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let own = inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(folder, _)| folder);
        (own != "lib" && own != "main").then_some(own)
    }

    fn is_core(&self) -> bool {
        self.floor().is_some_and(|own| CORE.contains(&own))
    }

    /// How many modules lie around its code, its own among them. `a_tests.rs` is the module `tests` of `a.rs`.
    fn depth(&self) -> usize {
        let folders = self.path.trim_end_matches("/mod.rs").matches('/').count();
        folders + usize::from(self.path.ends_with("_tests.rs"))
    }

    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        !self.path.starts_with("src/")
            || self.path.contains("/tests/")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
    }

    fn is_source(&self) -> bool {
        !self.is_test()
    }

    fn is_in(&self, rooms: &[&str]) -> bool {
        rooms.iter().any(|room| {
            self.path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || room.ends_with('/'))
        })
    }

    /// What runs outside tests.
    fn own_code(&self) -> String {
        without_tests(&code(&self.text))
    }

    /// One complaint for each place where `word` stands as a word.
    fn at(&self, text: &str, word: &str, why: &str) -> Vec<String> {
        words(text, word).map(|at| format!("{}:{}: {word}: {why}", self.path, line(text, at))).collect()
    }
}

/// The modules that `src/lib.rs` lists, lowest first.
fn floors(lib: &str) -> Vec<String> {
    let code = code(lib);
    let names = code.lines().filter_map(|line| line.trim().trim_start_matches("pub ").strip_prefix("mod "));
    names.map(|name| name.trim_end_matches(';').to_owned()).collect()
}

fn read(top: &Path, folder: &str, files: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(top.join(folder)) else {
        assert_ne!(folder, "src");
        return;
    };
    for entry in entries.map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(top, &path, files);
        } else if path.ends_with(".rs") {
            files.push(File { text: fs::read_to_string(entry.path()).unwrap(), path });
        }
    }
}

// ---- each rule sees what it is for

/// `rule` finds `wrong` complaints in `text`, were it the file `path`.
#[track_caller]
fn check(rule: Rule, path: &str, text: &str, wrong: usize) {
    let floors = floors(
        "//! The house.\npub mod base;\nmod request;\npub mod identity;\npub mod policy;\npub mod token;\n",
    );
    let found = rule(&File { path: path.to_owned(), text: text.to_owned() }, &floors);
    assert_eq!(found.len(), wrong, "{path}: {text}\n{found:#?}");
}

#[test]
fn a_long_file_is_seen() {
    check(length, "src/base/a.rs", &"\n".repeat(400), 0);
    check(length, "src/base/a.rs", &"\n".repeat(401), 1);
    check(length, "tests/it/a.rs", &"\n".repeat(401), 1);
}

#[test]
fn a_file_without_a_module_doc_is_seen() {
    check(module_doc, "src/base/a.rs", "//! What it is.\nuse x;", 0);
    for text in ["", "//!", "// What it is.\n", "use x;\n//! Late.", "\n//! Late."] {
        check(module_doc, "benches/a.rs", text, 1);
    }
}

#[test]
fn an_upward_use_is_seen_however_it_is_written() {
    for text in [
        "use crate::base::Clock;",
        "use crate::{base, request::{Path, policy}};",
        "use crate::identity::x;",
        "// use crate::policy;",
        "let x = \"crate::policy\";",
        "let x = r#\"\" crate::policy\"#; let y: &'a str = '\"';",
        "use other_crate::policy;",
        "pub(in crate::identity) fn x() {}",
        "use super::policy;",
    ] {
        check(upward_use, "src/identity/a.rs", text, 0);
    }
    for text in [
        "use crate::policy::Permit;",
        "use crate::{base, policy::{Permit, x}};",
        "use crate::{\n    base,\n    token,\n};",
        "fn f() { crate::token::x() }",
        "#[cfg(test)]\nmod tests { use crate::policy; }",
        "use super::super::policy;",
        "use crate::unknown;",
        "use crate::*;",
    ] {
        check(upward_use, "src/identity/a.rs", text, 1);
    }
    check(upward_use, "src/identity/mod.rs", "use super::policy;", 1);
    check(upward_use, "src/identity/mod.rs", "#[cfg(test)]\nmod tests { use super::*; }", 0);
    check(upward_use, "src/identity/a.rs", "#[cfg(test)]\nmod tests { use super::super::b; }", 0);
    check(upward_use, "src/identity/a.rs", "#[cfg(test)]\nmod tests { use super::super::super::policy; }", 1);
    check(upward_use, "src/identity/a_tests.rs", "use super::super::b;", 0);
    check(upward_use, "src/identity/a_tests.rs", "use super::super::super::policy;", 1);
    check(upward_use, "src/attic/a.rs", "", 1);
    check(upward_use, "src/main.rs", "use crate::unknown;", 0);
}

#[test]
fn a_secret_that_is_read_outside_its_rooms_is_seen() {
    for text in
        ["key.expose()", "keys.map(Secret::expose)", "#[cfg(test)]\nmod tests { }\nfn f() { key.expose() }"]
    {
        check(expose_in_its_rooms, "src/policy/a.rs", text, 1);
        check(expose_in_its_rooms, "src/request/headers.rs", text, 1);
        check(expose_in_its_rooms, "src/token/a.rs", text, 0);
        check(expose_in_its_rooms, "src/request/mutation.rs", text, 0);
        check(expose_in_its_rooms, "src/policy/tests.rs", text, 0);
        check(expose_in_its_rooms, "src/policy/a_tests.rs", text, 0);
        check(expose_in_its_rooms, "src/policy/contests.rs", text, 1);
    }
    check(expose_in_its_rooms, "src/telemetry/log.rs", "line.value.wire()", 1);
    check(expose_in_its_rooms, "src/envoy/mutation.rs", "line.value.wire()", 0);
    check(
        expose_in_its_rooms,
        "src/policy/a.rs",
        "// .expose()\n#[cfg(test)]\nmod tests { fn f() { { key.expose() } } }",
        0,
    );
}

#[test]
fn serde_in_the_core_is_seen() {
    for text in ["use serde::Deserialize as D;", "#[derive(Serialize, JsonSchema)]"] {
        check(no_serde_in_the_core, "src/policy/a.rs", text, 2);
        check(no_serde_in_the_core, "src/token/a.rs", text, 0);
    }
    check(no_serde_in_the_core, "src/policy/a.rs", "serde_json::from_str(x)", 1);
    check(no_serde_in_the_core, "src/provider/dialect.rs", "use serde_json::Value;", 0);
    check(no_serde_in_the_core, "src/identity/jwt.rs", "use serde_json::Value;", 0);
    check(no_serde_in_the_core, "src/identity/jwt.rs", "use serde::de::Visitor;", 0);
    check(no_serde_in_the_core, "src/identity/jwt.rs", "#[derive(serde::Deserialize)]", 1);
}

#[test]
fn a_clock_or_the_environment_read_elsewhere_is_seen() {
    for text in ["Instant::now()", "std::time::SystemTime::now()", "std::env::var(\"X\")", "env::vars_os()"] {
        check(clocks_and_environment, "src/policy/a.rs", text, 1);
        check(clocks_and_environment, "src/policy/a.rs", &format!("#[cfg(test)]\nfn f() {{ {text} }}"), 0);
    }
    check(
        clocks_and_environment,
        "src/token/a.rs",
        "use tokio::time::Instant;\nfn f() { Instant::now(); }",
        0,
    );
    check(
        clocks_and_environment,
        "src/policy/a.rs",
        "use tokio::time::Instant;\nfn f() { Instant::now(); }",
        1,
    );
    check(clocks_and_environment, "src/base/clock.rs", "Instant::now()", 0);
    check(clocks_and_environment, "src/base/clock.rs", "env::var(x)", 1);
    check(clocks_and_environment, "src/config/a.rs", "env::var(x)", 0);
}

#[test]
fn a_path_of_one_machine_is_seen() {
    check(no_machine_path, "src/base/a.rs", "// see /home/me/x", 1);
    check(no_machine_path, "src/base/a.rs", "\"/work/x\" \"/root/y\"", 2);
    check(no_machine_path, "src/base/a.rs", "\"/v1/work/x\" \"https://x/home/y\"", 0);
}

#[test]
fn work_left_over_is_seen() {
    check(nothing_left_to_do, "src/base/a.rs", "// TODO: more\n// FIXME", 2);
    check(nothing_left_to_do, "src/base/a.rs", "const TODOS: u8 = 1;", 0);
}
