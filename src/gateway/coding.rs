//! Content codings of responses: coded chunks in, decoded chunks out, in bounded memory and with a bound on expansion.

use std::io::{self, Write};

/// Decoders with a bound on what they may produce.
pub(super) struct Decoder {
    kind: Kind,
    received: u64,
    produced: u64,
    expansion: u64,
}

enum Kind {
    Identity,
    Gzip(Box<flate2::write::MultiGzDecoder<Vec<u8>>>),
    /// RFC 9110 §8.4.1.2 means zlib; some servers send raw DEFLATE. The first byte tells.
    DeflateUnknown,
    Zlib(Box<flate2::write::ZlibDecoder<Vec<u8>>>),
    Deflate(Box<flate2::write::DeflateDecoder<Vec<u8>>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Vec<u8>>>),
}

/// Why a body could not be decoded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum CodingError {
    /// Not one of `gzip`, `deflate`, `br`, `zstd`, or several at once.
    #[error("the CRM used a content coding that is not supported, or several")]
    Unsupported,
    /// The coded bytes are damaged.
    #[error("the coded body is damaged after {0} bytes")]
    Damaged(u64),
    /// Past the bound.
    #[error("the body grew past the limit of {0} times its coded size")]
    Expansion(u64),
}

/// Bytes fed at once: the largest DEFLATE ratio (1032:1) then makes at most about 2 MiB at a time.
const SLICE_BYTES: usize = 2 * 1024;

/// Decoded bytes that no ratio is applied to.
const FREE_BYTES: u64 = 1024 * 1024;

/// zstd's window: 8 MiB, what RFC 8878 §3.1.1.1.2 asks every decoder to support.
const ZSTD_WINDOW_LOG: u32 = 23;

impl Decoder {
    /// The decoder for the `Content-Encoding` values `codings`.
    ///
    /// # Errors
    /// For a coding that is not known, or more than one.
    pub(super) fn new<'a>(codings: impl Iterator<Item = &'a [u8]>, expansion: u64) -> Result<Self, CodingError> {
        let mut kind = None;
        for coding in codings.flat_map(|value| value.split(|byte| *byte == b',')) {
            let coding = coding.trim_ascii();
            if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            if kind.is_some() {
                return Err(CodingError::Unsupported);
            }
            kind = Some(Kind::named(coding).ok_or(CodingError::Unsupported)?);
        }
        Ok(Self { kind: kind.unwrap_or(Kind::Identity), received: 0, produced: 0, expansion })
    }

    /// Whether chunks pass through unchanged.
    pub(super) fn is_identity(&self) -> bool {
        matches!(self.kind, Kind::Identity)
    }

    /// Decodes `chunk`, handing out what it becomes piece by piece.
    ///
    /// # Errors
    /// When the bytes are damaged or grow past the bound, or when `sink` fails.
    pub(super) fn push<E: From<CodingError>>(
        &mut self,
        chunk: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.is_identity() {
            self.received += chunk.len() as u64;
            return sink(chunk);
        }
        for slice in chunk.chunks(SLICE_BYTES) {
            self.received += slice.len() as u64;
            let mut out = self.feed(slice).map_err(|_| CodingError::Damaged(self.received))?;
            self.produced += out.len() as u64;
            if self.produced > FREE_BYTES && self.produced / self.expansion.max(1) > self.received {
                return Err(CodingError::Expansion(self.expansion).into());
            }
            sink(&out)?;
            out.clear();
            self.give_back(out);
        }
        Ok(())
    }

    /// Checks that the coded stream is complete; nothing more comes out of it.
    ///
    /// # Errors
    /// When it stops half-way.
    pub(super) fn finish<E: From<CodingError>>(
        mut self,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let received = self.received;
        let damaged = |_| CodingError::Damaged(received);
        let rest = match &mut self.kind {
            Kind::Identity | Kind::DeflateUnknown => return Ok(()),
            Kind::Gzip(decoder) => {
                decoder.try_finish().map_err(damaged)?;
                std::mem::take(decoder.get_mut())
            }
            Kind::Zlib(decoder) => {
                decoder.try_finish().map_err(damaged)?;
                std::mem::take(decoder.get_mut())
            }
            Kind::Deflate(decoder) => {
                decoder.try_finish().map_err(damaged)?;
                std::mem::take(decoder.get_mut())
            }
            Kind::Brotli(decoder) => {
                decoder.close().map_err(damaged)?;
                std::mem::take(decoder.get_mut())
            }
            Kind::Zstd(decoder) => {
                decoder.flush().map_err(damaged)?;
                std::mem::take(decoder.get_mut())
            }
        };
        if rest.is_empty() { Ok(()) } else { sink(&rest) }
    }

    fn feed(&mut self, slice: &[u8]) -> io::Result<Vec<u8>> {
        if let (Kind::DeflateUnknown, Some(first)) = (&self.kind, slice.first()) {
            // RFC 1950 §2.2: the low four bits of the first byte are 8 for zlib; a raw block never starts so in practice.
            self.kind = if first & 0x0f == 8 {
                Kind::Zlib(Box::new(flate2::write::ZlibDecoder::new(Vec::new())))
            } else {
                Kind::Deflate(Box::new(flate2::write::DeflateDecoder::new(Vec::new())))
            };
        }
        match &mut self.kind {
            Kind::Identity | Kind::DeflateUnknown => Ok(Vec::new()),
            Kind::Gzip(decoder) => drain(slice, &mut **decoder, |decoder| decoder.get_mut()),
            Kind::Zlib(decoder) => drain(slice, &mut **decoder, |decoder| decoder.get_mut()),
            Kind::Deflate(decoder) => drain(slice, &mut **decoder, |decoder| decoder.get_mut()),
            Kind::Brotli(decoder) => drain(slice, &mut **decoder, |decoder| decoder.get_mut()),
            Kind::Zstd(decoder) => drain(slice, &mut **decoder, |decoder| decoder.get_mut()),
        }
    }

    /// Keeps the allocation for the next slice.
    fn give_back(&mut self, buffer: Vec<u8>) {
        let slot = match &mut self.kind {
            Kind::Identity | Kind::DeflateUnknown => return,
            Kind::Gzip(decoder) => decoder.get_mut(),
            Kind::Zlib(decoder) => decoder.get_mut(),
            Kind::Deflate(decoder) => decoder.get_mut(),
            Kind::Brotli(decoder) => decoder.get_mut(),
            Kind::Zstd(decoder) => decoder.get_mut(),
        };
        if slot.is_empty() {
            *slot = buffer;
        }
    }
}

fn drain<W: Write>(slice: &[u8], decoder: &mut W, sink: impl Fn(&mut W) -> &mut Vec<u8>) -> io::Result<Vec<u8>> {
    decoder.write_all(slice)?;
    decoder.flush()?;
    Ok(std::mem::take(sink(decoder)))
}

impl Kind {
    fn named(coding: &[u8]) -> Option<Self> {
        Some(match coding.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Self::Gzip(Box::new(flate2::write::MultiGzDecoder::new(Vec::new()))),
            b"deflate" => Self::DeflateUnknown,
            b"br" => Self::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), 16 * 1024))),
            b"zstd" => {
                let mut decoder = zstd::stream::write::Decoder::new(Vec::new()).ok()?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).ok()?;
                Self::Zstd(Box::new(decoder))
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(coding: &str, body: &[u8], chunk: usize, expansion: u64) -> Result<Vec<u8>, CodingError> {
        let mut decoder = Decoder::new(std::iter::once(coding.as_bytes()), expansion)?;
        let mut out = Vec::new();
        let mut sink = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok::<(), CodingError>(())
        };
        for piece in body.chunks(chunk) {
            decoder.push(piece, &mut sink)?;
        }
        decoder.finish(&mut sink)?;
        Ok(out)
    }

    fn coded(coding: &str, text: &[u8]) -> Vec<u8> {
        match coding {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            "raw" => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            "br" => {
                let mut out = Vec::new();
                let mut writer = brotli::CompressorWriter::new(&mut out, 4096, 5, 22);
                writer.write_all(text).unwrap();
                drop(writer);
                out
            }
            _ => zstd::encode_all(text, 3).unwrap(),
        }
    }

    #[test]
    fn every_coding_decodes_at_any_chunking() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for (coding, header) in
            [("gzip", "gzip"), ("deflate", "deflate"), ("raw", "deflate"), ("br", "br"), ("zstd", "zstd")]
        {
            let body = coded(coding, &text);
            for chunk in [1, 7, 1000, usize::MAX / 2] {
                assert!(
                    decode(header, &body, chunk.min(body.len()), 1000).as_ref() == Ok(&text),
                    "{coding} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_and_a_broken_stream_is_refused() {
        let bomb = coded("gzip", &vec![b' '; 64 * 1024 * 1024]);
        assert_eq!(decode("gzip", &bomb, 4096, 200), Err(CodingError::Expansion(200)));
        for coding in ["gzip", "br", "zstd"] {
            let body = coded(coding, b"{\"a\":1}");
            let broken: Vec<u8> = body.iter().map(|byte| byte ^ 0x55).collect();
            assert!(decode(coding, &broken, 16, 200).is_err(), "{coding}");
        }
    }

    #[test]
    fn unknown_and_stacked_codings_are_refused() {
        for header in ["compress", "gzip, gzip", "gzip,br", "aes128gcm"] {
            assert!(
                matches!(Decoder::new(std::iter::once(header.as_bytes()), 1), Err(CodingError::Unsupported)),
                "{header}"
            );
        }
        assert!(Decoder::new(std::iter::once(&b"identity"[..]), 1).is_ok_and(|decoder| decoder.is_identity()));
    }
}
