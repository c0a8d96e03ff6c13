//! Requests of a trial: recorded answers, and what goes out.

use super::{ASKS_FOR_ALL, ended, probe};
use flowmonkey_tests::server::{Server, ok};
use serde_json::{Value, json};

fn requests(requests: Value) -> Value {
    json!({"do": "http", "requests": requests})
}

fn to(scheme: &str, authority: &str, path: &str) -> Value {
    json!({"scheme": scheme, "authority": authority, "path": path})
}

#[test]
fn nothing_goes_out_and_the_request_is_named() {
    let folder = probe(ASKS_FOR_ALL);
    let input = requests(json!([to("https", "api.example.com", "/v1/a?b=c")]));
    let report = ended(&folder, &input, &[]);
    let answer = report["result"][0]["error"].to_string();
    let expected =
        "no answer is recorded for GET https://api.example.com/v1/a?b=c: `flowmonkey test` sends nothing";
    assert!(answer.contains(expected) && answer.contains("--network"), "{answer}");
    let made = &report["requests"][0];
    assert_eq!((&made["url"], &made["status"]), (&json!("https://api.example.com/v1/a?b=c"), &json!(null)));
    assert!(
        made["error"].as_str().unwrap().starts_with(expected) && report["calls"]["http"] == 1,
        "{report:#}"
    );
    assert!(report["log"].to_string().contains(expected), "{}", report["log"]);
}

#[test]
fn recorded_answers_are_played_as_a_server_would_give_them() {
    let folder = probe(ASKS_FOR_ALL);
    folder.write(
        "answers.toml",
        r#"
        [[answer]]
        url = "https://api.example.com/v1/items"
        method = "POST"
        status = 201
        headers = { x-own = "yes" }
        json = { id = 7 }
        [[answer]]
        url = "https://api.example.com/v1/*"
        status = 503
        [[answer]]
        url = "https://api.example.com/v1/*"
        body = "later"
        [[answer]]
        url = "http://127.0.0.1:8080/large"
        body = ""
        "#,
    );
    let mut post = to("https", "API.example.com", "/v1/items");
    post["method"] = json!("POST");
    post["body"] = json!("x".repeat(100_000));
    let get = || to("https", "api.example.com:443", "/v1/x");
    let input = requests(json!([post, get(), get(), get(), to("http", "127.0.0.1:8080", "/large")]));
    let report = ended(&folder, &input, &["--answers", "answers.toml"]);
    let answers = report["result"].as_array().unwrap();
    assert_eq!(
        (&answers[0]["status"], &answers[0]["body"]),
        (&json!(201), &json!("{\"id\":7}")),
        "{report:#}"
    );
    let headers = &answers[0]["headers"];
    assert_eq!((&headers["x-own"], &headers["content-type"]), (&json!("yes"), &json!("application/json")));
    let bodies: Vec<_> =
        answers[1..].iter().map(|one| (one["status"].clone(), one["body"].clone())).collect();
    let expected = [(503, ""), (200, "later"), (200, "later"), (200, "")];
    assert_eq!(bodies, expected.map(|(status, body)| (json!(status), json!(body))), "{report:#}");
    let made =
        json!({"method": "POST", "url": "https://api.example.com/v1/items", "status": 201, "error": null});
    assert_eq!((&report["requests"][0], &report["calls"]["http"]), (&made, &json!(5)));
}

/// An answer is no grant, and no way past a limit.
#[test]
fn a_recording_lets_nothing_through_that_the_network_would_not_get() {
    let folder = probe(&format!(
        "{ASKS_FOR_ALL}\n[limits]\nhttp-request-bytes = '1000'\nhttp-response-bytes = '1000'"
    ));
    let any = |url: &str, body: &str| format!("[[answer]]\nurl = \"{url}\"\nbody = \"{body}\"\n");
    folder.write(
        "answers.toml",
        any("https://api.example.com/large", &"x".repeat(1001))
            + &any("https://api.example.com/*", "")
            + &any("https://other.example.com/*", "")
            + &any("http://10.1.2.3/*", ""),
    );
    let mut long = to("https", "api.example.com", "/post");
    long["method"] = json!("POST");
    long["body"] = json!(1001);
    let asked = json!([
        to("https", "other.example.com", "/"),
        to("https", "api.example.com", "/large"),
        long,
        to("http", "10.1.2.3", "/"),
        to("https", "api.example.com", "/fine"),
    ]);
    let flags = ["--answers", "answers.toml", "--grant", "http=http://10.1.2.3"];
    let report = ended(&folder, &requests(asked.clone()), &flags);
    let errors: Vec<_> =
        report["result"].as_array().unwrap().iter().map(|one| one["error"].to_string()).collect();
    for (error, code) in errors.iter().zip([
        "RequestDenied",
        "ResponseBodySize",
        "RequestBodySize",
        "DestinationIpProhibited",
        "null",
    ]) {
        assert!(error.contains(code), "{code} is not in {errors:?}");
    }
    let denied = ended(&folder, &requests(asked), &[&flags[..], &["--deny", "http"]].concat());
    let all_denied = denied["result"]
        .as_array()
        .unwrap()
        .iter()
        .all(|one| one["error"].to_string().contains("RequestDenied"));
    assert!(all_denied, "{denied:#}");
}

#[test]
fn a_cases_answers_hide_the_files() {
    let folder = probe(ASKS_FOR_ALL);
    folder.write("more.toml", "[[answer]]\nurl = \"https://api.example.com/c\"\nbody = \"flag\"");
    let input = "{ do = \"http\", requests = [{ scheme = \"https\", authority = \"api.example.com\", path = \"/PATH\" }] }";
    let case = |name: &str, path: &str, more: &str, body: &str| {
        let input = input.replace("PATH", path);
        let fits = format!("expect = {{ outcome = \"success\", logs = [] }}\n{more}\n");
        format!("[[case]]\nname = \"{name}\"\ninput = {input}\n{fits}# {body}\n")
    };
    let own = "answers = [{ url = \"https://api.example.com/a\", body = \"own\" }]";
    folder.write(
        "handler.test.toml",
        "[[answer]]\nurl = \"https://api.example.com/a\"\nbody = \"file\"\n\
         [[answer]]\nurl = \"https://api.example.com/b\"\nbody = \"file\"\n"
            .to_owned()
            + &case("own", "a", own, "own")
            + &case("file", "a", "", "file")
            + &case("other", "b", own, "file")
            + &case("flag", "c", "", "flag"),
    );
    let report = folder.json(&["test", "--answers", "more.toml"]);
    let bodies = report["cases"].as_array().unwrap().iter().map(|case| &case["attempt"]["result"][0]["body"]);
    assert_eq!(bodies.collect::<Vec<_>>(), ["own", "file", "file", "flag"], "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_network_requests_go_out_and_answers_still_come_first() {
    let server = Server::start(|_| ok("from the network")).await;
    let at = format!("127.0.0.1:{}", server.port);
    let folder = probe("[grants]\nhttp = []");
    folder.write("answers.toml", format!("[[answer]]\nurl = \"http://{at}/recorded\"\nbody = \"recorded\""));
    let input = requests(json!([to("http", &at, "/recorded"), to("http", &at, "/live")]));
    let grant = format!("http=http://{at}");
    let flags = ["--answers", "answers.toml", "--grant", &grant];
    let closed = ended(&folder, &input, &flags);
    assert_eq!(closed["result"][0]["body"], "recorded", "{closed:#}");
    assert!(
        closed["result"][1]["error"].to_string().contains("no answer is recorded")
            && server.requests().is_empty()
    );
    let open = ended(&folder, &input, &[&flags[..], &["--network"]].concat());
    let bodies: Vec<_> = open["result"].as_array().unwrap().iter().map(|one| &one["body"]).collect();
    assert_eq!(
        (bodies, server.requests().len()),
        (vec![&json!("recorded"), &json!("from the network")], 1),
        "{open:#}"
    );
    assert_eq!(open["requests"][1]["status"], 200);
}
