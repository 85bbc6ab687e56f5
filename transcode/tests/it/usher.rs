//! The real contracts.

use prost_reflect::DescriptorPool;
use serde_json::json as j;
use transcode::{ErrorWriter, Request, Router};

use crate::fixture::json;

#[test]
fn every_annotated_method_has_its_route() {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    ErrorWriter::new(&pool).unwrap();
    let router = Router::build(&pool, |_| true).unwrap();
    assert!(router.routes().len() >= 30, "{}", router.routes().len());
    for route in router.routes() {
        // A path made of the pattern finds its own route again.
        let path = route.pattern().replace(['{', '}'], "");
        let found = router.find(route.http_method(), &path).unwrap();
        assert_eq!(found.route.grpc_path(), route.grpc_path(), "{path}");
    }
    let found = router.find("POST", "/v1/seating-plans").unwrap();
    assert!(found.route.takes_raw_body());
    let found = router.find("POST", "/v1/shows/s-1:publish").unwrap();
    let request = Request {
        idempotency_key: Some("r-1"),
        ..Request::default()
    };
    assert_eq!(
        json(&found.message(&request).unwrap()),
        j!({"requestId": "r-1", "showId": "s-1"})
    );
}
