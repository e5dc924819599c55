//! Hosts of AWS: which service and region they are of, and the host of a region.
//!
//! The partitions are those of botocore's `partitions.json`, the names of the services those of its models
//! (`endpointPrefix`, `signingName`).

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// What the host of a service's regional endpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsHost<'h> {
    /// Name of the service in a signature; none where the host leaves it open.
    pub service: Option<&'static str>,
    /// Region.
    pub region: Cow<'h, str>,
}

/// Endpoint prefix of the service that models are called at.
pub const BEDROCK_RUNTIME: &str = "bedrock-runtime";

/// A part of AWS with its own names.
struct Partition {
    /// Its name in ARNs.
    name: &'static str,
    /// How the names of its regions begin.
    regions: &'static [&'static str],
    suffix: &'static str,
    dual_stack: &'static str,
}

/// Endpoint prefixes, and the names that are signed for them.
const SERVICES: [(&str, &str); 11] = [
    (BEDROCK_RUNTIME, "bedrock"),
    ("bedrock", "bedrock"),
    (MANTLE, MANTLE),
    ("bedrock-agent", "bedrock"),
    ("bedrock-agent-runtime", "bedrock"),
    ("bedrock-data-automation", "bedrock"),
    ("bedrock-data-automation-runtime", "bedrock"),
    ("bedrock-agentcore", "bedrock-agentcore"),
    ("bedrock-agentcore-control", "bedrock-agentcore"),
    ("runtime.sagemaker", "sagemaker"),
    ("execute-api", "execute-api"),
];

/// Bedrock's endpoint of OpenAI's kind. It has dual-stack hosts only.
pub(super) const MANTLE: &str = "bedrock-mantle";

/// The commercial one is looked at first, and has the regions that none of the others has.
const PARTITIONS: [Partition; 8] = [
    Partition {
        name: "aws",
        regions: &["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"],
        suffix: "amazonaws.com",
        dual_stack: "api.aws",
    },
    Partition {
        name: "aws-cn",
        regions: &["cn-"],
        suffix: "amazonaws.com.cn",
        dual_stack: "api.amazonwebservices.com.cn",
    },
    Partition { name: "aws-us-gov", regions: &["us-gov-"], suffix: "amazonaws.com", dual_stack: "api.aws" },
    Partition { name: "aws-iso", regions: &["us-iso-"], suffix: "c2s.ic.gov", dual_stack: "api.aws.ic.gov" },
    Partition {
        name: "aws-iso-b",
        regions: &["us-isob-"],
        suffix: "sc2s.sgov.gov",
        dual_stack: "api.aws.scloud",
    },
    Partition {
        name: "aws-iso-f",
        regions: &["us-isof-"],
        suffix: "csp.hci.ic.gov",
        dual_stack: "api.aws.hci.ic.gov",
    },
    Partition {
        name: "aws-iso-e",
        regions: &["eu-isoe-"],
        suffix: "cloud.adc-e.uk",
        dual_stack: "api.cloud-aws.adc-e.uk",
    },
    Partition {
        name: "aws-eusc",
        regions: &["eusc-"],
        suffix: "amazonaws.eu",
        dual_stack: "api.amazonwebservices.eu",
    },
];

/// Reads `host`, in any case, with or without a port and the dot of the root. None for a host that is not a regional endpoint
/// of AWS, however much it looks like one.
#[must_use]
pub fn aws_host(host: &str) -> Option<AwsHost<'_>> {
    let name = without_port(host)?;
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        return None;
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let lower = name.to_ascii_lowercase();
        let (service, region) = regional(&lower)?;
        return Some(AwsHost { service, region: Cow::Owned(region.to_owned()) });
    }
    let (service, region) = regional(name)?;
    Some(AwsHost { service, region: Cow::Borrowed(region) })
}

/// The host of `prefix` in `region`, as SDKs make it.
#[must_use]
pub fn default_host(prefix: &str, region: &str) -> String {
    // A region that is newer than this table is most likely a commercial one.
    let suffix = match (prefix, partition(region)) {
        (MANTLE, partition) => partition.map_or("api.aws", |partition| partition.dual_stack),
        (_, partition) => partition.map_or("amazonaws.com", |partition| partition.suffix),
    };
    format!("{prefix}.{region}.{suffix}")
}

/// The partition that `region` lies in, as ARNs name it: neither credentials nor roles lead out of it.
#[must_use]
pub fn aws_partition(region: &str) -> &'static str {
    partition(region).map_or("aws", |partition| partition.name)
}

/// The name that is signed for an endpoint prefix.
#[must_use]
pub fn signing_name(prefix: &str) -> Option<&'static str> {
    SERVICES.iter().find(|(known, _)| *known == prefix).map(|(_, name)| *name)
}

/// Whether `region` can stand in a host and in a credential scope. It need not be one that is known.
#[must_use]
pub fn is_valid_region(region: &str) -> bool {
    region.len() <= 63
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && region.bytes().any(|byte| byte.is_ascii_lowercase())
        && !region.starts_with('-')
        && !region.ends_with('-')
}

/// Whether `host` is a name or an address, with a port or without.
pub(super) fn is_valid_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_name = |name: &str| {
        let name = name.strip_suffix('.').unwrap_or(name);
        name.len() <= 253
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            })
    };
    let is_host = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name(name),
    };
    is_host && port.is_none_or(is_port)
}

/// Whether two spellings are one host: case, the dot of the root and the port of HTTPS make no difference.
pub(super) fn is_same_host(a: &str, b: &str) -> bool {
    fn plain(host: &str) -> (&str, &str) {
        let (name, port) = host.rsplit_once(':').filter(|(_, port)| is_port(port)).unwrap_or((host, "443"));
        (name.strip_suffix('.').unwrap_or(name), port)
    }
    let ((a, a_port), (b, b_port)) = (plain(a), plain(b));
    a.eq_ignore_ascii_case(b) && a_port == b_port
}

fn without_port(host: &str) -> Option<&str> {
    match host.split_once(':') {
        None => Some(host),
        Some((name, port)) => is_port(port).then_some(name),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Service and region of a name in lower case: `{service}[-fips].{region}.{suffix}`, or that of a VPC endpoint
/// (`vpce-…[-zone].{service}.{region}.vpce.{suffix}`).
fn regional(name: &str) -> Option<(Option<&'static str>, &str)> {
    PARTITIONS.iter().find_map(|partition| {
        let below = |suffix| name.strip_suffix(suffix)?.strip_suffix('.');
        let rest = below(partition.suffix).or_else(|| below(partition.dual_stack))?;
        let (rest, vpc) = match rest.strip_suffix(".vpce") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (mut prefix, region) = rest.rsplit_once('.')?;
        if !is_region_of(partition, region) || prefix.split('.').any(str::is_empty) {
            return None;
        }
        if vpc {
            let (id, service) = prefix.split_once('.')?;
            id.starts_with("vpce-").then_some(())?;
            prefix = service;
        }
        Some((service(prefix), region))
    })
}

fn service(prefix: &str) -> Option<&'static str> {
    let prefix = prefix.strip_suffix("-fips").unwrap_or(prefix);
    // An API of API Gateway has its own name before that of the service.
    signing_name(prefix).or_else(|| prefix.ends_with(".execute-api").then_some("execute-api"))
}

fn partition(region: &str) -> Option<&'static Partition> {
    PARTITIONS.iter().rev().find(|partition| partition.regions.iter().any(|start| region.starts_with(start)))
}

/// Whether it is a region of this partition and of none after it: `us-gov-west-1` is not one of `us-`.
fn is_region_of(own: &'static Partition, region: &str) -> bool {
    let number = region.rsplit_once('-').map_or("", |(_, number)| number);
    is_valid_region(region)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && partition(region).is_some_and(|found| std::ptr::eq(found, own))
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
