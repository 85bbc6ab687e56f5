//! Compiles every `.proto` below this folder with protox, so that no machine needs protoc.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folder this way"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("usher"), &mut files)?;
    // No contract imports the types of error details; whoever writes or reads them (JSON, grpcurl) finds them in the set.
    collect(&root.join("google/rpc"), &mut files)?;
    files.sort();
    println!("cargo::rerun-if-changed=usher");
    println!("cargo::rerun-if-changed=google");

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    // This encoding keeps custom options (google.api.http, usher.mesh.v1.policy); the FileDescriptorSet value below drops them.
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    let mut config = tonic_prost_build::Config::new();
    // A message knows its full name: the type and routing key of an event.
    config.enable_type_names();
    tonic_prost_build::configure()
        .include_file("usher.rs")
        .generate_default_stubs(false)
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    Ok(())
}
