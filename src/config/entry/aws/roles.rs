//! `roles`: each by itself, then what AWS holds against a chain of them
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).

use std::collections::BTreeMap;
use std::time::Duration;

use super::{formed, tags};
use crate::config::limits;
use crate::config::place::At;
use crate::config::raw::{self, Items, MOST_ROLES};
use crate::token::Role;

const MINUTE: Duration = Duration::from_secs(60);
const SHORTEST: Duration = MINUTE.saturating_mul(15);
const LONGEST: Duration = MINUTE.saturating_mul(12 * 60);
/// The session of a role that is assumed by a role.
const CHAINED: Duration = MINUTE.saturating_mul(60);

const ARNS: &str = "arn:aws:iam::<account of 12 digits>:role/<path and name>";
const NAMES: &str = "2 to 64 letters, digits and _+=,.@-";

/// Whose keys assume the first role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The secret's: they may be those of an IAM user. What it holds is known when it is read.
    Secret,
    /// The machine's, which has a role already.
    Ambient,
}

/// What the roles before one have settled.
#[derive(Debug, Default)]
struct Chain<'r> {
    /// In lower case: IAM's names differ by more than that.
    arns: BTreeMap<String, usize>,
    partition: Option<(String, &'r str)>,
    source_identity: Option<(usize, &'r str)>,
    transitive: tags::Transitive,
}

/// Reads `roles`, of which those of a region lie in its `partition`. What is wrong is told and left out.
pub(super) fn roles(
    raw: &Items<raw::Role>,
    base: Base,
    partition: Option<&'static str>,
    at: &At<'_>,
) -> Vec<Role> {
    if !at.has_form() {
        at.fault("has too many roles", format!("at most {MOST_ROLES}"));
    }
    let mut chain =
        Chain { partition: partition.map(|name| ("the region".to_owned(), name)), ..Chain::default() };
    let mut roles = Vec::new();
    for (index, raw) in raw.iter() {
        let at = at.index(index);
        roles.push(role(raw, index, base, &at));
        chain.add(raw, index, &at);
    }
    roles
}

fn role(raw: &raw::Role, index: usize, base: Base, at: &At<'_>) -> Role {
    let text =
        |text: &Option<String>, key, what, allowed| formed(text.as_deref(), what, allowed, &at.key(key));
    Role {
        arn: text(&raw.arn, "arn", "is not the ARN of a role", ARNS).unwrap_or_default(),
        external_id: text(
            &raw.external_id,
            "external_id",
            "is not an external ID",
            "2 to 1224 letters, digits and _+=,.@:/-",
        ),
        session_name: text(&raw.session_name, "session_name", "is not the name of a session", NAMES),
        duration: raw.duration.as_ref().and_then(|raw| duration(raw, index, base, &at.key("duration"))),
        tags: tags::tags(raw, &at.key("tags")),
        transitive_tags: tags::transitive(raw, at),
        source_identity: text(&raw.source_identity, "source_identity", "is not a source identity", NAMES),
    }
}

fn duration(raw: &raw::DurationText, index: usize, base: Base, at: &At<'_>) -> Option<Duration> {
    let duration = limits::duration(raw, at)?;
    let (longest, most, why) = match (index, base) {
        (0, Base::Secret) => (LONGEST, "12h", ""),
        (0, Base::Ambient) => {
            (CHAINED, "1h", ": without credential_ref it is the machine's own role that assumes it")
        }
        _ => (CHAINED, "1h", ": no role that is assumed by another one has more"),
    };
    let what = if duration < SHORTEST {
        "is less than 15m".to_owned()
    } else if duration > longest {
        format!("is more than {most}{why}")
    } else if duration.subsec_nanos() != 0 {
        "has a part of a second".to_owned()
    } else {
        return Some(duration);
    };
    at.fault(what, format!("whole seconds, 15m to {most}"));
    None
}

impl<'r> Chain<'r> {
    fn add(&mut self, raw: &'r raw::Role, index: usize, at: &At<'_>) {
        let arn_at = at.key("arn");
        if let Some(arn) = raw.arn.as_deref().filter(|_| arn_at.has_form()) {
            self.add_arn(arn, index, &arn_at);
        }
        let identity_at = at.key("source_identity");
        if let Some(identity) = raw.source_identity.as_deref().filter(|_| identity_at.has_form()) {
            match self.source_identity {
                Some((first, other)) if other != identity => identity_at.fault(
                    format!(
                        "is another one than that of roles[{first}], and it stays the same along the chain"
                    ),
                    format!("the same; or only that of roles[{first}]"),
                ),
                Some(_) => {}
                None => self.source_identity = Some((index, identity)),
            }
        }
        self.transitive.add(raw, index, at);
    }

    fn add_arn(&mut self, arn: &'r str, index: usize, at: &At<'_>) {
        if let Some(first) = self.arns.get(&arn.to_ascii_lowercase()) {
            at.fault(
                format!("is the role of roles[{first}] again: the chain is a circle"),
                "each role once".to_owned(),
            );
        } else {
            self.arns.insert(arn.to_ascii_lowercase(), index);
        }
        let partition = arn.split(':').nth(1).unwrap_or_default();
        match &self.partition {
            Some((who, other)) if *other != partition => at.fault(
                format!("is in the partition {partition}, and {who} is in {other}: no role leads from one to the other"),
                format!("a role in {other}"),
            ),
            Some(_) => {}
            None => self.partition = Some((format!("roles[{index}]"), partition)),
        }
    }
}
