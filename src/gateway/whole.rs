//! A body of the CRM that is read to its end before anything is done with it: decoded, up to a limit.

use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use zeroize::Zeroizing;

use super::{coding::Decoder, exchange::Exchange, parts::PartError};
use crate::upstream;

/// What undoes the coding of an answer.
pub(super) fn decoder(exchange: &Exchange<'_>, headers: &HeaderMap) -> Result<Decoder, PartError> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    Ok(Decoder::new(codings, exchange.snapshot.limits.expansion)?)
}

/// The decoded body, of at most `limit` bytes.
pub(super) async fn whole(
    exchange: &Exchange<'_>,
    headers: &HeaderMap,
    mut body: upstream::Body,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, PartError> {
    let patience = exchange.snapshot.timeouts.body.duration();
    let mut decoder = decoder(exchange, headers)?;
    let mut whole = Zeroizing::new(Vec::new());
    let mut take = |decoded: &[u8]| {
        whole.extend_from_slice(decoded);
        if whole.len() > limit { Err(PartError::TooLarge) } else { Ok(()) }
    };
    while let Some(frame) = tokio::time::timeout(patience, body.frame()).await.map_err(|_| PartError::Stalled)? {
        let Ok(data) = frame.map_err(|error| PartError::of_body(&error))?.into_data() else { continue };
        decoder.push(&data, &mut take)?;
    }
    decoder.finish(&mut take)?;
    Ok(whole)
}
