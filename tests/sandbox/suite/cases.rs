//! Who attacks, how each must end, and who does nearly the same and ends well, under the same limits.

use super::made;
use crate::rig;
use flowmonkey_jobs::sandbox::{Grants, Limits};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::LazyLock;
use std::time::Duration;

/// How long a case may take whose clock is not what it is about.
pub(crate) const WALL_MAX: Duration = Duration::from_secs(20);

/// One attack and its twin.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) attack: Guest,
    /// The code it ends with; `completed` where the host takes the sting out of it and the guest goes on.
    pub(crate) ends: &'static str,
    pub(crate) twin: Guest,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
}

pub(crate) enum Guest {
    /// A file of `guests/`.
    File(&'static str),
    /// The probe, asked for this.
    Probe(Value),
    /// A component made for the case.
    Made(Vec<u8>),
}

use Guest::{File, Made, Probe};

fn case(name: &'static str, attack: Guest, ends: &'static str, twin: Guest) -> Case {
    let limits = Limits { wall_max: WALL_MAX, ..rig::limits() };
    Case { name, attack, ends, twin, limits, grants: Grants::default() }
}

impl Case {
    fn under(self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = self.limits;
        change(&mut limits);
        Case { limits, ..self }
    }

    /// With a wall clock so short that it is what ends the attack, whatever fuel is left.
    fn for_a_moment(self) -> Self {
        self.under(|limits| (limits.fuel, limits.wall_max) = (None, Duration::from_millis(200)))
    }
}

fn ask(what: &str, n: u64) -> Guest {
    Probe(json!({"do": what, "n": n}))
}

/// The files of `guests/` that are no attack and no twin: other tests' own.
pub(crate) const ELSEWHERE: [&str; 3] = ["counter", "unprintable-name", "read-table"];

pub(crate) fn all() -> Vec<Case> {
    let groups = [
        computing(),
        memory(),
        structure(),
        traps(),
        border(),
        waiting(),
        output(),
        authority(),
        store(),
        network(),
        bombs(),
    ];
    groups.into_iter().flatten().collect()
}

fn computing() -> Vec<Case> {
    let endless = |name: &'static str| File(name);
    vec![
        case("a loop without end", endless("endless-loop"), "OUT_OF_FUEL", File("bounded-loop")),
        case("the same without fuel", endless("endless-loop"), "TIMEOUT", File("does-nothing"))
            .for_a_moment(),
        case("a start function without end", endless("endless-start"), "OUT_OF_FUEL", File("bounded-start")),
        case("the same without fuel", endless("endless-start"), "TIMEOUT", File("does-nothing"))
            .for_a_moment(),
        case("an allocator without end", endless("endless-realloc"), "OUT_OF_FUEL", File("own-realloc")),
        case("the same without fuel", endless("endless-realloc"), "TIMEOUT", File("own-realloc"))
            .for_a_moment(),
        case("tidying up without end", endless("endless-after"), "OUT_OF_FUEL", File("short-after")),
        case("the same without fuel", endless("endless-after"), "TIMEOUT", File("short-after"))
            .for_a_moment(),
        case("recursion without end", File("endless-recursion"), "STACK_OVERFLOW", File("bounded-recursion")),
        case(
            "recursion in Rust without end",
            ask("overflow", u64::MAX),
            "STACK_OVERFLOW",
            ask("overflow", 10),
        ),
    ]
}

fn memory() -> Vec<Case> {
    vec![
        case("a gigabyte to fill", File("fill-a-gigabyte"), "MEMORY_LIMIT", File("grow-a-little")),
        case("filling for ever", File("fill-memory"), "TIMEOUT", File("grow-a-little"))
            .for_a_moment()
            .under(|limits| limits.memory_bytes_max = 128 << 20),
        case("growth page by page", File("grow-page-by-page"), "MEMORY_LIMIT", File("grow-a-little")),
        case("growth at once", File("grow-at-once"), "MEMORY_LIMIT", File("grow-a-little")),
        case(
            "memory that is used",
            ask("take-memory", 64 << 20),
            "MEMORY_LIMIT",
            ask("take-memory", 8 << 20),
        ),
        case("memories that add up", File("several-memories"), "MEMORY_LIMIT", File("two-memories")),
        case(
            "more memories than the limit",
            File("four-memories"),
            "HANDLER_LOAD_FAILED",
            File("two-memories"),
        )
        .under(|limits| limits.memories_max = 3),
        case(
            "64 memories under the limit",
            Made(made::memories(64)),
            "HANDLER_LOAD_FAILED",
            Made(made::memories(2)),
        ),
        case("nine memories", File("too-many-memories"), "HANDLER_LOAD_FAILED", File("four-memories")),
        case("a table of a billion", File("huge-table"), "HANDLER_LOAD_FAILED", File("small-table")),
        case("tables that add up", File("growing-table"), "MEMORY_LIMIT", File("fill-table")),
        case(
            "more tables than the limit",
            Made(made::tables(12)),
            "HANDLER_LOAD_FAILED",
            Made(made::tables(5)),
        )
        .under(|limits| limits.tables_max = 6),
    ]
}

fn structure() -> Vec<Case> {
    let whole = Made(made::instances(1));
    vec![
        case(
            "10,000 instances",
            Made(made::instances(10_000)),
            "HANDLER_LOAD_FAILED",
            Made(made::instances(20)),
        ),
        case("instances over the limit", Made(made::instances(20)), "HANDLER_LOAD_FAILED", whole)
            .under(|limits| limits.instances_max = 10),
        case("100 MB", Made(vec![0; 100 << 20]), "HANDLER_LOAD_FAILED", File("does-nothing")),
        case("half a component", Made(made::half()), "HANDLER_LOAD_FAILED", File("does-nothing")),
        case(
            "a component with a bit flipped",
            Made(made::flipped()),
            "HANDLER_LOAD_FAILED",
            File("does-nothing"),
        ),
        case("machine code", Made(made::machine_code()), "HANDLER_LOAD_FAILED", File("does-nothing")),
        case("a core module", Made(b"\0asm\x01\0\0\0".to_vec()), "HANDLER_LOAD_FAILED", File("does-nothing")),
        case("nothing at all", Made(Vec::new()), "HANDLER_LOAD_FAILED", File("does-nothing")),
        case(
            "timers without end",
            Made(crate::border::pollables(600)),
            "TRAP",
            Made(crate::border::pollables(400)),
        )
        .under(|limits| limits.handles_max = 500),
        case(
            "resources without end",
            Made(crate::border::pollables(600)),
            "TRAP",
            Made(crate::border::pollables(400)),
        )
        .under(|limits| limits.resources_max = 1000),
    ]
}

fn traps() -> Vec<Case> {
    vec![
        case("unreachable", File("unreachable"), "TRAP", File("does-nothing")),
        case("a division by zero", File("divide-by-zero"), "TRAP", File("does-nothing")),
        case("a wild pointer", File("wild-pointer"), "TRAP", File("grow-a-little")),
        case("a start function that traps", File("trapping-start"), "TRAP", File("bounded-start")),
        case("an allocator that traps", File("trapping-realloc"), "TRAP", File("own-realloc")),
        case(
            "an allocator that traps in a host call",
            Made(made::asks_id(1)),
            "TRAP",
            Made(made::asks_id(9)),
        ),
        case("tidying up that traps", File("trapping-after"), "TRAP", File("short-after")),
        case("a panic with a message", Probe(json!({"do": "panic", "text": "no"})), "TRAP", ask("echo", 1)),
        case("an abort", ask("abort", 0), "TRAP", ask("echo", 1)),
        case("exit(0)", ask("exit", 0), "TRAP", ask("echo", 1)),
        case("exit(1)", ask("exit", 1), "TRAP", ask("echo", 1)),
        case("waiting for nothing", Made(made::polls(0)), "TRAP", Made(made::polls(1))),
        case("a list of a million", Made(made::logs_fields(1_000_000)), "TRAP", Made(made::logs_fields(100))),
        case("a gigabyte of random numbers", Made(made::random(1 << 30)), "TRAP", Made(made::random(1000))),
    ]
}

fn border() -> Vec<Case> {
    let text = |text: &str| Probe(json!({"do": "raw-result", "text": text}));
    let word = || File("result-of-a-word");
    let deep = |levels: u64| ask("deep-result", levels);
    let number = |digits: usize| text(&format!("1e{}", "9".repeat(digits)));
    vec![
        case("a result of a gigabyte", File("result-of-a-gigabyte"), "OUTPUT_TOO_LARGE", word()),
        case(
            "a result over its limit",
            ask("large-result", 1 << 20),
            "OUTPUT_TOO_LARGE",
            ask("large-result", 1000),
        ),
        case("a result out of bounds", File("result-out-of-bounds"), "INVALID_OUTPUT", word()),
        case("a result at a wild address", File("result-pointer-out-of-bounds"), "INVALID_OUTPUT", word()),
        case("a result that is no UTF-8", File("result-not-utf8"), "INVALID_OUTPUT", word()),
        case("a result of no known kind", File("invalid-discriminant"), "INVALID_OUTPUT", word()),
        case("a result at an odd address", File("misaligned-result"), "INVALID_OUTPUT", word()),
        case("an input put out of bounds", File("wild-realloc"), "INVALID_OUTPUT", File("own-realloc")),
        case("JSON 100,000 levels deep", deep(100_000), "INVALID_OUTPUT", text("[[[[[[[[]]]]]]]]")),
        case("JSON with NUL", text("\"\\u0000\""), "INVALID_OUTPUT", text("\"\\u0001\"")),
        case("JSON with half a surrogate", text("\"\\ud800\""), "INVALID_OUTPUT", text("\"\\ud83d\\ude00\"")),
        case("JSON with a huge number", number(6), "INVALID_OUTPUT", number(2)),
        case("no JSON", text("{"), "INVALID_OUTPUT", text("{}")),
        case(
            "a code of 1 MB",
            Probe(json!({"do": "fatal", "code": "C".repeat(1 << 20)})),
            made::LONG_CODE,
            ask("echo", 1),
        ),
    ]
}

fn waiting() -> Vec<Case> {
    let slowly = |ms: u64| Probe(json!({"do": "beat-slowly", "n": ms}));
    vec![
        case("a sleep of an hour", ask("sleep", 3_600_000), "TIMEOUT", ask("sleep", 1)).for_a_moment(),
        case("a sleep longer than time", ask("sleep", u64::MAX), "TIMEOUT", ask("sleep", 1)).for_a_moment(),
        case("silence", ask("sleep", 3_600_000), "HEARTBEAT_TIMEOUT", slowly(10))
            .under(|limits| limits.heartbeat_timeout = Some(Duration::from_secs(1))),
        case("a storm of heartbeats", ask("storm-heartbeat", 0), "OUT_OF_FUEL", ask("heartbeat", 1)),
        case("a storm of progress", ask("beat-for-ever", 0), "OUT_OF_FUEL", ask("heartbeat", 1)),
    ]
}

fn output() -> Vec<Case> {
    let say = |what: &str, n: u64| Probe(json!({"do": what, "n": n, "text": "drop by drop"}));
    let log = |what: &str| say(what, u64::MAX);
    let large = |bytes: u64| Probe(json!({"do": "checkpoints", "steps": [["save-large", "k", bytes]]}));
    vec![
        case("log lines without end", log("log"), "OUT_OF_FUEL", say("log", 10)),
        case("stdout without end", log("print"), "OUT_OF_FUEL", say("print", 10)),
        case("more in a call than one may copy", large(4 << 20), "TRAP", large(1000))
            .under(|limits| limits.checkpoint_value_bytes_max = 16 << 20),
        case("a checkpoint over its limit", large(2000), "completed", large(100))
            .under(|limits| limits.checkpoint_value_bytes_max = 1000),
    ]
}

/// The database is the host's `Memory` here; what a storm may reach of it is in `storms`.
fn store() -> Vec<Case> {
    let all = || Grants {
        context: true,
        idempotency: true,
        queue: ["digest-send".to_owned(), "probe".into()].into(),
        ..Grants::default()
    };
    let storm = |of: &str, step: Value, n: u64| Probe(json!({"do": "storm", "of": of, "step": step, "n": n}));
    let stormy = |name, of: &str, step: Value| {
        let attack = storm(of, step.clone(), 2000);
        let case = case(name, attack, "completed", storm(of, step, 2));
        Case { grants: all(), ..case.under(|limits| limits.fuel = limits.fuel.map(|fuel| fuel * 20)) }
    };
    let fork = |n: u64| Probe(json!({"do": "fork", "n": n}));
    let other = json!({"do": "queue", "steps": [{"handler": "somebody-else"}]});
    let granted = json!({"do": "queue", "steps": [{"handler": "digest-send"}]});
    vec![
        stormy("a storm of checkpoints", "checkpoints", json!(["save", "k", "1"])),
        stormy("a storm of context writes", "context", json!(["set", "k", "1"])),
        stormy("a storm of lookups", "idempotency", json!(["lookup", "k"])),
        stormy("a storm of records", "idempotency", json!(["record", "k", "1"])),
        stormy("a storm of jobs", "queue", json!({"handler": "digest-send"})),
        Case { grants: all(), ..case("a fork bomb", fork(2000), "completed", fork(2)) }
            .under(|limits| limits.fuel = limits.fuel.map(|fuel| fuel * 20)),
        Case {
            grants: all(),
            ..case("a job for a handler that is not granted", Probe(other), "completed", Probe(granted))
        },
    ]
}

/// Each is refused with an error that the guest reads. What a request meets once it is let through is in `http`.
fn network() -> Vec<Case> {
    let ask = |authority: &str| {
        let request = json!({"scheme": "http", "authority": authority, "path": "/"});
        Probe(json!({"do": "http", "requests": [request]}))
    };
    let to = |name, authority: &str, allowed: &str| {
        let http = vec![allowed.parse().unwrap()];
        let case = case(name, ask(authority), "completed", super::cases::ask("echo", 1));
        Case { grants: Grants { http, ..Grants::default() }, ..case }
    };
    // It lets others connect, and that is all it does.
    static HUNG: LazyLock<TcpListener> = LazyLock::new(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let hung = HUNG.local_addr().unwrap().to_string();
    let hung = |name, ends| {
        let http = vec![format!("http://{hung}").parse().unwrap()];
        let private_addresses = vec!["127.0.0.0/8".parse().unwrap()];
        let grants = Grants { http, private_addresses, ..Grants::default() };
        Case { grants, ..case(name, ask(&hung), ends, super::cases::ask("echo", 1)) }
    };
    vec![
        to("HTTP to a host that is not granted", "other.example", "http://api.example"),
        to("HTTP to this machine", "127.0.0.1", "http://127.0.0.1"),
        to("HTTP to the cloud's metadata", "169.254.169.254", "http://169.254.169.254"),
        to("HTTP to a private address", "10.0.0.1", "http://10.0.0.1"),
        hung("HTTP to a server that never answers", "completed")
            .under(|limits| limits.http_time_max = Duration::from_millis(200)),
        hung("the same for longer than the attempt", "TIMEOUT").for_a_moment(),
        to("HTTP with somebody else's name in front", "api.example@127.0.0.1", "http://api.example"),
    ]
}

/// Compiled by a child, as everything here.
fn bombs() -> Vec<Case> {
    let quickly = |limits: &mut Limits| limits.compile_time_max = Duration::from_secs(1);
    let (one, many) = (flowmonkey_tests::guests::bomb(), crate::compile::many_functions());
    vec![
        case("a compile bomb of one function", Made(one), "HANDLER_LOAD_FAILED", File("does-nothing"))
            .under(quickly),
        case("a compile bomb of many", Made(many), "HANDLER_LOAD_FAILED", File("does-nothing"))
            .under(quickly),
    ]
}

/// Denied, and told so: the guest goes on. What each was told is in `capability`.
fn authority() -> Vec<Case> {
    let quiet = || ask("echo", 1);
    vec![
        case("files, arguments, environment, sockets, names", ask("authority", 0), "completed", quiet()),
        case("every interface that needs a grant", ask("denied", 0), "completed", quiet()),
    ]
}
