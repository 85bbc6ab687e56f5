//! What a policy means to a caller, in sentences for `/openapi.json`.

use std::time::Duration;

use mesh::policy::{Access, Policy};
use transcode::openapi::{Terms, Token};

/// The terms of a method.
pub(crate) fn of(policy: &Policy, takes_body: bool) -> Terms {
    let (token, who) = match policy.access {
        Access::Public => (Token::Optional, "Anybody may call it."),
        Access::User => (Token::Required, "It needs an access token."),
        Access::Seller => (
            Token::Required,
            "It needs an access token with the role SELLER.",
        ),
        Access::Admin => (
            Token::Required,
            "It needs an access token with the role ADMIN.",
        ),
        Access::Mesh => (Token::Required, "It is for services of the mesh."),
    };
    let mut notes = vec![who.to_owned()];
    if !policy.scopes.is_empty() {
        notes.push(format!("Scopes: one of {}.", policy.scopes.join(", ")));
    }
    notes.push(match policy.server_streaming {
        true => format!("It lasts at most {}.", time(policy.deadline)),
        false => format!("It answers within {}.", time(policy.deadline)),
    });
    if let Some(rate) = policy.rate {
        notes.push(format!(
            "At most {} calls in {}, {} at once.",
            rate.requests,
            time(rate.period),
            rate.burst
        ));
    }
    if takes_body {
        let most = policy.max_request_bytes;
        notes.push(format!("The body has at most {most} bytes."));
    }
    let mut headers = vec![(
        "X-Request-Timeout",
        "Time that the caller gives: seconds, `2` or `0.5`, or `250ms`; the shorter of this and the method's own counts.",
    )];
    if policy.queue_pass {
        headers.push((
            "usher-queue-pass",
            "Pass of a waiting room, where one is asked for.",
        ));
    }
    if policy.server_streaming {
        headers.push((
            "Last-Event-ID",
            "What a browser says when it connects again.",
        ));
    }
    Terms {
        token,
        notes,
        headers,
    }
}

/// The terms of a method of which nothing is known.
pub(crate) fn unknown() -> Terms {
    Terms {
        token: Token::Required,
        notes: Vec::new(),
        headers: Vec::new(),
    }
}

fn time(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
