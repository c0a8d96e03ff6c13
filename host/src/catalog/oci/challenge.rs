use std::collections::BTreeMap;

/// How a registry wants to be convinced: what stands in `WWW-Authenticate`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, which another service hands out.
    Bearer {
        /// Where that service is.
        realm: String,
        /// What it calls the registry.
        service: Option<String>,
    },
}

impl Challenge {
    /// The first that is known among the values of the header; tokens before passwords.
    pub(super) fn first<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for value in values {
            let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let mut fields = fields(rest);
                if let Some(realm) = fields.remove("realm") {
                    return Some(Challenge::Bearer { realm, service: fields.remove("service") });
                }
            } else if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
        basic
    }
}

/// `name="value"` with commas between; a value may be in quotes, and in them stand `\"` and `\\`.
fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once('=') {
        let (value, left) = value(behind.trim_start());
        fields.insert(name.trim_matches([' ', ',']).to_ascii_lowercase(), value);
        rest = left;
    }
    fields
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(char),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
    }

    #[test]
    fn what_registries_write_is_read() {
        let first = |values: &[&str]| Challenge::first(values.iter().copied());
        let ghcr =
            r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push""#;
        assert_eq!(first(&[ghcr]), bearer("https://ghcr.io/token", Some("ghcr.io")));
        assert_eq!(first(&["bearer  REALM=https://a/t , service=x"]), bearer("https://a/t", Some("x")));
        assert_eq!(first(&[r#"Basic realm="a""#]), Some(Challenge::Basic));
        assert_eq!(first(&["Basic", r#"Bearer realm="r""#]), bearer("r", None));
        assert_eq!(first(&[r#"Bearer realm="a\"b\\""#]), bearer(r#"a"b\"#, None));
    }

    #[test]
    fn what_is_damaged_is_none_or_less() {
        let first = |value: &str| Challenge::first(std::iter::once(value));
        for value in ["", "Negotiate", "Bearer", "Bearer service=\"x\"", "Bearer =", "Bearer ,,,"] {
            assert_eq!(first(value), None, "{value}");
        }
        assert_eq!(first("Bearer realm=\"unended\\"), bearer("unended", None));
    }
}
