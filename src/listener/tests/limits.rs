//! Connection limits and times.

use super::*;

#[tokio::test]
async fn an_address_gets_its_connections_and_not_one_more() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.limits.connections_per_peer = 2;
    let server = start(&pki, options);
    let first = server.connect(&pki).await;
    let mut second = server.connect(&pki).await;
    assert!(server.connect_as(pki.connector(None, false), "localhost").await.is_err());
    assert!(ask(&mut second, &get("/x")).await.ends_with("/x 0+0"));
    drop(first);
    while server.wire.active() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut third = server.connect(&pki).await;
    assert!(ask(&mut third, &get("/x")).await.ends_with("/x 0+0"));
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.limits.handshake = Duration::from_millis(50);
    let server = start(&pki, options);
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
    let mut metrics = String::new();
    server.wire.write_prometheus(&mut metrics);
    assert!(metrics.contains("tls_handshake_timeouts_total{listener=\"main\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_slow_head_is_refused_with_408_and_told() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.limits.header = Duration::from_millis(150);
    options.limits.idle = Duration::from_secs(20);
    let server = start(&pki, options);
    let mut client = server.connect(&pki).await;
    assert!(ask(&mut client, &get("/x")).await.ends_with("/x 0+0"));
    client.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    let response = rest(&mut client).await;
    assert!(response.starts_with("HTTP/1.1 408") && response.ends_with("header_timeout"), "{response}");
    assert_eq!(server.told().last().unwrap(), "/ 408 header_timeout");
}

#[tokio::test]
async fn a_slow_body_is_a_fault_of_the_body() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.limits.stall = Duration::from_millis(100);
    let server = start(&pki, options);
    let mut client = server.connect(&pki).await;
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe").await.unwrap();
    let response = rest(&mut client).await;
    assert!(response.starts_with("HTTP/1.1 400") && response.ends_with("body_timeout"), "{response}");
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_and_a_busy_one_is_not() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.limits.header = Duration::from_millis(100);
    options.limits.idle = Duration::from_millis(100);
    let server = start(&pki, options);
    let (mut never, mut once) = (server.connect(&pki).await, server.connect(&pki).await);
    // Takes three times as long as a connection may be idle.
    assert!(ask(&mut once, &get("/slow")).await.ends_with("slow"));
    assert_eq!((rest(&mut never).await, rest(&mut once).await), (String::new(), String::new()));
    while server.wire.active() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.limits.stall = Duration::from_millis(200);
    let server = start(&pki, options);
    let mut client = server.connect(&pki).await;
    client.write_all(get("/large").as_bytes()).await.unwrap();
    while server.wire.active() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut bytes = Vec::new();
    let _ = client.read_to_end(&mut bytes).await;
    assert!(bytes.len() < 64 << 20 && !bytes.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn an_http2_client_that_opens_no_window_is_cut_off() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.limits.stall = Duration::from_millis(200);
    options.limits.header = Duration::from_millis(200);
    let server = start(&pki, options);
    let client = server.connect_as(pki.connector(None, true), "localhost").await.unwrap();
    let builder = hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(hyper_util::rt::TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    let empty = || http_body_util::Empty::<Bytes>::new();
    // A handler that takes its time is not taken for a client that does not read.
    let slow = sender.send_request(Request::get("https://localhost/slow").body(empty()).unwrap()).await.unwrap();
    assert_eq!(slow.status(), StatusCode::OK);
    let large = sender.send_request(Request::get("https://localhost/large").body(empty()).unwrap()).await.unwrap();
    while server.wire.active() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut body = large.into_body();
    let end = loop {
        match body.frame().await {
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_some_and(|frame| frame.is_err()));
}
