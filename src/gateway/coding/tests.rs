//! What every coding promises, whatever the chunks.

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
fn unknown_and_stacked_codings_are_refused() {
    for header in ["compress", "gzip, gzip", "gzip,br", "aes128gcm"] {
        assert!(
            matches!(Decoder::new(std::iter::once(header.as_bytes()), 1), Err(CodingError::Unsupported)),
            "{header}"
        );
    }
    assert!(Decoder::new(std::iter::once(&b"identity"[..]), 1).is_ok_and(|decoder| decoder.is_identity()));
}
