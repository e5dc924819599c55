//! JWTs (RFC 7519) under the rules of RFC 8725: strict compact form, no algorithm but the configured, no duplicate members.
