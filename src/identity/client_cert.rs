//! Client certificates: Envoy's attributes, ext_authz `source.principal`, or `x-forwarded-client-cert`.
