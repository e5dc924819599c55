//! Compiles the lean wire subset in `proto/`, without protoc.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

#[allow(clippy::disallowed_methods, reason = "a build script is told by its environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files =
        ["envoy/service/ext_proc/v3/external_processor.proto", "envoy/service/auth/v3/external_auth.proto"];
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        // Sent back as it came: no copy of its own.
        .bytes(".envoy.service.ext_proc.v3.StreamedBodyResponse.body")
        .compile_fds(descriptors)?;
    Ok(())
}
