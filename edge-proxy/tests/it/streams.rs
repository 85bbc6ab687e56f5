//! Answers in parts: three forms, each with an explicit end.

use std::time::Duration;

use mesh::identity::Role;
use serde_json::{Value as Json, json as j};

use crate::door::{Answer, Running, send};

fn watch(door: &Running, id: &str, accept: &str) -> reqwest::RequestBuilder {
    let token = door.token(&[Role::User]);
    let request = door.request("GET", &format!("/v1/bookings/{id}:watch"));
    request.bearer_auth(token).header("accept", accept)
}

async fn told(door: &Running, id: &str, accept: &str) -> Answer {
    send(watch(door, id, accept)).await
}

fn id(message: &Json) -> &Json {
    &message["booking"]["bookingId"]
}

#[tokio::test]
async fn an_array_by_default() {
    let door = Running::start().await;
    let two = told(&door, "two", "*/*").await;
    assert_eq!(two.status, 200);
    let json = two.json();
    let ids: Vec<&Json> = json.as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids, [&j!("a"), &j!("b")]);
    assert_eq!(told(&door, "none", "*/*").await.json(), j!([]));
    let fails = told(&door, "fails", "application/json").await;
    assert_eq!((fails.status, id(&fails.json()[0])), (200, &j!("a")));
    assert_eq!(fails.json()[1]["error"]["status"], "UNAVAILABLE");
    assert_eq!(fails.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn lines_with_an_end() {
    let door = Running::start().await;
    let lines = |answer: &Answer| -> Vec<Json> {
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let text = String::from_utf8(answer.bytes.clone()).unwrap();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    };
    let two = lines(&told(&door, "two", "application/x-ndjson").await);
    assert_eq!(id(&two[0]["result"]), &j!("a"));
    assert_eq!(
        (id(&two[1]["result"]), &two[2]),
        (&j!("b"), &j!({"end": {}}))
    );
    let fails = lines(&told(&door, "fails", "application/x-ndjson").await);
    let reason = &fails[1]["error"]["details"][0]["reason"];
    assert_eq!((fails.len(), reason), (2, &j!("DEPENDENCY_DOWN")));
}

#[tokio::test]
async fn events_with_an_end() {
    let door = Running::start().await;
    let two = told(&door, "two", "text/event-stream").await;
    assert_eq!(two.header("content-type"), "text/event-stream");
    assert_eq!(two.header("cache-control"), "no-store");
    let text = String::from_utf8(two.bytes).unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    let first: Json = serde_json::from_str(events[0].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((id(&first), events.len()), (&j!("a"), 3));
    assert_eq!(events[2], "event: end\ndata: {}");
    let fails = told(&door, "fails", "text/event-stream").await;
    let text = String::from_utf8(fails.bytes).unwrap();
    let last = text.split_terminator("\n\n").last().unwrap();
    let error = last.strip_prefix("event: error\ndata: ").unwrap();
    let error: Json = serde_json::from_str(error).unwrap();
    assert_eq!(error["error"]["code"], 14);
}

#[tokio::test]
async fn the_status_waits_for_the_first_message() {
    let door = Running::start().await;
    for id in ["refused", "refused-late"] {
        let refused = told(&door, id, "text/event-stream").await;
        assert_eq!(
            refused.refusal(),
            (503, "DEPENDENCY_DOWN".to_owned()),
            "{id}"
        );
    }
    let never = watch(&door, "never", "text/event-stream").header("x-request-timeout", "200ms");
    assert_eq!(
        send(never).await.refusal(),
        (504, "DEADLINE_PASSED".to_owned())
    );
    let image = told(&door, "two", "image/png").await;
    assert_eq!(image.refusal(), (406, "NOT_ACCEPTABLE".to_owned()));
}

/// Reads until the text holds `wanted`.
async fn read_until(response: &mut reqwest::Response, text: &mut String, wanted: &str) {
    while !text.contains(wanted) {
        let piece = response.chunk().await.unwrap().expect(wanted);
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
}

#[tokio::test]
async fn messages_go_out_as_they_come_and_silence_is_filled() {
    let door = Running::with(|config| config.limits.keep_alive = Duration::from_millis(50)).await;
    let quiet = watch(&door, "quiet", "text/event-stream").header("last-event-id", "7");
    let mut response = quiet.send().await.unwrap();
    let mut text = String::new();
    // The service still waits.
    read_until(
        &mut response,
        &mut text,
        "\n\n: keep-alive\n\n: keep-alive\n\n",
    )
    .await;
    assert!(text.starts_with("data: {"), "{text}");
    assert_eq!(door.services.last().get("last-event-id").unwrap(), "7");
    door.services.go_on.notify_one();
    read_until(&mut response, &mut text, "event: end\n").await;
    assert_eq!(text.matches("data: ").count(), 3, "{text}");
}

#[tokio::test]
async fn a_deadline_ends_a_stream_with_an_error() {
    let door = Running::start().await;
    let quiet = watch(&door, "quiet", "application/x-ndjson").header("x-request-timeout", "300ms");
    let answer = send(quiet).await;
    let text = String::from_utf8(answer.bytes).unwrap();
    let last: Json = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["status"], "DEADLINE_EXCEEDED", "{text}");
}

#[tokio::test]
async fn who_leaves_ends_the_call_behind() {
    let door = Running::start().await;
    let response = watch(&door, "quiet", "*/*").send().await.unwrap();
    door.services.entered.notified().await;
    drop(response);
    door.services.left.notified().await;
}

#[tokio::test]
async fn a_stop_ends_streams_with_an_error_and_a_time_to_come_back() {
    let mut door = Running::start().await;
    let mut response = watch(&door, "quiet", "application/x-ndjson")
        .send()
        .await
        .unwrap();
    let mut text = String::new();
    read_until(&mut response, &mut text, "\n").await;
    door.shutdown.cancel();
    door.ended.take().unwrap().await.unwrap();
    read_until(&mut response, &mut text, "\"error\"").await;
    let last: Json = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let details = &last["error"]["details"];
    assert_eq!(details[0]["reason"], "SHUTTING_DOWN", "{text}");
    assert!(details[1]["retryDelay"].is_string(), "{text}");
    assert!(response.chunk().await.unwrap().is_none(), "{text}");
}

#[tokio::test]
async fn a_stop_answers_streams_that_did_not_begin() {
    let mut door = Running::start().await;
    let waiting = send(watch(&door, "never", "text/event-stream"));
    let stop = async {
        door.services.entered.notified().await;
        door.shutdown.cancel();
    };
    let (told, ()) = tokio::join!(waiting, stop);
    assert_eq!(told.refusal(), (503, "SHUTTING_DOWN".to_owned()));
    assert_eq!(told.header("retry-after"), "1");
    door.ended.take().unwrap().await.unwrap();
}

#[tokio::test]
async fn streams_have_room_of_their_own() {
    let door = Running::with(|config| {
        config.limits.requests = 1;
        config.limits.streams = 1;
    })
    .await;
    let first = watch(&door, "quiet", "*/*").send().await.unwrap();
    assert_eq!(first.status(), 200);
    // Requests pass by it, another stream does not.
    assert_eq!(door.get("/v1/venues/x").await.status, 200);
    let second = told(&door, "two", "*/*").await;
    assert_eq!(second.refusal(), (429, "OVERLOADED".to_owned()));
    drop(first);
    door.services.left.notified().await;
    // The place is free when the connection has noticed.
    while told(&door, "two", "*/*").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_account_has_some_streams_and_no_more() {
    let door = Running::with(|config| config.limits.streams_per_account = 2).await;
    let token = door.token(&[Role::User]);
    let own = || {
        let request = door.request("GET", "/v1/bookings/quiet:watch");
        request.bearer_auth(&token)
    };
    let first = own().send().await.unwrap();
    let second = own().send().await.unwrap();
    assert_eq!(
        (first.status(), second.status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    let third = send(own()).await;
    assert_eq!(third.refusal(), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(third.header("retry-after"), "1");
    assert_eq!(
        told(&door, "two", "*/*").await.status,
        200,
        "others have theirs"
    );
    drop(second);
    door.services.left.notified().await;
    while own().send().await.unwrap().status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_does_not_read_is_not_kept_for_ever() {
    let door = Running::with(|config| {
        config.limits.connection_age = Duration::from_millis(100);
        config.limits.farewell = Duration::from_millis(200);
    })
    .await;
    let response = watch(&door, "quiet", "*/*").send().await.unwrap();
    door.services.left.notified().await;
    drop(response);
}

/// A request for a file that the service streams as bytes.
fn file(door: &Running, id: &str) -> reqwest::RequestBuilder {
    let token = door.token(&[Role::Seller]);
    let request = door.request("POST", &format!("/v1/campaigns/{id}:generateCodes"));
    // What it accepts decides nothing: the service chooses the content type.
    let request = request.bearer_auth(token).header("accept", "text/csv");
    request
        .header("content-type", "application/json")
        .body("{}")
}

#[tokio::test]
async fn bytes_follow_each_other_without_frames() {
    let door = Running::start().await;
    let two = send(file(&door, "two")).await;
    assert_eq!((two.status, two.header("content-type")), (200, "text/csv"));
    assert_eq!(two.bytes, b"a\r\nb\r\n");
    let none = send(file(&door, "none")).await;
    let told = (none.status, none.header("content-type"), none.bytes.len());
    assert_eq!(told, (200, "application/octet-stream", 0));
    assert_eq!(send(file(&door, "refused")).await.status, 503);
}

#[tokio::test]
async fn bytes_that_break_off_have_no_end() {
    let door = Running::start().await;
    let mut response = file(&door, "quiet").send().await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"b\r\n") {
        bytes.extend(response.chunk().await.unwrap().unwrap());
    }
    door.services.go_on.notify_one();
    assert_eq!(bytes, b"a\r\nb\r\n");
    let end = response.chunk().await;
    assert!(end.is_err(), "a reader takes it for whole: {end:?}");
    // What fails at once may not even have begun.
    let whole = async { file(&door, "fails").send().await?.bytes().await };
    assert!(whole.await.is_err());
}

#[tokio::test]
async fn who_leaves_a_file_ends_the_call_behind() {
    let door = Running::start().await;
    let mut response = file(&door, "quiet").send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    door.services.left.notified().await;
}
