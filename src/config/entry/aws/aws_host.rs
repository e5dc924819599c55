//! What a host of AWS says of itself.

/// A host of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AwsHost<'a> {
    /// Its service, as it stands in a signature.
    pub(super) service: &'a str,
    /// Its region.
    pub(super) region: &'a str,
}

/// What `host` says, without its port; none: it is no regional host of AWS.
pub(super) fn aws_host(host: &str) -> Option<AwsHost<'_>> {
    let name = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"]
        .iter()
        .find_map(|suffix| host.strip_suffix(suffix))?;
    let name = name.strip_suffix(".vpce").unwrap_or(name);
    let (rest, region) = name.rsplit_once('.')?;
    let service = rest.rsplit_once('.').map_or(rest, |(_, service)| service);
    let service = service.strip_suffix("-fips").unwrap_or(service);
    let service = match service {
        "bedrock-runtime" | "bedrock-agent" | "bedrock-agent-runtime" => "bedrock",
        other => other,
    };
    super::region::is_region(region).then_some(AwsHost { service, region })
}
