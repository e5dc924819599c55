//! From files to a [`Config`]: every document, every section, every fault.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::entry::{self, Around};
use super::environment::Environment;
use super::place::{At, Faults};
use super::schema::Form;
use super::settings::{Config, FileStore, OnNoProvider, ProviderEntry};
use super::structure::{self, Checked};
use super::{audit, callers, files, limits, listen, mfa, raw, words};
use crate::base::{Fault, Place, Severity};
use crate::provider::{Catalog, Provider};

/// Reads the configuration: the file and the entries of its `providers_dir`.
///
/// # Errors
/// Every fault and every warning, in the order of files, lines and columns. At least one is a fault.
pub fn load(path: &Path) -> Result<Config, Vec<Fault>> {
    load_in(path, Environment::of_process())
}

/// The same in this environment.
pub(super) fn load_in(path: &Path, environment: Environment) -> Result<Config, Vec<Fault>> {
    let faults = Faults::default();
    match files::read(&Arc::from(path), &faults) {
        Some(text) => from_text_in(path, &text, environment),
        None => Err(faults.sorted()),
    }
}

/// The same with the text of the file at hand; `file` says what its paths are relative to.
///
/// # Errors
/// As [`load`].
pub fn from_text(file: &Path, text: &str) -> Result<Config, Vec<Fault>> {
    from_text_in(file, text, Environment::of_process())
}

/// The same in this environment.
pub(super) fn from_text_in(file: &Path, text: &str, environment: Environment) -> Result<Config, Vec<Fault>> {
    let file: Arc<Path> = Arc::from(file);
    let faults = Faults::default();
    let config = structure::check(Form::Document, &file, text, &faults).and_then(|main| {
        let config = document(&main, environment, &faults);
        main.finish(&faults);
        config
    });
    match config {
        Some(config) if !faults.any() => Ok(Config { warnings: faults.sorted(), ..config }),
        _ => {
            if !faults.any() {
                let what = "the configuration cannot be used, and the reason was not noted".to_owned();
                let place = Some(Place { file, line: 1, column: 1 });
                faults.push(Fault {
                    severity: Severity::Fault,
                    place,
                    path: String::new(),
                    what,
                    allowed: None,
                });
            }
            Err(faults.sorted())
        }
    }
}

fn document(main: &Checked, environment: Environment, faults: &Faults) -> Option<Config> {
    let raw: raw::Document = main.typed(faults)?;
    let at = At::root(&main.source, faults);
    let limits = limits::limits(raw.limits.as_ref(), &at.key("limits"));
    let listen = raw.listen.and_then(|raw| listen::listen(raw, &at.key("listen")));
    let admin = raw.admin.map(|raw| listen::admin(&raw, listen.as_ref(), &at.key("admin")));
    let around = Around {
        mfa: mfa::fields(raw.mfa.as_ref(), &at.key("mfa")),
        issuer_without_mfa: callers::has_issuer_without_mfa(raw.callers.as_ref()),
        // Where `callers` itself is broken nothing can be said.
        tokens: raw.callers.as_ref().is_none_or(|raw| raw.jwt.is_some())
            || at.key("callers").key("jwt").was_skipped(),
        environment,
    };
    let callers = raw.callers.and_then(|raw| callers::callers(raw, &limits, &at.key("callers")));
    let audit = raw.audit.map(|raw| audit::audit(&raw, &at.key("audit"))).unwrap_or_default();
    let providers_dir = raw.providers_dir.map(|text| at.relative(&text));
    let providers = providers(providers_dir.as_deref(), raw.providers, &around, &at);
    Some(Config {
        file: main.source.file.to_path_buf(),
        providers_dir,
        listen: listen?,
        admin: match admin {
            Some(None) => return None,
            Some(admin) => admin,
            None => None,
        },
        callers: callers?,
        providers,
        store: store(raw.secrets, &at),
        audit,
        on_no_provider: match raw.on_no_provider {
            None | Some(raw::OnNoProvider::Deny) => OnNoProvider::Deny,
            Some(raw::OnNoProvider::Pass) => OnNoProvider::Pass,
        },
        limits,
        warnings: Vec::new(),
    })
}

fn store(raw: Option<raw::Secrets>, at: &At<'_>) -> FileStore {
    let raw = raw.unwrap_or(raw::Secrets { store: None, file: None });
    let raw::Store::File = raw.store.unwrap_or(raw::Store::File);
    let root = raw.file.and_then(|file| file.root);
    FileStore { root: at.relative(root.as_deref().unwrap_or("secrets")) }
}

/// Entries that are right, with the place of each.
#[derive(Default)]
struct Entries {
    right: Vec<(ProviderEntry, Place, String)>,
    names: HashMap<String, Place>,
}

fn providers(
    folder: Option<&Path>,
    list: Option<raw::Items<raw::Provider>>,
    around: &Around,
    at: &At<'_>,
) -> Vec<ProviderEntry> {
    let mut entries = Entries::default();
    let files = folder.and_then(|folder| files::entries(folder, &at.key("providers_dir")));
    for file in files.into_iter().flatten() {
        entries.add_file(&file, around, at.faults());
    }
    for (index, raw) in list.iter().flat_map(raw::Items::iter) {
        entries.add(raw, around, &at.key("providers").index(index));
    }
    tell_conflicts(&entries, at.faults());
    entries.right.into_iter().map(|(entry, ..)| entry).collect()
}

impl Entries {
    fn add_file(&mut self, file: &Path, around: &Around, faults: &Faults) {
        let file: Arc<Path> = Arc::from(file);
        let Some(text) = files::read(&file, faults) else { return };
        let Some(checked) = structure::check(Form::Entry, &file, &text, faults) else { return };
        if let Some(raw) = checked.typed(faults) {
            self.add(&raw, around, &At::root(&checked.source, faults));
        }
        checked.finish(faults);
    }

    fn add(&mut self, raw: &raw::Provider, around: &Around, at: &At<'_>) {
        let mut known = false;
        if let Some(name) = entry::name(raw) {
            let named_at = at.key(if raw.name.is_some() { "name" } else { "provider" });
            if let Some(first) = self.names.get(name) {
                named_at.fault(
                    format!("another entry has the same name, at {first}"),
                    "a name of its own, with the key name".to_owned(),
                );
                known = true;
            } else {
                self.names.insert(name.to_owned(), named_at.place());
            }
        }
        let entry = entry::entry(raw, around, at);
        if let Some(entry) = entry.filter(|_| !known) {
            let at = at.key("match");
            self.right.push((entry, at.place(), at.path()));
        }
    }
}

/// Two entries that could take the same request: a fault of the second.
fn tell_conflicts(entries: &Entries, faults: &Faults) {
    let providers: Vec<Provider> = entries.right.iter().map(|(entry, ..)| entry.provider.clone()).collect();
    let Err(conflicts) = Catalog::new(providers) else { return };
    for conflict in conflicts {
        let first =
            entries.right.get(conflict.entries.0).map_or("another", |(entry, ..)| &entry.provider.name);
        let second = entries.right.get(conflict.entries.1);
        faults.push(Fault {
            severity: Severity::Fault,
            place: second.map(|(_, place, _)| place.clone()),
            path: second.map(|(.., path)| path.clone()).unwrap_or_default(),
            what: format!("entry {first} takes the same requests: {}", words::cut(&conflict.fact, 200)),
            allowed: Some("each request for one entry only".to_owned()),
        });
    }
}
