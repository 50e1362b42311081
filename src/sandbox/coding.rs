//! Content codings (RFC 9110 §8.4.1): which one a request asks for, and encoders that take chunks.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// A content coding that the sample CRM can produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
    Deflate,
}

impl Coding {
    /// The coding with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            "deflate" => Self::Deflate,
            _ => return None,
        })
    }

    /// What stands in `Content-Encoding`; nothing for identity.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zstd"),
            Self::Deflate => Some("deflate"),
        }
    }

    /// The coding that an `Accept-Encoding` value weighs highest; the order of [`PREFERENCE`] decides between equals.
    pub(super) fn accepted(accept: &str) -> Self {
        let mut best = (Self::Identity, 0_u16);
        for coding in PREFERENCE {
            let name = coding.name().unwrap_or("identity");
            let weight = weight(accept, name).or_else(|| weight(accept, "*")).unwrap_or(0);
            if weight > best.1 {
                best = (coding, weight);
            }
        }
        best.0
    }
}

/// The weight of `name` in thousandths; 1000 where none is given.
fn weight(accept: &str, name: &str) -> Option<u16> {
    accept.split(',').find_map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(name) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(
            quality
                .map_or(1_000, |text| text.trim().parse::<f32>().map_or(0, |q| (q.clamp(0.0, 1.0) * 1_000.0) as u16)),
        )
    })
}

const PREFERENCE: [Coding; 5] = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Deflate, Coding::Identity];

/// Encodes chunks.
pub(super) enum Encoder {
    Identity,
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Identity => Self::Identity,
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            Coding::Brotli => Self::Brotli(Box::new(brotli::CompressorWriter::new(Vec::new(), 4_096, 4, 20))),
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 1)?),
            Coding::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), Compression::fast())),
        })
    }

    /// Takes `chunk` and returns what is ready, possibly nothing.
    pub(super) fn push(&mut self, chunk: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(match self {
            Self::Identity => chunk,
            Self::Gzip(encoder) => {
                encoder.write_all(&chunk)?;
                std::mem::take(encoder.get_mut())
            }
            Self::Brotli(encoder) => {
                encoder.write_all(&chunk)?;
                std::mem::take(encoder.get_mut())
            }
            Self::Zstd(encoder) => {
                encoder.write_all(&chunk)?;
                std::mem::take(encoder.get_mut())
            }
            Self::Deflate(encoder) => {
                encoder.write_all(&chunk)?;
                std::mem::take(encoder.get_mut())
            }
        })
    }

    /// Returns the rest.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity => Ok(Vec::new()),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
        }
    }
}

/// All of `body` in `coding`.
pub(super) fn encode(coding: Coding, body: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(coding)?;
    let mut out = encoder.push(body)?;
    out.extend(encoder.finish()?);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_weight_wins_and_zero_forbids() {
        assert_eq!(Coding::accepted(""), Coding::Identity);
        assert_eq!(Coding::accepted("gzip"), Coding::Gzip);
        assert_eq!(Coding::accepted("gzip, br;q=0.5, zstd;q=0.9"), Coding::Gzip);
        assert_eq!(Coding::accepted("gzip;q=0, deflate;q=0.1"), Coding::Deflate);
        assert_eq!(Coding::accepted("br;q=0, *"), Coding::Zstd);
        assert_eq!(Coding::accepted("identity, gzip;q=0.5"), Coding::Identity);
        assert_eq!(Coding::accepted("compress"), Coding::Identity);
    }

    #[test]
    fn every_coding_can_be_undone() {
        use std::io::Read;
        let body: Vec<u8> = (0..200_000_u32).flat_map(|n| (n % 1_000).to_le_bytes()).collect();
        for coding in PREFERENCE {
            let mut encoder = Encoder::new(coding).unwrap();
            let mut coded = Vec::new();
            for chunk in body.chunks(7_777) {
                coded.extend(encoder.push(chunk.to_vec()).unwrap());
            }
            coded.extend(encoder.finish().unwrap());
            let mut plain = Vec::new();
            match coding {
                Coding::Identity => plain = coded,
                Coding::Gzip => drop(flate2::bufread::GzDecoder::new(&coded[..]).read_to_end(&mut plain).unwrap()),
                Coding::Deflate => drop(flate2::bufread::ZlibDecoder::new(&coded[..]).read_to_end(&mut plain).unwrap()),
                Coding::Brotli => drop(brotli::Decompressor::new(&coded[..], 4_096).read_to_end(&mut plain).unwrap()),
                Coding::Zstd => plain = zstd::stream::decode_all(&coded[..]).unwrap(),
            }
            assert!(plain == body, "{coding:?}");
        }
    }
}
