//! The sandbox that these cases share, the names it can resolve and the authority it trusts.

use crate::rig::{self, Memory, Run, result};
use flowmonkey_jobs::sandbox::{
    Compilation, Grants, HttpConfig, Limits, Prepared, Resolve, Sandbox, SandboxConfig,
};
use flowmonkey_tests::certificates;
pub(crate) use flowmonkey_tests::certificates::{trusted, untrusted};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, Mutex};

/// Each name has its answers, one a look-up; the last of them stays.
#[derive(Debug, Default)]
struct Names(Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>);

static NAMES: LazyLock<Arc<Names>> = LazyLock::new(Arc::default);

#[async_trait::async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let Some(answers) = names.get_mut(host) else { return Err(std::io::Error::other("no such name")) };
        Ok(if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() })
    }
}

/// From now on the name has these answers.
pub(crate) fn name(host: &str, answers: &[&[&str]]) {
    let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
    NAMES.0.lock().unwrap().insert(host.into(), answers.iter().map(parse).collect());
}

static WORLD: LazyLock<(Sandbox, Prepared)> = LazyLock::new(|| {
    let http = HttpConfig { extra_roots_pem: Some(certificates::authority_pem()), resolver: NAMES.clone() };
    let number = |n| NonZeroU32::new(n).unwrap();
    let config = SandboxConfig {
        attempts_max: number(110),
        threads: number(2),
        http,
        ..SandboxConfig::new(Compilation::InProcess)
    };
    let sandbox = Sandbox::new(&config).unwrap();
    let probe = rig::prepare(&sandbox, "probe");
    (sandbox, probe)
});

pub(crate) fn world() -> &'static (Sandbox, Prepared) {
    &WORLD
}

/// May send to these, and reach loopback.
pub(crate) fn grants(origins: &[&str]) -> Grants {
    Grants {
        http: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
        private_addresses: vec!["127.0.0.0/8".parse().unwrap()],
        ..Grants::default()
    }
}

pub(crate) fn limits() -> Limits {
    Limits { fuel: Some(10_000_000_000), ..rig::limits() }
}

/// A guest that sends these requests, one after the other.
pub(crate) fn sending(grants: Grants, requests: Value) -> Run {
    let input = json!({"do": "http", "requests": requests});
    Run { grants, limits: limits(), ..Run::with(input) }
}

pub(crate) async fn answers(run: &Run) -> Vec<Value> {
    let (sandbox, probe) = world();
    result(&run.on(sandbox, probe).await).as_array().unwrap().clone()
}

/// The one request's answer, and the job's log.
pub(crate) async fn answer(grants: Grants, request: Value) -> (Value, Arc<Memory>) {
    let run = sending(grants, json!([request]));
    let answers = answers(&run).await;
    (answers[0].clone(), run.host)
}

/// A plain request to a port of this machine.
pub(crate) fn to(port: u16, path: &str) -> Value {
    json!({"scheme": "http", "authority": format!("127.0.0.1:{port}"), "path": path})
}

/// One value with more fields.
pub(crate) fn with(mut value: Value, more: Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

pub(crate) fn error(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}
