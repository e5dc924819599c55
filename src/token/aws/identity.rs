//! With which identity it begins: what the secret names, else that of where this runs.

use std::path::PathBuf;

use super::fit;
use super::session_name::session_name;
use crate::base::Secret;
use crate::credential::AwsKeys;
use crate::token::{AwsSettings, KeyFault, Material, Role, SecretFault, WebIdentity};

/// The identity that it begins with.
#[derive(Debug)]
pub(super) enum Base {
    /// Keys that the secret holds.
    Keys(AwsKeys),
    /// A role, for the token in a file.
    WebIdentity(WebIdentityRole),
    /// Whatever the SDK's default chain finds.
    Ambient,
}

/// A role, for the token in a file.
#[derive(Debug)]
pub(super) struct WebIdentityRole {
    pub(super) role_arn: String,
    pub(super) token_file: PathBuf,
    pub(super) session_name: String,
}

/// An identity, and the role that the secret wants assumed with it.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) base: Base,
    pub(super) role: Option<Role>,
}

/// What names an identity that is not the machine's.
const NAMED: [&str; 3] = ["access_key_id", "secret_access_key", "web_identity_token_file"];

impl Identity {
    /// What `material` names. Without a secret it is the machine's.
    ///
    /// # Errors
    /// [`SecretFault`]: the secret names half of an identity, or two of them.
    pub(super) fn of(settings: &AwsSettings, material: &Material) -> Result<Self, SecretFault> {
        if material.name().is_empty() {
            return Ok(Self { base: Base::Ambient, role: None });
        }
        let keys = keys(material)?;
        let file = token_file(material)?;
        let role = role(material)?;
        match (keys, file, role) {
            // Who fills the secret meant these keys to lead to a role; by themselves they may do more.
            (Some(_), None, None) if let Some(blank) = material.blank(&["role_arn"]) => {
                Err(material.lacks(blank))
            }
            (Some(_), Some(_), _) => Err(SecretFault::Several {
                name: material.name().to_owned(),
                keys: "access_key_id, web_identity_token_file",
            }),
            (Some(keys), None, role) => Ok(Self { base: Base::Keys(keys), role }),
            (None, Some(_), None) => Err(material.lacks("role_arn")),
            (None, Some(_), Some(Role { external_id: Some(_), .. })) => Err(SecretFault::Beside {
                name: material.name().to_owned(),
                key: "external_id",
                other: "web_identity_token_file",
            }),
            (None, Some(token_file), Some(role)) => Ok(web_identity(settings, role, token_file, None)),
            // Who fills the secret meant another identity than the machine's.
            (None, None, Some(_)) if let Some(blank) = material.blank(&NAMED) => Err(material.lacks(blank)),
            (None, None, Some(role)) => Ok(match own_web_identity(settings, &role) {
                Some(WebIdentity { token_file, session_name, .. }) => {
                    web_identity(settings, role, token_file.clone(), session_name.clone())
                }
                None => Self { base: Base::Ambient, role: Some(role) },
            }),
            (None, None, None) => {
                Err(material.lacks("access_key_id with secret_access_key, role_arn, web_identity_token_file"))
            }
        }
    }
}

/// The pod's token, where it is one for this role: it leads there directly, without the role of the machine in between. A
/// web identity has no external ID.
fn own_web_identity<'s>(settings: &'s AwsSettings, role: &Role) -> Option<&'s WebIdentity> {
    let own = settings.web_identity.as_ref()?;
    let same = own.role_arn.as_ref().is_none_or(|arn| *arn == role.arn);
    (same && role.external_id.is_none()).then_some(own)
}

fn web_identity(
    settings: &AwsSettings,
    role: Role,
    token_file: PathBuf,
    session: Option<String>,
) -> Identity {
    let session = role.session_name.or(session).filter(|name| fit::is_session_name(name));
    let session_name = session.unwrap_or_else(|| session_name(&settings.name));
    let base = Base::WebIdentity(WebIdentityRole { role_arn: role.arn, token_file, session_name });
    Identity { base, role: None }
}

fn keys(material: &Material) -> Result<Option<AwsKeys>, SecretFault> {
    let id = fit::checked(material, "access_key_id", "letters, digits and `_`", fit::is_key_id)?;
    let secret = |key| fit::checked(material, key, "ASCII without white space", fit::is_secret);
    let (key, token) = (secret("secret_access_key")?, secret("session_token")?);
    match (id, key, token) {
        (Some(access_key_id), Some(key), token) => Ok(Some(AwsKeys {
            access_key_id,
            secret_access_key: Secret::new(key),
            session_token: token.map(Secret::new),
        })),
        (None, None, None) => Ok(None),
        (None, ..) => Err(material.lacks("access_key_id")),
        (Some(_), None, _) => Err(material.lacks("secret_access_key")),
    }
}

fn token_file(material: &Material) -> Result<Option<PathBuf>, SecretFault> {
    const KEY: &str = "web_identity_token_file";
    let Some(path) = material.find(KEY).map(|path| PathBuf::from(path.expose())) else { return Ok(None) };
    if path.is_absolute() {
        return Ok(Some(path));
    }
    Err(SecretFault::Key { name: material.name().to_owned(), key: KEY, what: KeyFault::Path })
}

fn role(material: &Material) -> Result<Option<Role>, SecretFault> {
    let external_id = fit::checked(
        material,
        "external_id",
        "2 to 1224 letters, digits and _+=,.@:/-",
        fit::is_external_id,
    )?;
    let session_name =
        fit::checked(material, "session_name", "2 to 64 letters, digits and _+=,.@-", fit::is_session_name)?;
    match fit::role_arn(material)? {
        Some(arn) => Ok(Some(Role { arn, external_id, session_name, ..Role::default() })),
        None if external_id.is_some() || session_name.is_some() => Err(material.lacks("role_arn")),
        None => Ok(None),
    }
}
