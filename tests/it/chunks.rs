//! Bodies that the gateway reads whole: the chunks in which a caller sends one make no difference to what the CRM gets.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use crate::{
    harness::{Asked, Fake, Setup, World, client_tls},
    questions::Rng,
};

const MAP: &str = r#"
[map]
name = "chunks"
resources = ["batch", "customer", "ticket", "comment"]

[[route]]
name = "ticket.attach"
match = "PATCH /ticket/{id}/attachments"
resource = "ticket"
action = "update"
request.format = "multipart"
request.fields = { "$.Requestor" = "email", "$.Text" = "free_text" }
request.part."JSON".fields = { "$.Requestor" = "email" }
request.files = "pass"
response.format = "empty"

[[route]]
name = "contact.form"
match = "PATCH /contacts/{id}"
resource = "customer"
action = "update"
request.format = "form"
request.fields = { "$.Email" = "email", "$.Notes" = "free_text" }
response.format = "empty"

[[route]]
name = "odata.batch"
match = "POST /$batch"
resource = "batch"
action = "list"
request.format = "odata_batch"

[[route]]
name = "contact.create"
match = "POST /contacts"
resource = "customer"
action = "create"
request.fields = { "$.email" = "email" }
response.fields = { "$.email" = "email" }
response.subject = "$.id"
"#;

/// A request with a body, without its framing.
struct Sent {
    line: &'static str,
    media: &'static str,
    body: Vec<u8>,
}

fn requests() -> [Sent; 3] {
    let part = |disposition: &str, media: &str, body: &[u8]| {
        let head = format!("--form\r\nContent-Disposition: form-data; {disposition}\r\n{media}\r\n");
        [head.as_bytes(), body, b"\r\n"].concat()
    };
    let upload = [
        part("name=\"Text\"", "", "Gr\u{fc}\u{df}e\r\nvon jane@mail.example".as_bytes()),
        part("name=\"Requestor\"", "", "j\u{2022}\u{2022}\u{2022}@mail.example".as_bytes()),
        part("name=\"JSON\"", "Content-Type: application/json\r\n", br#"{"Requestor":"jane@mail.example"}"#),
        part(
            "name=\"File\"; filename=\"a.png\"",
            "Content-Type: image/png\r\n",
            b"\x89PNG\r\n\0\xff\r\n--for\r\n--\r\n",
        ),
        b"--form--\r\n".to_vec(),
    ];
    let call = |body: &str| {
        format!(
            "--batch\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             POST contacts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
        )
    };
    let batch = [call(r#"{"email":"jane@mail.example"}"#), call(r#"{"email":"\u00e9@mail.example","x":[1,2]}"#)];
    [
        Sent {
            line: "PATCH /ticket/7/attachments",
            media: "multipart/form-data; boundary=form",
            body: upload.concat(),
        },
        Sent {
            line: "PATCH /contacts/7",
            media: "application/x-www-form-urlencoded",
            body: b"Email=j%E2%80%A2%E2%80%A2%E2%80%A2%40mail.example&Notes=Gr%C3%BC%C3%9Fe+von+jane%40mail.example&&City=Ulm"
                .to_vec(),
        },
        Sent {
            line: "POST /$batch",
            media: "multipart/mixed; boundary=batch",
            body: format!("{}--batch--\r\n", batch.concat()).into_bytes(),
        },
    ]
}

fn start() -> (Arc<Fake>, World) {
    let reply = "--answer\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
                 HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"id\":\"1\",\"email\":\"jane@mail.example\"}\r\n";
    let fake = Fake::new(move |asked| match asked.target.as_str() {
        "/$batch" => {
            (200, "multipart/mixed; boundary=answer".to_owned(), format!("{reply}{reply}--answer--\r\n").into_bytes())
        }
        _ => (204, String::new(), Vec::new()),
    });
    let mut world = Setup::new().answered_by(&fake).prepare();
    world.map(MAP);
    world.start();
    (fake, world)
}

/// `bytes` in pieces of 1 to `most`.
fn cut<'a>(random: &mut Rng, bytes: &'a [u8], most: usize) -> Vec<&'a [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// `body` in chunks of random lengths (RFC 9112 §7.1).
fn chunked(random: &mut Rng, body: &[u8], most: usize) -> Vec<u8> {
    let chunks = cut(random, body, most);
    let framed = chunks.iter().map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    [framed.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat()
}

/// Sends a request in these pieces, each on its way before the next; the answer's status and body.
fn send(world: &World, pieces: &[&[u8]]) -> (u16, String) {
    let stream = std::net::TcpStream::connect(world.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let tls = client_tls(&world.made.ca, &[b"http/1.1"]);
    let mut stream = rustls::StreamOwned::new(rustls::ClientConnection::new(tls, name).unwrap(), stream);
    for piece in pieces {
        stream.write_all(piece).unwrap();
        stream.flush().unwrap();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn head(world: &World, sent: &Sent, framing: &str) -> Vec<u8> {
    let (port, key) = (world.address.port(), world.key("supervisor-sam"));
    format!(
        "{} HTTP/1.1\r\nHost: localhost:{port}\r\nFieldgate-Key: {key}\r\nContent-Type: {}\r\n{framing}\r\n\
         Connection: close\r\n\r\n",
        sent.line, sent.media
    )
    .into_bytes()
}

/// What the CRM got: its body, and what its headers say about it.
fn received(fake: &Fake) -> (Vec<u8>, [Option<String>; 3]) {
    let mut asked: Vec<Asked> = fake.received();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let asked = asked.remove(0);
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    (asked.bytes.to_vec(), ["content-type", "content-length", "transfer-encoding"].map(header))
}

#[test]
fn a_body_that_is_read_whole_reaches_the_crm_the_same_in_any_chunks() {
    let (fake, world) = start();
    let mut random = Rng(20_261_129);
    for sent in requests() {
        let length = head(&world, &sent, &format!("Content-Length: {}", sent.body.len()));
        let whole = send(&world, &[&length, &sent.body]);
        assert!([200, 204].contains(&whole.0), "{}: {whole:?}", sent.line);
        let expected = received(&fake);
        let text = String::from_utf8_lossy(&expected.0);
        assert!(text.contains("jane") && !text.contains("\u{2022}") && !text.contains("%E2%80%A2"), "{text}");
        for most in [1, 2, 3, 7, 16, 61, 200, 5_000] {
            let framed = chunked(&mut random, &sent.body, most);
            let head = head(&world, &sent, "Transfer-Encoding: chunked");
            let mut pieces = vec![&head[..]];
            pieces.extend(cut(&mut random, &framed, most.max(40)));
            assert_eq!(send(&world, &pieces), whole, "{}: the answer, chunks of up to {most}", sent.line);
            assert_eq!(received(&fake), expected, "{}: chunks of up to {most}", sent.line);
        }
    }
}
