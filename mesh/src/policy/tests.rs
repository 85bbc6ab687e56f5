use super::*;
use crate::descriptors;

fn catalog() -> Policies {
    let pool = descriptors::pool().unwrap();
    Policies::of_services(&pool, &["usher.booking.v1.CatalogService"]).unwrap()
}

fn payment(method: &str) -> Arc<Policy> {
    let pool = descriptors::pool().unwrap();
    let policies = Policies::of_services(&pool, &["usher.payment.v1.PaymentService"]).unwrap();
    policies
        .get(&format!("/usher.payment.v1.PaymentService/{method}"))
        .unwrap()
}

const NOBODY: Standing<'static> = Standing {
    access: None,
    scopes: &[],
    peer: None,
};

fn holds(access: Access) -> Standing<'static> {
    Standing {
        access: Some(access),
        ..NOBODY
    }
}

#[test]
fn the_annotation_is_read() {
    let policy = catalog()
        .get("/usher.booking.v1.CatalogService/ImportSeatingPlan")
        .unwrap();
    assert_eq!(policy.access, Access::Seller);
    assert_eq!(policy.deadline, Duration::from_secs(20));
    assert_eq!(policy.max_request_bytes, 32 * 1024 * 1024);
    assert!(policy.repeatable && !policy.server_streaming);
}

#[test]
fn an_unknown_path_has_no_policy() {
    assert!(
        catalog()
            .get("/usher.booking.v1.CatalogService/DropTables")
            .is_none()
    );
    assert!(
        catalog()
            .get("/usher.payment.v1.PaymentService/GetPayment")
            .is_none()
    );
    assert!(catalog().get("/grpc.health.v1.Health/Check").is_some());
}

#[test]
fn a_method_without_policy_is_refused_at_start() {
    let file = r#"{"file": [{"name": "bare.proto", "package": "bare", "syntax": "proto3",
        "messageType": [{"name": "M"}],
        "service": [{"name": "S", "method": [{"name": "Open", "inputType": ".bare.M", "outputType": ".bare.M"}]}]}]}"#;
    let mut pool = descriptors::pool().unwrap();
    let schema = DescriptorPool::global().get_message_by_name("google.protobuf.FileDescriptorSet");
    let mut json = serde_json::Deserializer::from_str(file);
    let set = DynamicMessage::deserialize(schema.unwrap(), &mut json).unwrap();
    pool.decode_file_descriptor_set(prost::Message::encode_to_vec(&set).as_slice())
        .unwrap();
    let error = Policies::of_services(&pool, &["bare.S"]).unwrap_err();
    assert!(
        matches!(&error, PolicyError::Missing(method) if method == "bare.S.Open"),
        "{error}"
    );
}

#[test]
fn the_ladder_holds() {
    let create = catalog()
        .get("/usher.booking.v1.CatalogService/CreateVenue")
        .unwrap();
    assert!(create.admit(NOBODY).is_err());
    assert!(create.admit(holds(Access::User)).is_err());
    assert!(create.admit(holds(Access::Seller)).is_ok());
    assert!(create.admit(holds(Access::Admin)).is_ok());
    let get = catalog()
        .get("/usher.booking.v1.CatalogService/GetVenue")
        .unwrap();
    assert!(get.admit(NOBODY).is_ok());
}

#[test]
fn a_mesh_method_admits_its_callers_alone() {
    let create = payment("CreatePayment");
    let peer = |name| Standing {
        peer: Some(name),
        ..NOBODY
    };
    assert!(create.admit(peer("booking-svc")).is_ok());
    assert!(create.admit(peer("coupon-svc")).is_err());
    assert!(create.admit(holds(Access::Admin)).is_err());
    let get = payment("GetPayment");
    assert!(get.admit(peer("booking-svc")).is_ok());
    assert!(get.admit(holds(Access::User)).is_ok());
}

#[test]
fn an_overlay_adds_callers_and_nothing_else() {
    let overlay = |method: &str| BTreeMap::from([(method.to_owned(), vec!["x".to_owned()])]);
    let wider = catalog()
        .overlay(&overlay("usher.booking.v1.CatalogService/CreateVenue"))
        .unwrap();
    let create = wider
        .get("/usher.booking.v1.CatalogService/CreateVenue")
        .unwrap();
    assert!(
        create
            .admit(Standing {
                peer: Some("x"),
                ..NOBODY
            })
            .is_ok()
    );
    assert!(create.admit(NOBODY).is_err());
    assert!(
        catalog()
            .overlay(&overlay("usher.booking.v1.CatalogService/Nothing"))
            .is_err()
    );
}
