//! The fuzz targets on the stable tool chain: seeds, mutated a bounded number of times (`FIELDGATE_FUZZ_RUNS`, per target).

#[path = "../../fuzz/targets.rs"]
mod targets;

/// Inputs per target.
fn runs() -> u64 {
    std::env::var("FIELDGATE_FUZZ_RUNS").ok().and_then(|count| count.parse().ok()).unwrap_or(4_000)
}

/// SplitMix64 (Steele, Lea, Flood 2014): repeatable, and good enough to mutate with.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn mutate(random: &mut Random, seeds: &[&[u8]]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].to_vec();
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => bytes.insert(at, [b'"', b'{', b'}', b'[', b']', b'\\', b'%', b'/', b'.', 0xff][random.below(10)]),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 => bytes.truncate(at),
            4 => {
                let other = seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                bytes.splice(at..at, other[from..].iter().copied().take(24));
            }
            _ => {
                let end = (at + random.below(16)).min(bytes.len());
                let piece = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn run(target: fn(&[u8]), runs: u64, seeds: &[&[u8]]) {
    let mut random = Random(20_261_124);
    seeds.iter().for_each(|seed| target(seed));
    for _ in 0..runs {
        target(&mutate(&mut random, seeds));
    }
}

#[test]
fn json_rewriter() {
    run(
        targets::json_rewriter,
        runs(),
        &[
            br#"1{"id":"C-1","email":"jane@example.com","card":{"number":"4111111111111111","x":[1,2.5e3,null,true]}}"#,
            br#"2{"items":[{"id":"a","phone":"+49 30 901820"},{"phone":null,"id":"b"}],"notes":"call 4111 1111 1111 1111"}"#,
            br#"3{"f":[{"name":"Card","values":["4111111111111111"]},{"values":["x"],"name":"Other"}]}"#,
            br#"4{"e\u006dail":"\ud83d\ude00 \"q\" \\","email":"x","email":12345678901234567890}"#,
            br#"5[[[{"card":"a"}],"\u00e9"],-0.0e-1]"#,
        ],
    );
}

#[test]
fn ndjson_rewriter() {
    run(
        targets::ndjson_rewriter,
        runs(),
        &[
            b"1{\"id\":\"C-1\",\"email\":\"jane@example.com\"}\n{\"phone\":\"+49 30 901820\",\"id\":2}\r\n\n",
            b"5{\"notes\":\"write to jane@example.com\",\"id\":\"x\"}\n[1,{\"email\":\"a\"}]\n12\n\"s\"",
        ],
    );
}

#[test]
fn csv_rewriter() {
    run(
        targets::csv_rewriter,
        runs(),
        &[
            b"1id,email,phone,notes\r\n1,jane@example.com,+49 30 901820,\"said \"\"hi\"\", left\"\r\n2,,,\r\n",
            b"4\xef\xbb\xbfid;\"email\";x\n\"1\";=1+1;\"a\nb\"\n2;\"\";",
            b"2email\n\"\"\njane@example.com",
        ],
    );
}

#[test]
fn sse_rewriter() {
    run(
        targets::sse_rewriter,
        runs(),
        &[
            b"1event: a\nid: 4\ndata: {\"id\":\"1\",\ndata: \"email\":\"jane@example.com\"}\n\n: ping\r\n\r\n",
            b"6\xef\xbb\xbfdata: write to jane@example.com\rdata:4111 1111 1111 1111\r\rretry: 7\nx: y\n\ndata: [DONE]\n\n",
        ],
    );
}

#[test]
fn xml_rewriter() {
    run(
        targets::xml_rewriter,
        runs(),
        &[
            b"1<?xml version='1.0' encoding='utf-8'?><a phone=\"+49 30 901820\"><b><email>jane@example.com</email><id>1</id></b></a>",
            b"3<s:a xmlns:s='u'><!-- jane --><b><id>2</id><email>j<![CDATA[<x@y.de]]>&#65;<!-- c --></email></b><notes>4111 1111 1111 1111</notes><?p?></s:a>",
            b"1<?p q?><a phone=\"+4 \xe2\x9f\xa6fg:phone:1\xe2\x9f\xa7\">a b</a>",
            b"7<a><b/><b id='x'>\n <email/> t <email> </email></b>&lt;&amp;</a>\n",
        ],
    );
}

#[test]
fn api_map() {
    let maps: [&[u8]; 3] = [
        b"[[route]]\nname = \"a.read\"\nmatch = \"GET /a/{id}\"\nresource = \"a\"\naction = \"read\"\nsubject = \"{id}\"\nresponse.fields = { \"$.e\" = \"email\" }\n",
        b"[[route]]\nname = \"a.list\"\nmatch = \"GET /a\"\nresource = \"a\"\naction = \"list\"\nquery = { email = \"email\" }\nquery_pass = [\"page\"]\n",
        b"[[route]]\nname = 'x'\nmatch = 'PUT /x/{a}/y/{b}'\nresource = 'x'\naction = 'update'\nwrite_back = 'drop'\n",
    ];
    run(targets::api_map, runs(), &maps);
}

#[test]
fn jsonpath() {
    run(
        targets::jsonpath,
        runs() * 5,
        &[
            b"$.a['b c'][0][*].*",
            b"$..email",
            b"$.f[?@.name == 'Card'].values[*]",
            br#"$["a\u00e9\"b"]"#,
            b"$[?(@['x']==\"y\")]",
        ],
    );
}

#[test]
fn record_line() {
    run(
        targets::record_line,
        runs() * 2,
        &[
            br#"{"_c":[3,"n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",512]}"#,
            br#"{"v":1,"idx":7,"ts":"2026-11-24T09:14:02.318224Z","kind":"access.reveal","req":"0193"}"#,
            b"{}",
        ],
    );
}

#[test]
fn target() {
    run(
        targets::target,
        runs() * 5,
        &[
            b"/api/v1/customers/C-1001",
            b"/api/v1/customers?email=jane%40example.com&page=2",
            b"/api/v1/tickets/T-1/comments",
            b"/api/v1/%63ustomers/../x//y;z",
        ],
    );
}

#[test]
fn envelope() {
    let mut seeds: Vec<&[u8]> = targets::SEALED.iter().map(String::as_bytes).collect();
    seeds.push(b"Paid with fg1_EX86CcEAoKGio6SlpqeoqaqrrK2ur7xBNqxouee4CRX12WY14Iig_6VX3wUMtp_Yv_h1MPwI yesterday");
    seeds.push(b"fg1_EwsdAAGkQEvvJVtOMahLkq9-ng3afzoJwQECAwQFBgcI");
    run(targets::envelope, runs() * 5, &seeds);
}

#[test]
fn search() {
    run(
        targets::search,
        runs() * 5,
        &[
            b"\x00SELECT Id, (SELECT Email FROM Contacts) FROM Account a WHERE a.Email IN ('x', null) AND NOT (Id != 'y') LIMIT 5",
            b"\x00SELECT COUNT(Email) FROM Case c, c.Owner o WHERE o.Email = 'x\\'' AND Id IN (SELECT Id FROM Case WHERE Email='z')",
            b"\x01'CF.{Card}' = 'a\\'b' AND (Requestor != 'c' OR Status = open) AND Requestor IN ('a', \"b\") OR CF.{Card} IS NULL",
            b"\x02type:user email:a -email:\"b c\" word x@y.example created>2024-01-01 order_by:id",
            b"\x03{\"filterGroups\":[{\"filters\":[{\"propertyName\":\"email\",\"operator\":\"IN\",\"values\":[\"a\"]}]}],\"query\":\"x\"}",
            b"\x03{\"filters\":[{\"propertyName\":\"email\",\"operator\":\"NEQ\",\"value\":\"\\u0041\"}],\"sorts\":[\"city\"]}",
            b"\x04Email eq 'a''b' and not (contacts/any(c:c/Email ne 'x')) or Email in ('a',null) and contains(City,'x')",
            b"\x05City desc,x asc",
            b"\x07groupby((statecode),aggregate($count as n))",
            b"\x08contacts(Email='a@b',x='y')",
        ],
    );
}

#[test]
fn multipart() {
    run(
        targets::multipart,
        runs() * 5,
        &[
            b"--b1\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\nPOST /a?b HTTP/1.1\r\nA: b\r\n\r\n{}\r\n--b1--\r\n",
            b"x\r\n--b1\r\n\r\nHTTP/1.1 204 No\r\nB:c\r\n\r\n\r\n--b1\r\nA: \"b\"\r\n\r\nGET x HTTP/1.1\r\n--b1--",
            b"--b1\r\n\r\nPOST x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}\r\n\r\n--b1--x",
            b"form-data; name=\"a\"; filename=b.txt",
        ],
    );
}

#[test]
fn form() {
    run(
        targets::form,
        runs() * 5,
        &[
            b"Email=jane%40example.com&Subject=a+b&Text=%C3%A9%0A",
            b"&a&k%5Bx%5D=1&a=%22%5C&",
            b"object%5Bemail%5D=a=b;c&t=%F0%9F%98%80",
        ],
    );
}

#[test]
fn content_coding() {
    let text = br#"{"id":"C-1","email":"jane@example.com"}"#.repeat(12);
    let (choices, mut seeds) =
        ([b"\x00\x07", b"\x01\x03", b"\x01\x40", b"\x02\x00", b"\x03\x11", b"\x04\x02"], Vec::new());
    for (choice, coded) in choices.iter().zip(codings(&text)) {
        seeds.push([&choice[..], &coded].concat());
        // Another member or frame, which not every coding has.
        seeds.push([&choice[..], &coded, &coded].concat());
    }
    run(targets::content_coding, runs(), &seeds.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

/// `text` in gzip, zlib, raw DEFLATE, Brotli, zstd and as it is.
fn codings(text: &[u8]) -> [Vec<u8>; 6] {
    use std::io::Write;
    let level = flate2::Compression::default();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
    let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), level);
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 18);
    for writer in [&mut gzip as &mut dyn Write, &mut zlib, &mut raw, &mut brotli] {
        writer.write_all(text).unwrap();
    }
    let zstd = zstd::encode_all(text, 3).unwrap();
    [gzip.finish().unwrap(), zlib.finish().unwrap(), raw.finish().unwrap(), brotli.into_inner(), zstd, text.to_vec()]
}

#[test]
fn detector() {
    run(
        targets::detector,
        runs() * 2,
        &[
            "Jane (jane@example.com, +49 151 12345678) paid with 4111 1111 1111 1111; DE89 3704 0044 0532 0130 00.".as_bytes(),
            "SSN 536-22-8726, PESEL 44051401359, DNI 12345678-Z, NINO AB 12 34 56 C, HETU 131052-308T, born 9. Mai 1984".as_bytes(),
            "CNPJ 12.ABC.345/01DE-35; NIR 2 55 08 14 168 025 38; AHV 756.9217.0769.85; RSSMRA85T10A562S".as_bytes(),
            "password=hunter2 token: eyJhbGciOi1.eyJzdWIi00000.x1 from fe80::1%eth0 00:1a:2b:3c:4d:5e 10.1.2.3/8".as_bytes(),
            "jane&#64;x.org ja\u{200b}ne＠example.com j (at) x (dot) org %40 \u{430}1 ٤١١١".as_bytes(),
        ],
    );
}

#[test]
fn graphql_document() {
    run(
        targets::graphql_document,
        runs() * 2,
        &[
            b"query Q($id: ID = \"C\") { a: customer(id: $id) { ...F __typename } } fragment F on C { x: email ... @include(if: true) { id } }",
            b"{ uiapi { q: query { Contact(where: { Email: { eq: \"\\u{41}\" } }, first: 2) { edges { node { Id } } } } } }",
            b"mutation { updateCustomer(id: 1.5e3, changes: [true, null, ENUM, \"\"\" a\n  b \"\"\"]) { id } } # done",
            b"{ customers { ...A } } fragment A on B { ...A }",
        ],
    );
}

#[test]
fn mcp_message() {
    run(
        targets::mcp_message,
        runs() / 4,
        &[
            br#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"{\"email\":\"canary@example.com\"}"},{"type":"text","text":"ask canary@example.com now"}],"structuredContent":{"email":"canary@example.com","x":1}}}"#,
            br#"{"jsonrpc":"2.0","id":7,"result":{"isError":true,"content":[{"type":"resource","resource":{"uri":"crm://a?m=canary@example.com","text":"[1,2]"}},{"type":"image","data":"AA==","mimeType":"image/png"}]}}"#,
            br#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"canary@example.com"}}"#,
            br#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"canary@example.com","data":[{"a":"canary@example.com"}]}}"#,
            br#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x","arguments":{"a":"j\u2022\u2022@example.com"}}}"#,
        ],
    );
}
