//! What the probe says of itself: what it finds out while it is asked.

use crate::exports::flowmonkey::jobs::metadata::Guest;
use crate::stores::{denied, steps};
use crate::{Probe, authority, config, facts, http, log_lines, print, progress};
use serde_json::json;

impl Guest for Probe {
    fn describe() -> String {
        let request = json!({"scheme": "https", "authority": "example.com", "path": "/"});
        let calls = json!([["save", "k", "1"], ["restore", "k"], ["keys"], ["delete", "k"], ["clear"]]);
        print(1, "unheard");
        log_lines(1, "unheard");
        json!({
            "description": "Does whatever its input says",
            "found": {
                "facts": facts(),
                "progress": progress(&json!({"percent": 1.0})),
                "checkpoints": steps("checkpoints", &calls),
                "denied": denied(),
                "config": config::read(&json!(["key"]), false),
                "http": http::requests(&json!({"requests": [request]})),
                "authority": authority::look(),
            },
        })
        .to_string()
    }
}
