//! Compiles the lean wire subset in `proto/`, without protoc.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = ["envoy/service/ext_proc/v3/external_processor.proto", "envoy/service/auth/v3/external_auth.proto"];
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .file_descriptor_set_path(out.join("descriptors.bin"))
        .compile_fds(descriptors)?;
    Ok(())
}
