//! Addresses that are not public are out of reach, whatever way leads to them.

use super::server::{Reply, Server, ok};
use super::world::{answer, answers, error, grants, name, sending, to, with};
use flowmonkey_jobs::sandbox::Grants;
use serde_json::json;

const PROHIBITED: &str = "ErrorCode::DestinationIpProhibited";

fn anywhere(private_addresses: &[&str]) -> Grants {
    let private_addresses = private_addresses.iter().map(|network| network.parse().unwrap()).collect();
    let http = vec!["http://*".parse().unwrap(), "https://*".parse().unwrap()];
    Grants { http, private_addresses, ..Grants::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_public_is_prohibited_unless_it_is_named() {
    name("metadata.test", &[&["169.254.169.254"]]);
    name("private.test", &[&["10.0.0.1"]]);
    name("mixed.test", &[&["1.1.1.1", "192.168.0.1"]]);
    name("mapped.test", &[&["::ffff:127.0.0.1"]]);
    for host in [
        "127.0.0.1",
        "[::1]",
        "169.254.169.254",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::127.0.0.1]",
        "[fd00:ec2::254]",
        "metadata.test",
        "private.test",
        "mixed.test",
        "mapped.test",
    ] {
        for scheme in ["http", "https"] {
            let (answer, host_) = answer(
                anywhere(&["192.0.2.0/24"]),
                json!({"scheme": scheme, "authority": host, "path": "/"}),
            )
            .await;
            assert_eq!(error(&answer), PROHIBITED, "{scheme} {host}");
            assert!(host_.text()[0].contains("private-addresses"), "{:?}", host_.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_names_is_reached() {
    let server = Server::start(|_| ok("here")).await;
    let port = server.port;
    name("named.test", &[&["127.0.0.1"]]);
    for host in ["127.0.0.1", "named.test", "[::ffff:127.0.0.1]"] {
        let named = Grants {
            http: vec![format!("http://{host}:{port}").parse().unwrap()],
            ..anywhere(&["127.0.0.1/32"])
        };
        let request = json!({"scheme": "http", "authority": format!("{host}:{port}"), "path": "/"});
        let (answer, log) = answer(named, request).await;
        assert_eq!(answer["body"], "here", "{host}: {answer} {:?}", log.text());
    }
}

/// The name leads to an allowed address at first, and then to this machine: what was checked is what is
/// dialled, and the next request is checked anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_whose_answer_changes_leads_nowhere_else() {
    let allowed = Server::at("127.0.0.2:0", None, |_| ok("allowed")).await;
    let port = allowed.port;
    let secret = Server::at(&format!("127.0.0.1:{port}"), None, |_| ok("secret")).await;
    name("rebinding.test", &[&["127.0.0.2"], &["127.0.0.1"]]);
    let at = format!("rebinding.test:{port}");
    let grants =
        Grants { http: vec![format!("http://{at}").parse().unwrap()], ..anywhere(&["127.0.0.2/32"]) };
    let request = json!({"scheme": "http", "authority": at, "path": "/"});
    let run = sending(grants, json!([request, request]));
    let answers = answers(&run).await;
    assert_eq!(answers[0]["body"], "allowed", "{answers:?}");
    assert_eq!(error(&answers[1]), PROHIBITED);
    assert_eq!((allowed.requests().len(), secret.requests().len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_new_request_with_all_its_checks() {
    let target = Server::start(|_| ok("reached")).await;
    let location = format!("http://127.0.0.1:{}/next", target.port);
    let found = move |location: &str| {
        Reply::Whole(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))
    };
    let server = Server::start(move |request| match request.split(' ').nth(1).unwrap() {
        "/private" => found("http://10.0.0.1/"),
        _ => found(&location),
    })
    .await;
    let follow = json!({"follow": true});
    let here = format!("http://127.0.0.1:{}", server.port);
    let there = format!("http://127.0.0.1:{}", target.port);

    let (nowhere, _) = answer(grants(&[&here]), to(server.port, "/")).await;
    assert_eq!(nowhere["status"], 302, "the host follows nothing by itself");
    let (denied, _) = answer(grants(&[&here]), with(to(server.port, "/"), follow.clone())).await;
    assert_eq!(error(&denied), "ErrorCode::HttpRequestDenied");
    let (reached, _) = answer(grants(&[&here, &there]), with(to(server.port, "/"), follow.clone())).await;
    assert_eq!(reached["body"], "reached");
    let (private, _) =
        answer(grants(&[&here, "http://10.0.0.1"]), with(to(server.port, "/private"), follow)).await;
    assert_eq!(error(&private), PROHIBITED);
}
