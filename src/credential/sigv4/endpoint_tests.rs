//! Hosts of AWS, and what only looks like one.

use super::*;

#[track_caller]
fn check(host: &str, service: &str, region: &str) {
    let found = aws_host(host).unwrap_or_else(|| panic!("{host} is one of AWS"));
    assert_eq!((found.service.unwrap_or("?"), &*found.region), (service, region), "{host}");
}

#[test]
fn a_host_of_aws_says_its_service_and_region() {
    check("bedrock-runtime.us-east-1.amazonaws.com", "bedrock", "us-east-1");
    check("bedrock.eu-west-3.amazonaws.com", "bedrock", "eu-west-3");
    check("bedrock-agent-runtime.eu-west-3.amazonaws.com", "bedrock", "eu-west-3");
    check("bedrock-agentcore.eu-west-3.amazonaws.com", "bedrock-agentcore", "eu-west-3");
    check("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "bedrock", "us-gov-west-1");
    check("bedrock-runtime.us-east-1.api.aws", "bedrock", "us-east-1");
    check("bedrock-runtime-fips.us-east-1.api.aws", "bedrock", "us-east-1");
    check("bedrock-mantle.us-east-2.api.aws", "bedrock-mantle", "us-east-2");
    check("bedrock-runtime.cn-north-1.amazonaws.com.cn", "bedrock", "cn-north-1");
    check("bedrock-runtime.cn-northwest-1.api.amazonwebservices.com.cn", "bedrock", "cn-northwest-1");
    check("bedrock-runtime.eusc-de-east-1.amazonaws.eu", "bedrock", "eusc-de-east-1");
    check("bedrock-runtime.us-iso-east-1.c2s.ic.gov", "bedrock", "us-iso-east-1");
    check("bedrock-runtime.us-isob-east-1.sc2s.sgov.gov", "bedrock", "us-isob-east-1");
    check("bedrock-runtime.us-isof-south-1.csp.hci.ic.gov", "bedrock", "us-isof-south-1");
    check("abc123.execute-api.us-east-1.amazonaws.com", "execute-api", "us-east-1");
    check("runtime.sagemaker.us-east-1.amazonaws.com", "sagemaker", "us-east-1");
}

#[test]
fn the_service_of_a_host_may_stay_open() {
    check("sts.us-east-1.amazonaws.com", "?", "us-east-1");
    check("bedrock-tomorrow.us-east-1.amazonaws.com", "?", "us-east-1");
}

#[test]
fn a_vpc_endpoint_says_them_too() {
    let id = "vpce-0123456789abcdef0-ab12cd34";
    check(&format!("{id}.bedrock-runtime.us-east-1.vpce.amazonaws.com"), "bedrock", "us-east-1");
    check(&format!("{id}-us-east-1a.bedrock-runtime.us-east-1.vpce.amazonaws.com"), "bedrock", "us-east-1");
    check(&format!("{id}.bedrock-runtime-fips.us-east-1.vpce.amazonaws.com"), "bedrock", "us-east-1");
    check(&format!("{id}.bedrock-mantle.us-west-2.vpce.amazonaws.com"), "bedrock-mantle", "us-west-2");
    check(&format!("{id}.bedrock-runtime.cn-north-1.vpce.amazonaws.com.cn"), "bedrock", "cn-north-1");
    assert_eq!(aws_host("bedrock-runtime.us-east-1.vpce.amazonaws.com"), None);
}

#[test]
fn case_port_and_the_dot_of_the_root_change_nothing() {
    check("Bedrock-Runtime.US-EAST-1.amazonaws.COM", "bedrock", "us-east-1");
    check("bedrock-runtime.us-east-1.amazonaws.com:443", "bedrock", "us-east-1");
    check("bedrock-runtime.us-east-1.amazonaws.com.", "bedrock", "us-east-1");
    check("bedrock-runtime.us-east-1.amazonaws.com.:8443", "bedrock", "us-east-1");
}

#[test]
fn what_only_looks_like_a_host_of_aws_is_none() {
    for host in [
        "",
        "llm.example",
        "127.0.0.1:5000",
        "[::1]:443",
        "amazonaws.com",
        "us-east-1.amazonaws.com",
        ".us-east-1.amazonaws.com",
        "bedrock-runtime..us-east-1.amazonaws.com",
        "bedrock-runtime.amazonaws.com",
        "bedrock-runtime.us-east-1.amazonaws.com..",
        "bedrock-runtime.us-east-1.amazonaws.com.evil",
        "bedrock-runtime.us-east-1.amazonaws.com.evil.example",
        "amazonaws.com.evil.example",
        "bedrock-runtime.us-east-1amazonaws.com",
        "bedrock-runtime.us-east-1.evilamazonaws.com",
        "bedrock-runtime.us-east-1-amazonaws.com",
        "bedrock-runtime.us-east-1.xapi.aws",
        "bedrock-runtime.us-east-1.amazonaws.com:",
        "bedrock-runtime.us-east-1.amazonaws.com:443@evil.example",
        "bedrock-runtime.us-east-1.amazonaws.com:99999",
        "bedrock-runtime.us-east-1.amazonaws.com:+443",
        "user@bedrock-runtime.us-east-1.amazonaws.com",
        "bedrock-runtime.us-east-1.amazonaws.com/x",
        "bedrock-runtime.us_east_1.amazonaws.com",
        "bedrock-runtime.nowhere.amazonaws.com",
        "bedrock-runtime.us-east-one.amazonaws.com",
        // A region under the names of another partition.
        "bedrock-runtime.cn-north-1.amazonaws.com",
        "bedrock-runtime.us-east-1.amazonaws.com.cn",
        "bedrock-runtime.us-iso-east-1.amazonaws.com",
        "bedrock-runtime.us-east-1.amazonaws.eu",
    ] {
        assert_eq!(aws_host(host), None, "{host}");
    }
}

#[test]
fn the_host_of_a_region_is_read_as_what_it_was_made_of() {
    let check = |prefix, region, host: &str| {
        assert_eq!(default_host(prefix, region), host);
        let read = aws_host(host).unwrap();
        assert_eq!((read.service, &*read.region), (signing_name(prefix), region));
    };
    check(BEDROCK_RUNTIME, "us-east-1", "bedrock-runtime.us-east-1.amazonaws.com");
    check(BEDROCK_RUNTIME, "us-gov-west-1", "bedrock-runtime.us-gov-west-1.amazonaws.com");
    check(BEDROCK_RUNTIME, "cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn");
    check(BEDROCK_RUNTIME, "eu-isoe-west-1", "bedrock-runtime.eu-isoe-west-1.cloud.adc-e.uk");
    check(MANTLE, "us-east-1", "bedrock-mantle.us-east-1.api.aws");
    assert_eq!(default_host(BEDROCK_RUNTIME, "xx-new-1"), "bedrock-runtime.xx-new-1.amazonaws.com");
}

#[test]
fn every_region_lies_in_one_partition() {
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
        ("xx-new-1", "aws"),
    ] {
        assert_eq!(aws_partition(region), partition, "{region}");
    }
}

#[test]
fn names_are_checked_before_anything_is_signed_with_them() {
    for region in ["us-east-1", "aws-global", "local"] {
        assert!(is_valid_region(region), "{region}");
    }
    for region in ["", "US-EAST-1", "us/east", "-us", "us-", "123", "us east", "us.east", &"a".repeat(64)] {
        assert!(!is_valid_region(region), "{region}");
    }
    for host in
        ["bedrock-runtime.us-east-1.amazonaws.com", "127.0.0.1:5000", "[::1]:443", "[::1]", "a_b.corp."]
    {
        assert!(is_valid_host(host), "{host}");
    }
    for host in [
        "",
        ":443",
        "a b",
        "a@b",
        "https://a",
        "a/b",
        "a:b:c",
        "a:",
        "a:99999x",
        "a:99999",
        "a:+1",
        "a..b",
        "[a]",
        "[::1",
        "a[",
        "é.example",
    ] {
        assert!(!is_valid_host(host), "{host}");
    }
}

#[test]
fn spellings_of_one_host_are_the_same() {
    assert!(is_same_host("A.example", "a.example.:443"));
    assert!(is_same_host("a.example:8443", "a.example:8443"));
    assert!(!is_same_host("a.example", "a.example:8443"));
    assert!(!is_same_host("a.example", "b.example"));
}
