//! What the pool makes of the connections and the responses of a CRM.

mod crm;

pub(crate) use crm::settings;

use http_body_util::{BodyExt, Full};
use tokio::net::TcpListener;

use self::crm::{Crm, Reply, Told, crm, crm_apart, multiplexing_crm};
use super::*;
use crate::{tls::testing::Pki, upstream::Settings};

type Requests = Full<Bytes>;

fn pool_with(pki: &Pki, crm: &Crm, change: impl FnOnce(&mut Upstream)) -> Pool<Requests> {
    let mut upstream = Upstream::new(&settings(crm.address), &pki.resolve(), "upstream.0").unwrap();
    change(&mut upstream);
    Pool::new(Arc::new(upstream))
}

fn pool(pki: &Pki, crm: &Crm) -> Pool<Requests> {
    pool_with(pki, crm, |_| {})
}

impl Pool<Requests> {
    fn request(&self, method: &str, target: &str, body: &'static str) -> Request<Requests> {
        let uri = self.upstream().uri(target).unwrap();
        Request::builder().method(method).uri(uri).body(Full::from(body)).unwrap()
    }

    /// The status and the body, or what went wrong.
    async fn ask(&self, method: &str, target: &str, body: &'static str) -> Result<String, UpstreamError> {
        let response = self.exchange(self.request(method, target, body)).await?;
        let status = response.status().as_u16();
        Ok(format!("{status} {}", text(response.into_body()).await?))
    }

    fn resting(&self) -> usize {
        self.shared.lock().rested.len()
    }
}

async fn text(mut body: Body) -> Result<String, UpstreamError> {
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        text.push_str(std::str::from_utf8(frame?.data_ref().unwrap()).unwrap());
    }
    Ok(text)
}

const HI: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

#[tokio::test]
async fn a_connection_is_used_again_once_its_response_is_read() {
    let pki = Pki::new();
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\n";
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    let crm = crm(&pki, vec![vec![Reply::Say(HI), Reply::Say(chunked), Reply::Say(empty), Reply::Say(HI)]]).await;
    let pool = pool(&pki, &crm);
    assert_eq!(pool.ask("GET", "/a?b=c", "").await.unwrap(), "200 hi");
    assert_eq!(pool.ask("POST", "/b", "body").await.unwrap(), "200 ho");
    assert_eq!(pool.ask("DELETE", "/c", "").await.unwrap(), "204 ");
    assert_eq!(pool.ask("GET", "/d", "").await.unwrap(), "200 hi");
    let seen = crm.seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            "1: GET /a?b=c HTTP/1.1 []",
            "1: POST /b HTTP/1.1 [body]",
            "1: DELETE /c HTTP/1.1 []",
            "1: GET /d HTTP/1.1 []"
        ]
    );
}

#[tokio::test]
async fn a_connection_that_died_at_rest_is_not_used() {
    let pki = Pki::new();
    let crm = crm(&pki, vec![vec![Reply::Die(HI)], vec![Reply::Say(HI)]]).await;
    let pool = pool_with(&pki, &crm, |upstream| upstream.times.stale = Duration::ZERO);
    assert_eq!(pool.ask("GET", "/a", "").await.unwrap(), "200 hi");
    assert_eq!(pool.resting(), 1);
    crm.die.notify_one();
    assert_eq!(pool.ask("POST", "/b", "body").await.unwrap(), "200 hi");
    let seen = crm.seen.lock().unwrap().clone();
    assert_eq!(seen, ["1: GET /a HTTP/1.1 []", "2: POST /b HTTP/1.1 [body]"]);
}

#[tokio::test]
async fn a_request_that_was_not_begun_goes_to_a_fresh_connection() {
    let pki = Pki::new();
    let crm = crm(&pki, vec![vec![Reply::Say(HI)]]).await;
    let pool = pool(&pki, &crm);
    // A rested connection whose task takes the request no more: it ends with the request still in its queue.
    let (io, other) = tokio::io::duplex(1024);
    let (sender, mut connection) = http1_builder().handshake(TokioIo::new(io)).await.unwrap();
    std::future::poll_fn(|cx| {
        assert!(std::pin::Pin::new(&mut connection).poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    let now = Instant::now();
    pool.shared.lock().rested.push(Rested { sender, born: now, since: now });
    let (answer, ()) = tokio::join!(pool.ask("POST", "/a", "body"), async move {
        tokio::task::yield_now().await;
        drop((connection, other));
    });
    assert_eq!(answer.unwrap(), "200 hi");
    assert_eq!(crm.seen.lock().unwrap().clone(), ["1: POST /a HTTP/1.1 [body]"]);
}

/// The CRM closes after every response, at the very moment at which the next request is on its way.
#[tokio::test]
async fn no_request_is_ever_sent_twice() {
    let pki = Arc::new(Pki::new());
    let crm = crm_apart(&pki, (0..300).map(|_| vec![Reply::Drop(HI)]).collect());
    let pool = pool(&pki, &crm);
    let mut answered = 0;
    for number in 0..150 {
        match pool.ask("POST", &format!("/{number}"), "body").await {
            Ok(answer) => {
                assert_eq!(answer, "200 hi");
                answered += 1;
            }
            Err(error) => assert_eq!(error, UpstreamError::Closed),
        }
    }
    let mut seen: Vec<_> =
        crm.seen.lock().unwrap().iter().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect();
    seen.sort();
    let before = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), before);
    assert!(answered > 0 && seen.len() >= answered);
}

#[tokio::test]
async fn a_request_that_may_have_been_processed_is_not_sent_again() {
    let pki = Pki::new();
    let crm = crm(&pki, vec![vec![Reply::Say(HI), Reply::Hang], vec![Reply::Say(HI)]]).await;
    let pool = pool(&pki, &crm);
    assert_eq!(pool.ask("GET", "/a", "").await.unwrap(), "200 hi");
    assert_eq!(pool.ask("GET", "/b", "").await, Err(UpstreamError::Closed));
    let seen = crm.seen.lock().unwrap().clone();
    assert_eq!(seen, ["1: GET /a HTTP/1.1 []", "1: GET /b HTTP/1.1 []"]);
}

#[tokio::test]
async fn a_body_that_is_dropped_closes_its_connection() {
    let pki = Pki::new();
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let crm = crm(&pki, vec![vec![Reply::Say(endless)], vec![Reply::Say(HI)]]).await;
    let pool = pool(&pki, &crm);
    let mut response = pool.exchange(pool.request("GET", "/a", "")).await.unwrap();
    assert!(response.body_mut().frame().await.unwrap().is_ok());
    assert_eq!(pool.resting(), 0);
    drop(response);
    assert_eq!(pool.ask("GET", "/b", "").await.unwrap(), "200 hi");
    while crm.seen.lock().unwrap().len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(crm.seen.lock().unwrap().iter().any(|line| line.starts_with("1: closed")));
    assert_eq!(pool.in_use(), 0);
}

#[tokio::test]
async fn responses_that_break_http_or_switch_protocols_are_refused() {
    let pki = Pki::new();
    let cases = [
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            UpstreamError::Protocol,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi", UpstreamError::Protocol),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi", UpstreamError::Protocol),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            UpstreamError::Protocol,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nhi", UpstreamError::Protocol),
        ("HTTP/1.1 200 OK\r\nx y: z\r\n\r\n", UpstreamError::Protocol),
        ("SSH-2.0-x\r\n\r\n", UpstreamError::Protocol),
    ];
    let scripts = cases.iter().map(|(reply, _)| vec![Reply::Last(reply)]).collect();
    let crm = crm(&pki, scripts).await;
    let pool = pool(&pki, &crm);
    for (reply, expected) in cases {
        assert_eq!(pool.ask("GET", "/", "").await, Err(expected), "{reply}");
    }
}

#[tokio::test]
async fn interim_responses_are_dropped() {
    let pki = Pki::new();
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n\
                   HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let crm = crm(&pki, vec![vec![Reply::Say(interim), Reply::Say(HI)]]).await;
    let pool = pool(&pki, &crm);
    let response = pool.exchange(pool.request("GET", "/a", "")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().contains_key("link")), (200, false));
    assert_eq!(text(response.into_body()).await.unwrap(), "hi");
    assert_eq!(pool.ask("GET", "/b", "").await.unwrap(), "200 hi");
}

#[tokio::test]
async fn a_response_that_stops_half_way_is_truncated_and_not_complete() {
    let pki = Pki::new();
    for half in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let crm = crm(&pki, vec![vec![Reply::Last(half)]]).await;
        assert_eq!(pool(&pki, &crm).ask("GET", "/", "").await, Err(UpstreamError::Truncated));
    }
}

#[tokio::test]
async fn a_crm_that_is_silent_or_absent_is_a_timeout_or_a_failure() {
    let pki = Pki::new();
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let crm = crm(&pki, vec![vec![Reply::Silent], vec![Reply::Say(half)]]).await;
    let quick = pool_with(&pki, &crm, |upstream| {
        upstream.times.response = Duration::from_millis(50);
        upstream.times.read = Duration::from_millis(50);
    });
    assert_eq!(quick.ask("GET", "/", "").await, Err(UpstreamError::ResponseTimeout));
    assert_eq!(quick.ask("GET", "/", "").await, Err(UpstreamError::BodyTimeout));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Told { seen, die } = Told::default();
    let mute = Crm { address: listener.local_addr().unwrap(), seen, die, _task: tokio::spawn(async {}) };
    let never = pool_with(&pki, &mute, |upstream| upstream.times.connect = Duration::from_millis(50));
    assert_eq!(never.ask("GET", "/", "").await, Err(UpstreamError::ConnectTimeout));
    drop(listener);
    assert_eq!(pool(&pki, &mute).ask("GET", "/", "").await, Err(UpstreamError::Connect));
}

#[tokio::test]
async fn certificates_are_verified_against_the_roots_and_the_name() {
    let pki = Pki::new();
    let crm = crm(&pki, vec![vec![], vec![], vec![Reply::Say(HI)]]).await;
    let stranger = Pki::new();
    assert_eq!(pool(&stranger, &crm).ask("GET", "/", "").await, Err(UpstreamError::Tls));
    for (name, expected) in [("other.internal", Err(UpstreamError::Tls)), ("crm.internal", Ok("200 hi".to_owned()))] {
        let named = Settings { server_name: Some(name.into()), ..settings(crm.address) };
        let upstream = Upstream::new(&named, &pki.resolve(), "upstream.0").unwrap();
        assert_eq!(Pool::<Requests>::new(Arc::new(upstream)).ask("GET", "/", "").await, expected, "{name}");
    }
}

#[tokio::test]
async fn connections_reach_their_number_and_not_one_more() {
    let pki = Pki::new();
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
    let crm = crm(&pki, vec![vec![Reply::Say(half)], vec![Reply::Say(half)], vec![Reply::Say(HI)]]).await;
    let two = pool_with(&pki, &crm, |upstream| {
        upstream.max_connections = 2;
        upstream.times.connect = Duration::from_millis(500);
    });
    let first = two.exchange(two.request("GET", "/1", "")).await.unwrap();
    let _second = two.exchange(two.request("GET", "/2", "")).await.unwrap();
    assert_eq!(two.ask("GET", "/3", "").await, Err(UpstreamError::Busy));
    let (pool, waiting) = (two.clone(), tokio::task::yield_now());
    let third = tokio::spawn(async move { pool.ask("GET", "/4", "").await });
    waiting.await;
    drop(first);
    assert_eq!(third.await.unwrap(), Ok("200 hi".to_owned()));
}

#[tokio::test]
async fn connections_end_with_their_idle_time_and_their_lifetime() {
    let pki = Pki::new();
    for lifetime in [true, false] {
        let crm = crm(&pki, vec![vec![Reply::Say(HI)], vec![Reply::Say(HI)]]).await;
        let pool = pool_with(&pki, &crm, |upstream| match lifetime {
            true => upstream.times.lifetime = Duration::from_millis(30),
            false => upstream.times.idle = Duration::from_millis(30),
        });
        assert_eq!(pool.ask("GET", "/a", "").await.unwrap(), "200 hi");
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(pool.ask("GET", "/b", "").await.unwrap(), "200 hi");
        assert!(crm.seen.lock().unwrap().contains(&"2: GET /b HTTP/1.1 []".to_owned()));
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_another_request() {
    let pki = Pki::new();
    let crm = crm(&pki, vec![vec![Reply::Say(HI)]]).await;
    let pool = pool_with(&pki, &crm, |upstream| upstream.times.idle = Duration::from_millis(30));
    assert_eq!(pool.ask("GET", "/a", "").await.unwrap(), "200 hi");
    while pool.resting() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while crm.seen.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(crm.seen.lock().unwrap()[1], "1: closed true");
}

#[tokio::test]
async fn http2_requests_share_a_connection_when_both_sides_want_it() {
    let pki = Pki::new();
    let (address, connections) = multiplexing_crm(&pki).await;
    let settings = Settings { http2: true, ..settings(address) };
    let upstream = Upstream::new(&settings, &pki.resolve(), "upstream.0").unwrap();
    let pool = Pool::<Requests>::new(Arc::new(upstream));
    let expected = |path| Ok(format!("200 HTTP/2.0 https://localhost:{}{path} host=false", address.port()));
    assert_eq!(pool.ask("GET", "/a", "").await, expected("/a"));
    let (b, c) = tokio::join!(pool.ask("GET", "/b?x", ""), pool.ask("POST", "/c", "body"));
    assert_eq!((b, c), (expected("/b?x"), expected("/c")));
    assert_eq!(*connections.lock().unwrap(), 1);
    assert_eq!(pool.in_use(), 0);
}
