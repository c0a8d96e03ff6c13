use std::collections::BTreeMap;

use flowmonkey::{OrFail, Result};

/// Puts the value of each `{{name}}` in its place. Values are not searched for placeholders.
pub(crate) fn render(template: &str, vars: &BTreeMap<String, String>) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once("{{") {
        let (name, after) = tail.split_once("}}").or_fatal("BAD_TEMPLATE", "a placeholder is not closed")?;
        let name = name.trim();
        let value = vars
            .get(name)
            .or_fatal("MISSING_VARIABLE", format_args!("the placeholder {name:?} has no value"))?;
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    Ok(text + rest)
}

/// Catches slips, not every address that cannot exist: only the mail service knows those.
pub(crate) fn is_address(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
    text.split_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && !user.contains(odd) && domain.contains('.') && !domain.contains(odd)
    })
}
