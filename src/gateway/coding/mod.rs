//! Content codings of responses: coded chunks in, decoded chunks out, in bounded memory and with a bound on expansion.

#[cfg(test)]
mod tests;

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
    Gzip(Box<flate2::write::MultiGzDecoder<Sink>>),
    /// RFC 9110 §8.4.1.2 means zlib; some servers send raw DEFLATE. The first byte tells.
    DeflateUnknown,
    Zlib(Box<flate2::write::ZlibDecoder<Sink>>),
    Deflate(Box<flate2::write::DeflateDecoder<Sink>>),
    Brotli(Box<brotli::DecompressorWriter<Sink>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
}

/// Why a body could not be decoded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CodingError {
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

/// Where a decoder writes: it takes what the bound leaves and fails past it. A few bytes of brotli or zstd can stand for
/// megabytes, so a check of what came out would come too late.
#[derive(Debug, Default)]
struct Sink {
    out: Vec<u8>,
    room: u64,
    is_full: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(room) = self.room.checked_sub(bytes.len() as u64) else {
            self.is_full = true;
            return Err(io::ErrorKind::WriteZero.into());
        };
        self.room = room;
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes fed at once: the largest DEFLATE ratio (1032:1) then makes at most about 2 MiB at a time. The bound counts coded bytes in
/// steps of this.
const SLICE_BYTES: usize = 2 * 1024;

/// Decoded bytes that no ratio is applied to.
const FREE_BYTES: u64 = 1024 * 1024;

/// zstd's window: 8 MiB, what RFC 8878 §3.1.1.1.2 asks every decoder to support.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a body of the CRM in the content coding `coding` becomes, chunk by chunk, as every answer is decoded. `expansion` is how
/// many times larger than its coded bytes the body may be, past the first MiB; `sink` gets what could be decoded before an
/// error, too.
///
/// # Errors
/// When the coding is not known, when the body is damaged or cut short, and past the bound; in any chunks for the same reason.
pub fn decode<'a>(
    coding: &[u8],
    chunks: impl IntoIterator<Item = &'a [u8]>,
    expansion: u64,
    mut sink: impl FnMut(&[u8]),
) -> Result<(), CodingError> {
    let mut decoder = Decoder::new(std::iter::once(coding), expansion)?;
    let mut sink = |bytes: &[u8]| {
        sink(bytes);
        Ok(())
    };
    for chunk in chunks {
        decoder.push(chunk, &mut sink)?;
    }
    decoder.finish(sink)
}

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
        let mut rest = chunk;
        while !rest.is_empty() {
            // Slices end where the coded body says, not the chunks: so does the bound.
            let end = SLICE_BYTES - usize::try_from(self.received).unwrap_or_default() % SLICE_BYTES;
            let (slice, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.received += slice.len() as u64;
            self.feed(slice)?;
            self.hand_out(&mut sink)?;
            rest = after;
        }
        Ok(())
    }

    /// Checks that the coded stream is complete; hands out what was still inside.
    ///
    /// # Errors
    /// When it stops half-way.
    pub(super) fn finish<E: From<CodingError>>(
        mut self,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let finished = match &mut self.kind {
            Kind::Identity => return Ok(()),
            // No byte came, and that is no body of any coding.
            Kind::DeflateUnknown => Err(io::ErrorKind::UnexpectedEof.into()),
            Kind::Gzip(decoder) => decoder.try_finish(),
            Kind::Zlib(decoder) => decoder.try_finish(),
            Kind::Deflate(decoder) => decoder.try_finish(),
            Kind::Brotli(decoder) => decoder.close(),
            Kind::Zstd(decoder) => decoder.do_finish(),
        };
        finished.map_err(|_| self.fault())?;
        self.hand_out(&mut sink)
    }

    fn feed(&mut self, slice: &[u8]) -> Result<(), CodingError> {
        if let (Kind::DeflateUnknown, Some(first)) = (&self.kind, slice.first()) {
            // RFC 1950 §2.2: the low four bits of the first byte are 8 for zlib; a raw block never starts so in practice.
            self.kind = if first & 0x0f == 8 {
                Kind::Zlib(Box::new(flate2::write::ZlibDecoder::new(Sink::default())))
            } else {
                Kind::Deflate(Box::new(flate2::write::DeflateDecoder::new(Sink::default())))
            };
        }
        let counted = self.received.next_multiple_of(SLICE_BYTES as u64);
        let allowed = counted.saturating_mul(self.expansion.max(1)).max(FREE_BYTES);
        let room = allowed.saturating_sub(self.produced);
        if let Some(sink) = self.sink() {
            sink.room = room;
        }
        let fed = match &mut self.kind {
            Kind::Identity | Kind::DeflateUnknown => Ok(()),
            Kind::Gzip(decoder) => write(slice, decoder),
            Kind::Zlib(decoder) => write(slice, decoder),
            Kind::Deflate(decoder) => write(slice, decoder),
            Kind::Brotli(decoder) => write(slice, decoder).and_then(|()| drain(decoder)),
            Kind::Zstd(decoder) => write(slice, decoder),
        };
        fed.map_err(|_| self.fault())
    }

    /// Hands out what was decoded and keeps the allocation.
    fn hand_out<E>(&mut self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let Some(decoded) = self.sink() else { return Ok(()) };
        let mut out = std::mem::take(&mut decoded.out);
        self.produced += out.len() as u64;
        if !out.is_empty() {
            sink(&out)?;
            out.clear();
        }
        if let Some(decoded) = self.sink() {
            decoded.out = out;
        }
        Ok(())
    }

    fn fault(&mut self) -> CodingError {
        let (received, expansion) = (self.received, self.expansion);
        match self.sink() {
            Some(sink) if sink.is_full => CodingError::Expansion(expansion),
            _ => CodingError::Damaged(received),
        }
    }

    fn sink(&mut self) -> Option<&mut Sink> {
        Some(match &mut self.kind {
            Kind::Identity | Kind::DeflateUnknown => return None,
            Kind::Gzip(decoder) => decoder.get_mut(),
            Kind::Zlib(decoder) => decoder.get_mut(),
            Kind::Deflate(decoder) => decoder.get_mut(),
            Kind::Brotli(decoder) => decoder.get_mut(),
            Kind::Zstd(decoder) => decoder.get_mut(),
        })
    }
}

fn write(slice: &[u8], decoder: &mut impl Write) -> io::Result<()> {
    decoder.write_all(slice)?;
    decoder.flush()
}

/// Brotli's decoder keeps what does not fit into its buffer until more input comes; an event must not wait for the next.
fn drain(decoder: &mut brotli::DecompressorWriter<Sink>) -> io::Result<()> {
    loop {
        let before = decoder.get_ref().out.len();
        let _ = decoder.write(&[])?;
        if decoder.get_ref().out.len() == before {
            return Ok(());
        }
    }
}

impl Kind {
    fn named(coding: &[u8]) -> Option<Self> {
        Some(match coding.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Self::Gzip(Box::new(flate2::write::MultiGzDecoder::new(Sink::default()))),
            b"deflate" => Self::DeflateUnknown,
            b"br" => Self::Brotli(Box::new(brotli::DecompressorWriter::new(Sink::default(), 16 * 1024))),
            b"zstd" => {
                let mut decoder = zstd::stream::write::Decoder::new(Sink::default()).ok()?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).ok()?;
                Self::Zstd(Box::new(decoder))
            }
            _ => return None,
        })
    }
}
