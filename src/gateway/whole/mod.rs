//! Bodies that are read to their end before anything is done with them, up to a limit: in whatever frames they come, the same
//! bytes or the same refusal.

#[cfg(test)]
mod tests;

use std::{future::poll_fn, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body::Body as HttpBody;
use zeroize::Zeroizing;

use super::{
    coding::{CodingError, Decoder},
    exchange::Exchange,
    paced::{Cut, Paced, Reach},
    parts::PartError,
};
use crate::upstream;

/// What undoes the coding of an answer.
pub(super) fn decoder(exchange: &Exchange<'_>, headers: &HeaderMap) -> Result<Decoder, PartError> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    Ok(Decoder::new(codings, exchange.snapshot.limits.expansion)?)
}

/// The decoded body of the CRM, of at most `limit` bytes.
pub(super) async fn whole(
    exchange: &Exchange<'_>,
    headers: &HeaderMap,
    body: upstream::Body,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, PartError> {
    let patience = exchange.snapshot.timeouts.body.duration();
    let decoder = decoder(exchange, headers)?;
    decoded(body, decoder, limit, patience).await.map_err(|fault| match fault {
        Short::Cut(cut) => PartError::of_cut(&cut),
        Short::Coding(error) => PartError::Coding(error),
    })
}

/// The bytes of `body`, of which there may be `limit`, with at most `patience` between two frames.
pub(super) async fn gathered<B>(body: B, limit: usize, patience: Duration) -> Result<BytesMut, Cut<B::Error>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > limit {
        return Err(Cut::TooLarge);
    }
    // What a sender announces is not yet worth memory.
    let mut bytes = BytesMut::with_capacity(expected.min(MAX_PROMISED_BYTES));
    let mut body = Paced::new(body, Reach { patience, until: None, bytes: limit as u64 });
    while let Some(data) = poll_fn(|context| body.poll_data(context)).await {
        bytes.extend_from_slice(&data?);
    }
    Ok(bytes)
}

/// Why a coded body was not read to its end.
#[derive(Debug)]
enum Short<E> {
    Cut(Cut<E>),
    Coding(CodingError),
}

impl<E> From<CodingError> for Short<E> {
    fn from(error: CodingError) -> Self {
        Self::Coding(error)
    }
}

/// What the bytes of `body` become, of which there may be `limit`.
async fn decoded<B>(
    body: B,
    mut decoder: Decoder,
    limit: usize,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, Short<B::Error>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut whole = Zeroizing::new(Vec::new());
    let mut take = |decoded: &[u8]| {
        whole.extend_from_slice(decoded);
        if whole.len() > limit { Err(Short::Cut(Cut::TooLarge)) } else { Ok(()) }
    };
    let mut body = Paced::new(body, Reach { patience, until: None, bytes: u64::MAX });
    while let Some(data) = poll_fn(|context| body.poll_data(context)).await {
        decoder.push(&data.map_err(Short::Cut)?, &mut take)?;
    }
    decoder.finish(&mut take)?;
    Ok(whole)
}

/// Memory set aside for a body before it arrives, in bytes.
const MAX_PROMISED_BYTES: usize = 64 * 1024;
