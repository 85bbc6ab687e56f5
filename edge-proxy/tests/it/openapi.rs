//! The contract as `/openapi.json` tells it.

use serde_json::{Value as Json, json as j};

use crate::door::{Answer, Running};

fn operation<'d>(document: &'d Json, path: &str, method: &str) -> &'d Json {
    let operation = &document["paths"][path][method];
    assert!(operation.is_object(), "{method} {path}");
    operation
}

fn names(operation: &Json, place: &str) -> Vec<String> {
    let parameters = operation["parameters"].as_array().unwrap().iter();
    let there = parameters.filter(|parameter| parameter["in"] == place);
    let names = there.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn each_listener_tells_its_own_contract() {
    let door = Running::start().await;
    let document = door.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = |document: &Json| document["paths"].as_object().unwrap().len();
    let operator: Answer = door.operator("GET", "/openapi.json", None).await;
    let operator = operator.json();
    assert!(paths(&document) > 20 && paths(&operator) >= 4);
    assert!(document["paths"].get("/v1/admin/sagas").is_none());
    operation(&operator, "/v1/admin/sagas", "get");
    // Everything that is referred to is there.
    for document in [&document, &operator] {
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}

#[tokio::test]
async fn operations_say_what_the_door_accepts() {
    let door = Running::start().await;
    let document = door.get("/openapi.json").await.json();
    let list = operation(&document, "/v1/venues", "get");
    assert_eq!(
        names(list, "query"),
        ["city", "sellerId", "pageSize", "pageToken"]
    );
    assert_eq!(list["security"], j!([{}, {"bearer": []}]));
    assert!(list["requestBody"].is_null());
    let create = operation(&document, "/v1/venues/{venue_id}/halls", "post");
    assert_eq!(names(create, "path"), ["venue_id"]);
    assert_eq!(
        names(create, "header"),
        ["Idempotency-Key", "X-Request-Timeout"]
    );
    assert_eq!(create["security"], j!([{"bearer": []}]));
    let body = &create["requestBody"]["content"]["application/json"]["schema"];
    assert!(body["properties"]["name"]["description"].is_string());
    assert!(
        body["properties"].get("venueId").is_none(),
        "the path says it"
    );
    assert_eq!(body["additionalProperties"], false);
    let about = create["description"].as_str().unwrap();
    assert!(
        about.contains("role SELLER") && about.contains("within 20 s"),
        "{about}"
    );
    let plan = operation(&document, "/v1/seating-plans", "post");
    assert!(plan["requestBody"]["content"]["*/*"].is_object());
    let watch = operation(&document, "/v1/bookings/{booking_id}:watch", "get");
    let forms = watch["responses"]["200"]["content"].as_object().unwrap();
    let forms: Vec<&String> = forms.keys().collect();
    assert_eq!(
        forms,
        [
            "application/json",
            "application/x-ndjson",
            "text/event-stream"
        ]
    );
    let state = &document["components"]["schemas"]["usher.booking.v1.BookingState"];
    let names: Vec<&Json> = state["enum"].as_array().unwrap().iter().collect();
    assert!(names.contains(&&j!("BOOKING_STATE_CONFIRMED")), "{names:?}");
}
