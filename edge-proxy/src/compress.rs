//! Smaller answers for those who accept them. An answer is compressed whole before it leaves: an encoder that waits for a slow reader
//! would keep its memory for as long.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Either, Full};
use tower_http::compression::CompressionBody;
use tower_http::compression::predicate::{NotForContentType, Predicate};

use crate::answer::Body;

/// Smallest answer that is compressed: below it the head outweighs what is saved.
const COMPRESSED_MIN: u64 = 1024;

/// What is compressed: an answer that is known and not small. A stream would wait in the encoder; pictures are compressed already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worthwhile;

impl Predicate for Worthwhile {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let size = response.body().size_hint().exact();
        size.is_some_and(|size| size >= COMPRESSED_MIN)
            && NotForContentType::IMAGES.should_compress(response)
    }
}

/// An answer, compressed to its end or as it came.
pub(crate) type Settled = Either<Full<Bytes>, CompressionBody<Body>>;

/// Compresses what is to be compressed.
pub(crate) async fn whole(
    response: Response<CompressionBody<Body>>,
) -> Result<Response<Settled>, Infallible> {
    if !response.headers().contains_key(CONTENT_ENCODING) {
        return Ok(response.map(Either::Right));
    }
    let (mut head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            head.status = StatusCode::INTERNAL_SERVER_ERROR;
            head.headers.remove(CONTENT_ENCODING);
            Bytes::new()
        }
    };
    Ok(Response::from_parts(head, Either::Left(Full::new(body))))
}

/// A request that takes plain answers if need be: where `Accept-Encoding` refuses them and every coding we have, the layer would overwrite the
/// status of what was done already with 406. The header is a wish (RFC 9110, 12.5.3).
pub(crate) fn without_dead_end<B>(mut request: Request<B>) -> Request<B> {
    let values = request.headers().get_all(ACCEPT_ENCODING).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    if values.is_empty() {
        return request;
    }
    let others = values.iter().flat_map(|value| value.split(','));
    let others = others.filter(|part| {
        let name = part.split(';').next().unwrap_or_default().trim();
        !name.eq_ignore_ascii_case("identity")
    });
    let wish: Vec<&str> = others.chain([LEAST]).collect();
    if let Ok(wish) = HeaderValue::from_str(wish.join(",").trim()) {
        request.headers_mut().insert(ACCEPT_ENCODING, wish);
    }
    request
}

/// Plain answers, after everything else.
const LEAST: &str = "identity;q=0.001";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_answers_are_the_last_resort() {
        for (accept, passed) in [
            ("gzip", "gzip,identity;q=0.001"),
            ("gzip, identity;q=0", "gzip,identity;q=0.001"),
            ("br, *;q=0", "br, *;q=0,identity;q=0.001"),
            ("Identity;x, *;q=0", " *;q=0,identity;q=0.001"),
        ] {
            let request = Request::builder().header(ACCEPT_ENCODING, accept);
            let request = without_dead_end(request.body(()).unwrap());
            assert_eq!(
                request.headers()[ACCEPT_ENCODING],
                passed.trim(),
                "{accept}"
            );
        }
        let request = without_dead_end(Request::new(()));
        assert!(!request.headers().contains_key(ACCEPT_ENCODING));
    }
}
