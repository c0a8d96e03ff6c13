//! The files of each template, as they lie among the examples. A test compares the lists with the folders.

use super::File;
use crate::workshop::Language;

/// Files below a folder of the project, with their texts.
macro_rules! files {
    ($folder:literal: $($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../../", $folder, "/", $path)))),*]
    };
}

pub(super) const CONTRACT: &[File] = files!(
    "wit":
    "attempt.wit"
    "deps/clocks.wit"
    "deps/config.wit"
    "deps/http.wit"
    "deps/io.wit"
    "deps/random.wit"
    "granted.wit"
    "handler.wit"
    "package.wit"
    "types.wit"
);

/// The starter and the bindings of a language.
pub(super) fn of(language: Language) -> (&'static [File], &'static [File]) {
    match language {
        Language::Rust => (RUST_STARTER, RUST_BINDINGS),
        Language::C => (C_STARTER, C_BINDINGS),
        Language::Cpp => (CPP_STARTER, CPP_BINDINGS),
        Language::Zig => (ZIG_STARTER, ZIG_BINDINGS),
        Language::Javascript => (JAVASCRIPT_STARTER, JAVASCRIPT_BINDINGS),
        Language::Typescript => (TYPESCRIPT_STARTER, TYPESCRIPT_BINDINGS),
        Language::Python => (PYTHON_STARTER, PYTHON_BINDINGS),
        Language::Go => (GO_STARTER, GO_BINDINGS),
    }
}

const RUST_STARTER: &[File] = files!(
    "guest-examples/rust/starter":
    "Cargo.lock"
    "Cargo.toml"
    "README.md"
    "gitignore"
    "handler.test.toml"
    "handler.toml"
    "input.json"
    "src/lib.rs"
);

const RUST_BINDINGS: &[File] = files!(
    "guest-examples/rust/flowmonkey":
    "Cargo.toml"
    "src/checkpoint.rs"
    "src/config.rs"
    "src/context.rs"
    "src/error.rs"
    "src/execution.rs"
    "src/http.rs"
    "src/http/exchange.rs"
    "src/http/url.rs"
    "src/idempotency.rs"
    "src/json.rs"
    "src/lib.rs"
    "src/log.rs"
    "src/outcome.rs"
    "src/queue.rs"
    "src/time.rs"
    "src/wit.rs"
);

const C_STARTER: &[File] = files!(
    "guest-examples/c/starter":
    "README.md"
    "compile_flags.txt"
    "gitignore"
    "handler.test.toml"
    "handler.toml"
    "input.json"
    "main.c"
);

const C_BINDINGS: &[File] = files!(
    "guest-examples/c/flowmonkey":
    "flowmonkey.h"
    "generated/README.md"
    "generated/complete_job_handler.c"
    "generated/complete_job_handler.h"
    "handler.c"
    "host.c"
    "http.c"
    "internal.h"
    "json.c"
    "json_parse.c"
    "json_write.c"
    "memory.c"
    "outcome.c"
    "wit.c"
    "wit.h"
);

const CPP_STARTER: &[File] = files!(
    "guest-examples/cpp/starter":
    "README.md"
    "compile_flags.txt"
    "gitignore"
    "handler.test.toml"
    "handler.toml"
    "input.json"
    "main.cpp"
);

const CPP_BINDINGS: &[File] = files!(
    "guest-examples/cpp/flowmonkey":
    "c/flowmonkey.h"
    "c/generated/README.md"
    "c/generated/complete_job_handler.c"
    "c/generated/complete_job_handler.h"
    "c/handler.c"
    "c/host.c"
    "c/http.c"
    "c/internal.h"
    "c/json.c"
    "c/json_parse.c"
    "c/json_write.c"
    "c/memory.c"
    "c/outcome.c"
    "c/wit.c"
    "c/wit.h"
    "flowmonkey.cpp"
    "flowmonkey.hpp"
    "json.cpp"
    "json.hpp"
);

const ZIG_STARTER: &[File] = files!(
    "guest-examples/zig/starter":
    "README.md"
    "gitignore"
    "handler.test.toml"
    "handler.toml"
    "input.json"
    "main.zig"
);

const ZIG_BINDINGS: &[File] = files!(
    "guest-examples/zig/flowmonkey":
    "Job.zig"
    "abi.zig"
    "abi_http.zig"
    "flowmonkey.zig"
    "http.zig"
    "root.zig"
    "store.zig"
);

const JAVASCRIPT_STARTER: &[File] = files!(
    "guest-examples/javascript/starter":
    "README.md"
    "gitignore"
    "handler.js"
    "handler.test.toml"
    "handler.toml"
    "input.json"
    "jsconfig.json"
    "package-lock.json"
    "package.json"
);

const JAVASCRIPT_BINDINGS: &[File] = files!(
    "guest-examples/javascript/flowmonkey":
    "build.mjs"
    "build/wit.mjs"
    "context.js"
    "failure.js"
    "fields.js"
    "globals.d.ts"
    "globals.js"
    "globals/console.js"
    "globals/promise.js"
    "globals/random.js"
    "globals/text.js"
    "handler.js"
    "host.js"
    "http.js"
    "index.d.ts"
    "index.js"
);

const TYPESCRIPT_STARTER: &[File] = files!(
    "guest-examples/typescript/starter":
    "README.md"
    "gitignore"
    "handler.test.toml"
    "handler.toml"
    "handler.ts"
    "input.json"
    "package-lock.json"
    "package.json"
    "tsconfig.json"
);

const TYPESCRIPT_BINDINGS: &[File] = files!(
    "guest-examples/typescript/flowmonkey":
    "build.mjs"
    "build/wit.mjs"
    "context.js"
    "failure.js"
    "fields.js"
    "globals.d.ts"
    "globals.js"
    "globals/console.js"
    "globals/promise.js"
    "globals/random.js"
    "globals/text.js"
    "handler.js"
    "host.js"
    "http.js"
    "index.d.ts"
    "index.js"
);

const PYTHON_STARTER: &[File] = files!(
    "guest-examples/python/starter":
    "README.md"
    "gitignore"
    "handler.test.toml"
    "handler.toml"
    "input.json"
    "main.py"
    "requirements.txt"
);

const PYTHON_BINDINGS: &[File] = files!(
    "guest-examples/python/flowmonkey":
    "__init__.py"
    "_context.py"
    "_errors.py"
    "_handler.py"
    "_host.py"
    "_http.py"
    "_json.py"
    "_waits.py"
    "component.py"
    "py.typed"
);

const GO_STARTER: &[File] = files!(
    "guest-examples/go/starter":
    "README.md"
    "gitignore"
    "go.mod"
    "handler.test.toml"
    "handler.toml"
    "input.json"
    "main.go"
);

const GO_BINDINGS: &[File] = files!(
    "guest-examples/go/flowmonkey":
    "attempt.go"
    "checkpoint/checkpoint.go"
    "config/config.go"
    "context.go"
    "errors.go"
    "execution/execution.go"
    "fetch/fetch.go"
    "flowmonkey.go"
    "go.mod"
    "idempotency/idempotency.go"
    "internal/abi/empty.s"
    "internal/abi/error.go"
    "internal/abi/imports.go"
    "internal/abi/layout.go"
    "internal/abi/memory.go"
    "internal/abi/outcome.go"
    "internal/abi/store.go"
    "internal/outgoing/body.go"
    "internal/outgoing/empty.s"
    "internal/outgoing/error.go"
    "internal/outgoing/imports.go"
    "internal/outgoing/send.go"
    "job.go"
    "log.go"
    "queue/queue.go"
    "wasihttp/wasihttp.go"
);
