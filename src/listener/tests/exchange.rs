//! Requests, refusals, bodies and the end of connections.

use super::*;

#[tokio::test]
async fn requests_of_one_connection_are_answered_in_turn() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let mut client = server.connect(&pki).await;
    assert!(ask(&mut client, &get("/one")).await.ends_with("/one 0+0"));
    let post =
        "POST /two HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n";
    assert!(ask(&mut client, post).await.ends_with("/two 3+1"));
    assert!(ask(&mut client, &get("/who")).await.ends_with("main localhost h1 1.3 NotAsked"));
    client
        .write_all(
            format!("{}{}", get("/a"), get("/b").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).as_bytes(),
        )
        .await
        .unwrap();
    let both = rest(&mut client).await;
    assert!(both.contains("/a 0+0") && both.ends_with("/b 0+0"), "{both}");
}

#[tokio::test]
async fn refusals_reach_the_handler_and_the_client_at_any_pace() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let cases = [
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "length_and_coding",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400, "several_lengths"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400, "obs_fold"),
        ("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, "bare_lf"),
        ("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400, "bare_cr"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "space_before_colon"),
        ("GET https://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "host_disagrees"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "missing_host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", 501, "upgrade_refused"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405, "method_refused"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_refused"),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "bad_version"),
    ];
    for (request, status, code) in cases {
        for pace in [usize::MAX, 7, 1] {
            let mut client = server.connect(&pki).await;
            for piece in request.as_bytes().chunks(pace.min(request.len())) {
                // The server may have answered and closed already.
                if client.write_all(piece).await.is_err() {
                    break;
                }
            }
            let response = rest(&mut client).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{code}: {response}");
            assert!(response.to_ascii_lowercase().contains("connection: close"), "{code}: {response}");
            assert!(response.ends_with(code), "{code}: {response}");
        }
    }
    let expected: Vec<_> = cases.iter().flat_map(|(_, status, code)| vec![format!("/ {status} {code}"); 3]).collect();
    assert_eq!(server.told(), expected);
}

#[tokio::test]
async fn a_refusal_is_read_to_its_end_while_the_client_still_sends() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let mut client = server.connect(&pki).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nContent-Length: 100000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let _ = client.write_all(&vec![b'x'; 100_000]).await;
    assert!(rest(&mut client).await.ends_with("several_lengths"));
}

#[tokio::test]
async fn what_follows_a_refused_request_is_not_served() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let mut client = server.connect(&pki).await;
    let bytes = format!("{}GET / HTTP/1.1\r\nHost : a\r\n\r\n{}", get("/before"), get("/after"));
    client.write_all(bytes.as_bytes()).await.unwrap();
    let response = rest(&mut client).await;
    assert!(response.contains("/before 0+0") && response.ends_with("space_before_colon"), "{response}");
    assert_eq!(server.told(), ["/before 200 /before 0+0", "/ 400 space_before_colon"]);
}

#[tokio::test]
async fn a_broken_chunk_reaches_the_handler_as_a_fault_of_the_body() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, code) in [
        ("5\r\nhelloX", "chunk_end"),
        ("x\r\n", "chunk_size"),
        ("5;\0\r\n", "chunk_extension"),
        ("0\r\nHost: b\r\n\r\n", "bad_trailer"),
    ] {
        let mut client = server.connect(&pki).await;
        client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let response = rest(&mut client).await;
        assert!(response.starts_with("HTTP/1.1 400") && response.ends_with(code), "{code}: {response}");
    }
}

#[tokio::test]
async fn continue_is_sent_when_the_body_is_wanted_and_not_otherwise() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let head = |path| format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    let mut client = server.connect(&pki).await;
    client.write_all(head("/read").as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    client.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(ask(&mut client, "hi").await.ends_with("/read 2+0"));

    let mut client = server.connect(&pki).await;
    let response = ask(&mut client, &head("/ignore")).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn a_body_that_fails_ends_without_its_last_chunk() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let mut client = server.connect(&pki).await;
    client.write_all(get("/break").as_bytes()).await.unwrap();
    let response = rest(&mut client).await;
    assert!(response.contains("half") && !response.contains("0\r\n\r\n"), "{response}");
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_takes_nothing_new() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let (mut busy, mut idle) = (server.connect(&pki).await, server.connect(&pki).await);
    assert!(ask(&mut idle, &get("/x")).await.ends_with("/x 0+0"));
    busy.write_all(get("/slow").as_bytes()).await.unwrap();
    while server.wire.active() < 2 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.drain.send(true).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    let response = rest(&mut busy).await;
    assert!(response.contains("connection: close") && response.ends_with("slow"), "{response}");
    server.task.await.unwrap().unwrap();
    assert_eq!(server.wire.active(), 0);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn http2_is_served_and_refused_by_its_own_rules() {
    let pki = Pki::new();
    let server = start(&pki, options(&pki));
    let client = server.connect_as(pki.connector(None, true), "localhost").await.unwrap();
    let io = hyper_util::rt::TokioIo::new(client);
    let builder = hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut answers = Vec::new();
    for request in [
        Request::get("https://localhost/who"),
        Request::get("https://localhost/").header("host", "other"),
        Request::builder().method("TRACE").uri("https://localhost/"),
        Request::get("https://localhost/").header("te", "trailers"),
    ] {
        let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = http_body_util::Limited::new(response.into_body(), 1024);
        let mut body = Box::pin(body);
        let mut text = String::new();
        while let Some(frame) = body.frame().await {
            text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
        answers.push(format!("{status} {text}"));
    }
    assert_eq!(
        answers,
        ["200 main localhost h2 1.3 NotAsked", "400 host_disagrees", "405 method_refused", "200 / 0+0"]
    );
    server.drain.send(true).unwrap();
    server.task.await.unwrap().unwrap();
}
