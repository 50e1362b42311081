//! What every coding promises, whatever the chunks.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

fn decode(coding: &str, body: &[u8], chunk: usize, expansion: u64) -> Result<Vec<u8>, CodingError> {
    let (out, result) = outcome(coding, body.chunks(chunk), expansion);
    result.map(|()| out)
}

/// What was handed out, and how it ended.
fn outcome<'a>(
    coding: &str,
    chunks: impl Iterator<Item = &'a [u8]>,
    expansion: u64,
) -> (Vec<u8>, Result<(), CodingError>) {
    let mut out = Vec::new();
    let result = super::decode(coding.as_bytes(), chunks, expansion, |bytes| out.extend_from_slice(bytes));
    (out, result)
}

/// `body` cut at these places; two cuts at one place are an empty chunk.
fn pieces<'a>(body: &'a [u8], cuts: &[Index]) -> impl Iterator<Item = &'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    ends.push(body.len());
    ends.sort_unstable();
    let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &body[start..end])
}

/// The coding, and the header that names it.
const CODINGS: [(&str, &str); 6] = [
    ("gzip", "gzip"),
    ("deflate", "deflate"),
    ("raw", "deflate"),
    ("br", "br"),
    ("zstd", "zstd"),
    ("identity", "identity"),
];

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
        "identity" => text.to_vec(),
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
    for (coding, header) in CODINGS {
        let body = coded(coding, &text);
        for chunk in [1, 7, 1000, usize::MAX / 2] {
            assert!(decode(header, &body, chunk.min(body.len()), 1000).as_ref() == Ok(&text), "{coding} by {chunk}");
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
fn a_few_bytes_of_a_dense_coding_never_become_megabytes_before_they_are_counted() {
    for coding in ["br", "zstd"] {
        let bomb = coded(coding, &vec![b' '; 64 * 1024 * 1024]);
        assert!(bomb.len() < 64 * 1024 * 1024 / 1032, "{coding} is denser than DEFLATE can be");
        let mut decoder = Decoder::new(std::iter::once(coding.as_bytes()), 200).unwrap();
        let mut decoded = 0;
        let pushed = decoder.push(&bomb, |bytes: &[u8]| {
            decoded += bytes.len();
            Ok::<(), CodingError>(())
        });
        assert_eq!(pushed, Err(CodingError::Expansion(200)), "{coding}");
        let held = decoder.sink().unwrap().out.capacity();
        assert!(decoded + held <= 2 * (1024 * 1024 + 200 * bomb.len()), "{coding}: {decoded} + {held}");
    }
}

#[test]
fn what_came_is_handed_out_before_more_comes() {
    let events = b"data: {}\n\n".repeat(20_000);
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    writer.write_all(&events).unwrap();
    writer.flush().unwrap();
    let (mut decoder, mut length) = (Decoder::new(std::iter::once(&b"br"[..]), 10_000).unwrap(), 0);
    let mut sink = |bytes: &[u8]| {
        length += bytes.len();
        Ok::<(), CodingError>(())
    };
    decoder.push(writer.get_ref(), &mut sink).unwrap();
    assert_eq!(length, events.len());
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

/// Texts that are partly dense and partly not.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        vec(any::<u8>(), 0..300),
        (any::<u8>(), 0..5_000_usize).prop_map(|(byte, count)| vec![byte; count]),
        (0..400_usize).prop_map(|count| br#"{"email":"jane@example.com"},"#.repeat(count)),
    ];
    vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..12)
}

fn kind(result: &Result<(), CodingError>) -> Result<(), std::mem::Discriminant<CodingError>> {
    result.as_ref().copied().map_err(std::mem::discriminant)
}

/// What became of a body after it was coded.
#[derive(Debug, Clone)]
enum Harm {
    Cut(Index),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index),
}

impl Harm {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            any::<Index>().prop_map(Self::Cut),
            (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            (any::<Index>(), vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            any::<Index>().prop_map(Self::Remove),
        ]
    }

    fn apply(&self, body: &mut Vec<u8>) {
        match self {
            Self::Cut(at) => body.truncate(at.index(body.len())),
            Self::Flip(at, bit) => {
                let at = at.index(body.len());
                body[at] ^= 1 << bit;
            }
            Self::Insert(at, bytes) => {
                let at = at.index(body.len() + 1);
                body.splice(at..at, bytes.iter().copied());
            }
            Self::Remove(at) => drop(body.remove(at.index(body.len()))),
        }
    }
}

proptest! {
    #[test]
    fn any_chunks_of_any_text_decode_to_it(text in text(), (coding, header) in prop::sample::select(&CODINGS[..]), cuts in cuts()) {
        let body = coded(coding, &text);
        let (out, result) = outcome(header, pieces(&body, &cuts), 10_000);
        prop_assert_eq!(result, Ok(()));
        prop_assert!(out == text);
    }

    #[test]
    fn members_and_frames_follow_each_other_in_any_chunks(texts in vec(text(), 1..5), cuts in cuts()) {
        for coding in ["gzip", "zstd"] {
            let body: Vec<u8> = texts.iter().flat_map(|text| coded(coding, text)).collect();
            let (out, result) = outcome(coding, pieces(&body, &cuts), 10_000);
            prop_assert_eq!(result, Ok(()));
            prop_assert!(out == texts.concat());
            let short = &body[..body.len() - 1];
            prop_assert!(matches!(outcome(coding, pieces(short, &cuts), 10_000).1, Err(CodingError::Damaged(_))));
        }
    }

    #[test]
    fn a_body_that_is_cut_short_is_no_success_in_any_chunks(text in text(), cut in any::<Index>(), cuts in cuts()) {
        for (coding, header) in CODINGS.into_iter().filter(|(coding, _)| *coding != "identity") {
            let body = coded(coding, &text);
            let short = &body[..cut.index(body.len())];
            let (out, result) = outcome(header, pieces(short, &cuts), 10_000);
            prop_assert!(matches!(result, Err(CodingError::Damaged(_))), "{}: {:?} after {} of {}", coding, result, short.len(), body.len());
            prop_assert!(text.starts_with(&out), "{}: what came before is not the text", coding);
        }
    }

    #[test]
    fn a_damaged_body_ends_the_same_way_in_any_chunks(
        text in text(), (coding, header) in prop::sample::select(&CODINGS[..]), harms in vec(Harm::any(), 1..3), cuts in cuts(),
    ) {
        let mut body = coded(coding, &text);
        for harm in harms {
            if !body.is_empty() {
                harm.apply(&mut body);
            }
        }
        let (whole, ended) = outcome(header, std::iter::once(&body[..]), 10_000);
        for chunks in [pieces(&body, &cuts).collect::<Vec<_>>(), body.chunks(1).collect()] {
            let (out, result) = outcome(header, chunks.into_iter(), 10_000);
            prop_assert_eq!(kind(&result), kind(&ended));
            let fits = if ended.is_ok() { out == whole } else { out.starts_with(&whole) || whole.starts_with(&out) };
            prop_assert!(fits, "{} bytes, and {} of the whole", out.len(), whole.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_bound_is_the_same_in_any_chunks(
        start in vec(any::<u8>(), 0..3_000), dense in 900_000..2_600_000_usize, end in vec(any::<u8>(), 0..3_000),
        near in 0.3..1.2_f64, (coding, header) in prop::sample::select(&CODINGS[..5]), cuts in cuts(),
    ) {
        let text = [start, vec![b' '; dense], end].concat();
        let body = coded(coding, &text);
        // Where chunks could make a difference: near the bound, and past what is free.
        let expansion = ((text.len() as f64 / body.len() as f64) * near).ceil() as u64;
        let (whole, ended) = outcome(header, std::iter::once(&body[..]), expansion);
        let bound = (body.len().next_multiple_of(SLICE_BYTES) as u64 * expansion).max(FREE_BYTES);
        prop_assert!(whole.len() as u64 <= bound);
        if text.len() as u64 <= FREE_BYTES {
            prop_assert_eq!(&ended, &Ok(()));
        }
        for chunks in [pieces(&body, &cuts).collect::<Vec<_>>(), body.chunks(1).collect()] {
            let (out, result) = outcome(header, chunks.into_iter(), expansion);
            prop_assert_eq!(&result, &ended, "{} at {}", coding, expansion);
            prop_assert!(out.len() as u64 <= bound && text.starts_with(&out));
        }
    }
}
