//! A contract that is not complete is refused: policy, repeatability, request_id.

use std::path::Path;

use e2e::docs::methods::{page_of, services};
use prost_reflect::DescriptorPool;

/// The contracts of a bad example.
fn compiled(file: &str) -> DescriptorPool {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let includes = [own.join("bad/contracts"), own.join("../proto")];
    let mut compiler = protox::Compiler::new(includes).unwrap();
    compiler.include_imports(true);
    compiler.open_file(file).unwrap();
    DescriptorPool::decode(&*compiler.encode_file_descriptor_set()).unwrap()
}

#[test]
fn every_service_of_the_contracts_is_complete() {
    let pool = mesh::descriptors::pool().unwrap();
    assert!(services(&pool).len() >= 5);
    page_of(&pool).unwrap();
}

#[test]
fn a_method_that_is_not_complete_is_refused_by_its_name() {
    let cases = [
        ("no_policy.proto", "usher.bad.v1.NoPolicy.Get has no policy"),
        ("no_deadline.proto", "usher.bad.v1.NoDeadline.Get"),
        (
            "no_level.proto",
            "usher.bad.v1.NoLevel.Get has no idempotency_level",
        ),
        (
            "no_request_id.proto",
            "usher.bad.v1.NoRequestId.Set is IDEMPOTENT",
        ),
    ];
    for (file, wanted) in cases {
        let told = page_of(&compiled(file)).unwrap_err().to_string();
        assert!(told.contains(wanted), "{file}: {told}");
    }
}
