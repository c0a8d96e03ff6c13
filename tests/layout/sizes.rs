use crate::tree;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn no_file_has_more_than_one_subject() {
    const CODE: [&str; 15] =
        ["rs", "sql", "sh", "wit", "wat", "c", "h", "cpp", "hpp", "zig", "js", "mjs", "ts", "py", "go"];
    for (path, text) in tree::with_extension(&CODE) {
        if path.contains("/generated/") {
            continue;
        }
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines; split it by subject");
    }
}

/// rustfmt puts a function's last brace under the first letter of its first line.
fn longest_function(text: &str) -> (usize, String) {
    let lines: Vec<&str> = text.lines().collect();
    let mut longest = (0, String::new());
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function =
            ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(crate) fn ", "pub(super) fn "]
                .iter()
                .any(|start| code.starts_with(start))
                || code.starts_with("pub(") && code.contains(") async fn ");
        if !is_function || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let closing = format!("{indent}}}");
        // A trait's method has no body.
        let declared = format!("{indent}) ");
        let ends = |line: &&str| **line == closing || line.starts_with(&declared) && line.ends_with(';');
        let end = lines[at..].iter().position(ends).unwrap_or(0);
        longest = longest.max((end + 1, code.to_owned()));
    }
    longest
}

#[test]
fn every_function_fits_a_screen() {
    for (path, text) in tree::with_extension(&["rs"]) {
        let (lines, function) = longest_function(&text);
        assert!(lines <= FUNCTION_LINES_MAX, "{path}: `{function}` has {lines} lines");
    }
}

#[test]
fn a_long_function_would_be_found() {
    let body = "        step();\n".repeat(80);
    let text = format!("impl X {{\n    pub(crate) async fn long() {{\n{body}    }}\n}}\n");
    assert_eq!(longest_function(&text).0, 82);
    let declared = format!("trait X {{\n    async fn declared(\n        &self,\n    ) -> u8;\n{body}}}\n");
    assert_eq!(longest_function(&declared).0, 3);
}
