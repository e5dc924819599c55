//! Names of regions, and the partitions that they lie in.

/// Beginnings of regions' names, and their partition. Everywhere else is `aws`.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("eusc-", "aws-eusc"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
];

/// The partition of a region: neither credentials nor roles lead out of it.
pub(super) fn partition(region: &str) -> &'static str {
    PARTITIONS.iter().find(|(start, _)| region.starts_with(start)).map_or("aws", |(_, partition)| partition)
}

/// The form that the schema wants, for a region that stands elsewhere.
pub(super) fn is_region(text: &str) -> bool {
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let parts: Vec<&str> = text.split('-').collect();
    let [area, between @ .., number] = parts.as_slice() else { return false };
    (2..=4).contains(&area.len())
        && lower(area)
        && (1..=3).contains(&between.len())
        && between.iter().all(|part| lower(part))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}
