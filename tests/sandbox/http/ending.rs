//! Nothing of an attempt's network outlives it.

use super::server::{Reply, Server, ok};
use super::world::{answer, grants, limits, sending, to, with, world};
use crate::rig::{Run, ending};
use flowmonkey_jobs::sandbox::{Interruption, Limits};
use serde_json::{Value, json};
use std::time::Duration;

fn silent(_: &str) -> Reply {
    Reply::Hold(String::new())
}

fn run(server: &Server, request: Value) -> Run {
    let limits =
        Limits { wall_max: Duration::from_secs(3600), http_time_max: Duration::from_secs(600), ..limits() };
    Run { limits, ..sending(grants(&[&format!("http://127.0.0.1:{}", server.port)]), json!([request])) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_closes_the_connection_at_once() {
    let (sandbox, probe) = world();
    for (interruption, expected) in [
        (Interruption::Timeout, "TIMEOUT"),
        (Interruption::LeaseLost, "CANCELLED"),
        (Interruption::Released, "released"),
    ] {
        let server = Server::start(silent).await;
        let run = run(&server, to(server.port, "/"));
        let interrupt = async {
            server.until(|counts| counts.requests == 1).await;
            run.control.interrupt(interruption);
        };
        let (report, ()) = tokio::join!(run.on(sandbox, probe), interrupt);
        assert_eq!(ending(&report), expected);
        server.until(|counts| counts.closed == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_clock_ends_a_guest_that_waits_for_a_server() {
    let (sandbox, probe) = world();
    let server = Server::start(silent).await;
    let mut run = run(&server, to(server.port, "/"));
    run.limits.wall_max = Duration::from_millis(200);
    assert_eq!(ending(&run.on(sandbox, probe).await), "TIMEOUT");
    server.until(|counts| counts.closed == counts.requests).await;
}

/// The guest returns while its request is still open, in each of the states that it may be in.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_leaves_open_is_closed_when_it_returns() {
    let (sandbox, probe) = world();
    let body = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab";
    let server = Server::start(move |_| Reply::Hold(body.into())).await;
    for (n, more) in [json!({"read": 0}), json!({"read": 1})].into_iter().enumerate() {
        let run = run(&server, with(to(server.port, "/"), more));
        assert_eq!(ending(&run.on(sandbox, probe).await), "completed");
        server.until(|counts| counts.closed == n + 1).await;
    }
    let abandoned = run(&server, with(to(server.port, "/"), json!({"abandon": true})));
    assert_eq!(ending(&abandoned.on(sandbox, probe).await), "completed");
    let held =
        run(&server, with(to(server.port, "/"), json!({"method": "POST", "body": "hold", "abandon": true})));
    assert_eq!(ending(&held.on(sandbox, probe).await), "completed");
    let next = Server::start(|_| ok("next")).await;
    let at = format!("http://127.0.0.1:{}", next.port);
    assert_eq!(answer(grants(&[&at]), to(next.port, "/")).await.0["body"], "next");
}

/// Nobody waits for the attempt any more: its connection goes with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_attempt_closes_its_connection() {
    let (sandbox, probe) = world();
    let server = Server::start(silent).await;
    let run = run(&server, to(server.port, "/"));
    tokio::select! {
        _ = run.on(sandbox, probe) => panic!("the server never answers"),
        () = server.until(|counts| counts.requests == 1) => {}
    }
    server.until(|counts| counts.closed == 1).await;
}

/// A hundred guests wait for a server that never answers; a neighbour's request goes through meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_guests_with_hung_servers_stop_nobody() {
    let (sandbox, probe) = world();
    let hung = Server::start(silent).await;
    let runs: Vec<Run> = (0..100).map(|_| run(&hung, to(hung.port, "/"))).collect();
    let waiting: Vec<_> = runs.iter().map(|run| tokio::spawn(sandbox.run(probe, run.context()))).collect();
    hung.until(|counts| counts.requests == 100).await;
    let server = Server::start(|_| ok("through")).await;
    let at = format!("http://127.0.0.1:{}", server.port);
    assert_eq!(answer(grants(&[&at]), to(server.port, "/")).await.0["body"], "through");
    assert!(waiting.iter().all(|one| !one.is_finished()), "all hundred still wait");
    runs.iter().for_each(|run| run.control.interrupt(Interruption::Released));
    for one in waiting {
        assert_eq!(ending(&one.await.unwrap()), "released");
    }
    hung.until(|counts| counts.closed == 100).await;
}
