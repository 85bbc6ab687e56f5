//! What the door refuses whatever the method.

use e2e::rest::{Call, Person};
use mesh::identity::{Claims, Role, SigningKey};
use mesh::{clock, id};
use serde_json::json;

use super::scene::Scene;
use super::{Case, INVALID, Told, absent};
use crate::real::{RealMesh, lines};

const MIB: usize = 1024 * 1024;

pub(super) fn cases(mesh: &RealMesh, scene: &Scene) -> Vec<Case> {
    let mut cases = bodies(scene);
    cases.extend(paths(scene));
    cases.extend(tokens(mesh, scene));
    cases
}

fn bodies(scene: &Scene) -> Vec<Case> {
    let hold = || Call::post("/v1/holds").by(&scene.buyer);
    let of = |text: String| hold().bytes(text.into_bytes());
    let pool = scene.sale.pool_id;
    let too_large: Told = (413, "INVALID_ARGUMENT", "BODY_TOO_LARGE");
    let no_json: Told = (415, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE");
    let deep = format!("{{\"lines\": {}1{}}}", "[".repeat(500), "]".repeat(500));
    vec![
        Case::new(
            "a body of more than a MiB",
            of(format!("{{\"lines\": [{}]}}", " ".repeat(MIB))),
            too_large,
        ),
        Case::new("JSON 500 levels deep", of(deep), INVALID),
        Case::new("half a JSON text", of("{\"lines\": [".to_owned()), INVALID),
        Case::new("a body that is a list", of("[]".to_owned()), INVALID),
        Case::new("text after the JSON", of("{} {}".to_owned()), INVALID),
        Case::new(
            "bytes that are no text",
            hold().bytes(vec![0xff, 0xfe, 0x00]),
            INVALID,
        ),
        Case::new(
            "an unknown field",
            hold().json(&json!({"lines": [], "discount": 100})),
            INVALID,
        ),
        Case::new(
            "one field twice",
            of(format!(
                "{{\"lines\": [], \"lines\": [{{\"poolId\": \"{pool}\"}}]}}"
            )),
            INVALID,
        ),
        Case::new(
            "a number as large as the sky",
            of(format!(
                "{{\"lines\": [{{\"poolId\": \"{pool}\", \"ord\": 1e400}}]}}"
            )),
            INVALID,
        ),
        Case::new(
            "a form",
            hold()
                .json(&lines(pool, &[9]))
                .content_type("application/x-www-form-urlencoded"),
            no_json,
        ),
    ]
}

fn paths(scene: &Scene) -> Vec<Case> {
    let not_here: Told = (405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED");
    let no_form: Told = (406, "INVALID_ARGUMENT", "NOT_ACCEPTABLE");
    let watch = format!("/v1/bookings/{}:watch", scene.waiting.booking_id);
    let no_route = absent("ROUTE_NOT_FOUND");
    vec![
        Case::new("an unknown path", Call::get("/v1/discounts"), no_route),
        Case::new("the root", Call::get("/"), no_route),
        Case::new(
            "a path with a slash too much",
            Call::get("/v1/shows/"),
            no_route,
        ),
        Case::new(
            "an unknown verb",
            Call::post(format!("/v1/shows/{}:cancel", scene.sale.show_id)).by(&scene.seller),
            not_here,
        ),
        Case::new(
            "deleting what cannot be deleted",
            Call::delete(format!("/v1/holds/{}", scene.held)).by(&scene.buyer),
            not_here,
        ),
        Case::new(
            "an unknown query parameter",
            Call::get("/v1/shows?colour=red"),
            INVALID,
        ),
        Case::new(
            "a query parameter twice",
            Call::get("/v1/shows?category=a&category=b"),
            INVALID,
        ),
        Case::new(
            "a page size that is no number",
            Call::get("/v1/shows?pageSize=all"),
            INVALID,
        ),
        Case::new(
            "a page token that nobody gave",
            Call::get("/v1/shows?pageToken=%21"),
            INVALID,
        ),
        Case::new(
            "a stream as a picture",
            Call::get(watch).by(&scene.buyer).accept("image/png"),
            no_form,
        ),
    ]
}

fn tokens(mesh: &RealMesh, scene: &Scene) -> Vec<Case> {
    let bookings = || Call::get("/v1/bookings");
    let with = |token: String| {
        bookings().by(&Person {
            account_id: id::new(),
            token,
        })
    };
    let now = clock::now().timestamp();
    let signed = |key: &SigningKey, issuer: &str, expires: i64| with(token(key, issuer, expires));
    let other = SigningKey::generate().unwrap();
    let missing: Told = (401, "UNAUTHENTICATED", "TOKEN_MISSING");
    let invalid: Told = (401, "UNAUTHENTICATED", "TOKEN_INVALID");
    let expired: Told = (401, "UNAUTHENTICATED", "TOKEN_EXPIRED");
    let hold = Call::post("/v1/holds").json(&lines(scene.sale.pool_id, &[9]));
    vec![
        Case::new("reading without a token", bookings(), missing),
        Case::new("holding without a token", hold, missing),
        Case::new(
            "a token that is none",
            with("let me in".to_owned()),
            invalid,
        ),
        Case::new(
            "a token cut short",
            with(
                scene
                    .buyer
                    .token
                    .chars()
                    .rev()
                    .skip(4)
                    .collect::<Vec<_>>()
                    .iter()
                    .rev()
                    .collect(),
            ),
            invalid,
        ),
        Case::new(
            "a token of a key that nobody knows",
            signed(&other, "usher-dev", now + 600),
            invalid,
        ),
        Case::new(
            "a token of another house",
            signed(mesh.key(), "somewhere-else", now + 600),
            invalid,
        ),
        Case::new(
            "a token of yesterday",
            signed(mesh.key(), "usher-dev", now - 3600),
            expired,
        ),
        Case::new(
            "a bad token where none is needed",
            Call::get("/v1/shows").by(&Person {
                account_id: id::new(),
                token: "x.y.z".to_owned(),
            }),
            invalid,
        ),
    ]
}

/// An operator's token of this issuer, good until `expires`.
fn token(key: &SigningKey, issuer: &str, expires: i64) -> String {
    let claims = Claims {
        iss: issuer.to_owned(),
        aud: "usher".to_owned(),
        sub: id::new(),
        roles: vec![Role::Admin],
        scope: String::new(),
        iat: expires - 7200,
        exp: expires,
        jti: id::new().to_string(),
    };
    key.sign(&claims).unwrap()
}
