//! The admin listener: `/healthz`, `/readyz`, `/metrics`. Plain HTTP on loopback, read only, no values.

use std::{
    convert::Infallible,
    fmt::Write,
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::{
    shared::Shared,
    status::{counter, gauge},
};
use crate::listener::Wire;

/// Connections of the admin listener at once.
const MAX_CONNECTIONS: usize = 64;

/// Serves until the runtime ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let listener = match listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener)) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(error = %error, "admin listener not started");
            return;
        }
    };
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = answer(&shared, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5)).max_headers(32);
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    match (read, request.uri().path()) {
        (true, "/healthz") => text(StatusCode::OK, "ok\n".to_owned()),
        (true, "/readyz") => match not_ready(shared) {
            None => text(StatusCode::OK, "ready\n".to_owned()),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        },
        (true, "/metrics") => text(StatusCode::OK, metrics(shared)),
        (false, _) => text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
        _ => text(StatusCode::NOT_FOUND, "one of /healthz, /readyz, /metrics\n".to_owned()),
    }
}

fn not_ready(shared: &Shared) -> Option<&'static str> {
    if let Some(why) = shared.log.status().failed {
        return Some(why);
    }
    (shared.draining.load(Ordering::Relaxed)).then_some("draining")
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

fn metrics(shared: &Shared) -> String {
    let mut out = shared.status.to_prometheus();
    let log = shared.log.status();
    gauge(&mut out, "fieldgate_audit_size", "Records in the log.", log.size);
    gauge(&mut out, "fieldgate_audit_durable", "Records that are durable.", log.durable);
    gauge(&mut out, "fieldgate_audit_queued", "Records that wait to be written.", log.queued_records as u64);
    gauge(
        &mut out,
        "fieldgate_audit_failed",
        "1 when the log is failed or full and nothing is shown.",
        u64::from(log.failed.is_some()),
    );
    if let Some((size, at)) = log.last_checkpoint {
        gauge(&mut out, "fieldgate_audit_checkpoint_size", "Records covered by the last signed checkpoint.", size);
        let seconds = u64::try_from(at.seconds()).unwrap_or_default();
        gauge(&mut out, "fieldgate_audit_checkpoint_time_seconds", "When it was signed.", seconds);
    }
    log.write_prometheus(&mut out);
    shared.budgets.write_prometheus(shared.now(), &mut out);
    gauge(
        &mut out,
        "fieldgate_generation",
        "Configurations applied since the start.",
        shared.snapshot.load().generation,
    );
    let wires: Vec<_> = shared.wires.iter().map(AsRef::as_ref).collect();
    Wire::write_all(&wires, &mut out);
    counter(&mut out, "fieldgate_up_total", "1.", 1);
    let _ = writeln!(out, "# HELP fieldgate_build_info The version.\n# TYPE fieldgate_build_info gauge");
    let _ = writeln!(out, "fieldgate_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    out
}
