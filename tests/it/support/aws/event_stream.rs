//! `application/vnd.amazon.eventstream`: two lengths with their checksum, headers, a payload, and the checksum of it all
//! (Smithy, "Amazon Event Stream Specification").

/// An event of this name with a JSON payload.
pub(crate) fn event(name: &str, payload: &str) -> Vec<u8> {
    message(
        &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
        payload,
    )
}

fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.push(u8::try_from(name.len()).unwrap());
        lines.extend(name.as_bytes());
        // Type 7 is a string.
        lines.push(7);
        lines.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        lines.extend(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
    // The prelude and the two checksums are 16 bytes.
    let mut bytes = [length(16 + lines.len() + payload.len()), length(lines.len())].concat();
    bytes.extend(crc32(&bytes).to_be_bytes());
    bytes.extend(lines);
    bytes.extend(payload.as_bytes());
    bytes.extend(crc32(&bytes).to_be_bytes());
    bytes
}

/// CRC-32 of ISO 3309, as in zlib.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn the_checksum_is_that_of_zlib() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
