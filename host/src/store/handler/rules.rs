//! What a change makes of a handler. Pure: the same for both engines.

use super::{Activation, COMPONENT_BYTES_MAX, HandlerFault, HandlerRow, NewVersion, VersionRow};
use crate::job::{JsonText, check_name};
use crate::store::StoreError;

/// The largest manifest, metadata, schemas, signature or source, in bytes.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// A handler after a change, and what the audit trail says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) row: HandlerRow,
    /// The version that became the active one.
    pub(super) activated: Option<String>,
    pub(super) entry: Entry,
}

/// A line of the audit trail; handler and actor are the change's.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    pub(in crate::store) action: &'static str,
    pub(in crate::store) version: Option<String>,
    pub(in crate::store) detail: Option<String>,
}

impl Entry {
    pub(super) fn of(action: &'static str, version: &str, detail: Option<String>) -> Self {
        Entry { action, version: Some(version.to_owned()), detail }
    }
}

/// Checks what the type cannot, before anything is written.
pub(in crate::store) fn check(new: &NewVersion) -> Result<(), StoreError> {
    check_name("handler", &new.handler)?;
    if let Some(version) = &new.version {
        check_name("version", version)?;
    }
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if new.digest.len() != 64 || !new.digest.as_bytes().iter().all(is_hex) {
        return Err(StoreError::Invalid(format!(
            "the digest {:?} is not 64 hexadecimal digits in lower case",
            new.digest.chars().take(80).collect::<String>()
        )));
    }
    let bytes = new.component.len();
    if !(1..=COMPONENT_BYTES_MAX).contains(&bytes) {
        return Err(StoreError::Invalid(format!(
            "the component of {:?} has {bytes} bytes; it must have 1 to {COMPONENT_BYTES_MAX}",
            new.handler
        )));
    }
    let texts = [
        ("manifest", Some(new.manifest.as_str())),
        ("metadata", new.metadata.as_ref().map(JsonText::as_str)),
        ("schemas", new.schemas.as_ref().map(JsonText::as_str)),
        ("signature", new.signature.as_deref()),
        ("source", new.source.as_deref()),
    ];
    texts.into_iter().try_for_each(|(what, text)| check_text(what, text.unwrap_or_default()))
}

fn check_text(what: &str, text: &str) -> Result<(), StoreError> {
    if text.len() > TEXT_BYTES_MAX {
        let bytes = text.len();
        return Err(StoreError::Invalid(format!(
            "the {what} has {bytes} bytes; at most {TEXT_BYTES_MAX} fit"
        )));
    }
    if text.contains('\0') {
        return Err(StoreError::Invalid(format!("the {what} holds NUL")));
    }
    Ok(())
}

/// Whether a version is what is pushed again. Metadata follows from the component, and whence it came and
/// who signed it makes it no other.
pub(super) fn is_same(found: &VersionRow, new: &NewVersion) -> bool {
    found.digest == new.digest && found.manifest == new.manifest && found.schemas == new.schemas
}

/// Nothing, when it is as asked already.
pub(super) fn activated(
    row: &HandlerRow,
    version: &str,
    activation: Activation,
) -> Result<Option<Turn>, HandlerFault> {
    match activation {
        Activation::All => Ok((row.active.as_deref() != Some(version) || row.canary.is_some())
            .then(|| with_active(row, version, "activated"))),
        Activation::Canary(percent) => canary(row, version, percent),
    }
}

fn canary(row: &HandlerRow, version: &str, percent: u8) -> Result<Option<Turn>, HandlerFault> {
    if !(1..=99).contains(&percent) {
        let why = format!("a canary of {percent} % is none; it may have 1 to 99");
        return Err(StoreError::Invalid(why).into());
    }
    let active = row.active.as_deref().ok_or_else(|| HandlerFault::NothingBeside(row.name.clone()))?;
    if active == version {
        let why = format!("version {version:?} of {:?} is active already, and no canary of itself", row.name);
        return Err(StoreError::Invalid(why).into());
    }
    let canary = Some((version.to_owned(), percent));
    if row.canary == canary {
        return Ok(None);
    }
    let entry = Entry::of("canary", version, Some(format!("{percent} %")));
    Ok(Some(Turn { row: HandlerRow { canary, ..row.clone() }, activated: None, entry }))
}

fn with_active(row: &HandlerRow, version: &str, action: &'static str) -> Turn {
    let before = row.active.as_ref().filter(|before| *before != version);
    let detail = before.map(|before| format!("instead of {before}"));
    let after = HandlerRow { active: Some(version.to_owned()), canary: None, ..row.clone() };
    Turn { row: after, activated: Some(version.to_owned()), entry: Entry::of(action, version, detail) }
}

/// `older` is the version before the active one.
pub(super) fn rolled_back(row: &HandlerRow, older: Option<&str>) -> Result<Turn, HandlerFault> {
    let older = older.ok_or_else(|| HandlerFault::NothingOlder(row.name.clone()))?;
    Ok(with_active(row, older, "rolled-back"))
}

pub(super) fn promoted(row: &HandlerRow) -> Result<Turn, HandlerFault> {
    let (canary, _) = row.canary.as_ref().ok_or_else(|| HandlerFault::NoCanary(row.name.clone()))?;
    Ok(with_active(row, canary, "promoted"))
}

pub(super) fn aborted(row: &HandlerRow) -> Result<Turn, HandlerFault> {
    let (canary, percent) = row.canary.as_ref().ok_or_else(|| HandlerFault::NoCanary(row.name.clone()))?;
    let entry = Entry::of("aborted", canary, Some(format!("{percent} %")));
    Ok(Turn { row: HandlerRow { canary: None, ..row.clone() }, activated: None, entry })
}

/// Nothing, when it is as asked already.
pub(super) fn paused(row: &HandlerRow, paused: bool) -> Option<Turn> {
    let action = if paused { "paused" } else { "resumed" };
    (row.paused != paused).then(|| Turn {
        row: HandlerRow { paused, ..row.clone() },
        activated: None,
        entry: Entry { action, version: None, detail: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(active: Option<&str>, canary: Option<(&str, u8)>) -> HandlerRow {
        HandlerRow {
            name: "h".into(),
            active: active.map(str::to_owned),
            canary: canary.map(|(version, percent)| (version.to_owned(), percent)),
            paused: false,
            active_pushed_at: None,
            canary_pushed_at: None,
            revision: 1,
            updated_by: "a".into(),
            updated_at: 1,
        }
    }

    #[test]
    fn an_activation_leads_where_it_says() {
        use Activation::{All, Canary};
        let after = |active, canary| Some((Some(active), canary));
        // before, version, activation → after; none is no change
        let table = [
            (row(None, None), "1", All, after("1", None)),
            (row(Some("1"), None), "1", All, None),
            (row(Some("1"), None), "2", All, after("2", None)),
            (row(Some("1"), Some(("2", 5))), "1", All, after("1", None)),
            (row(Some("1"), Some(("2", 5))), "2", All, after("2", None)),
            (row(Some("1"), None), "2", Canary(5), after("1", Some(("2", 5)))),
            (row(Some("1"), Some(("2", 5))), "2", Canary(5), None),
            (row(Some("1"), Some(("2", 5))), "2", Canary(50), after("1", Some(("2", 50)))),
            (row(Some("1"), Some(("2", 5))), "3", Canary(99), after("1", Some(("3", 99)))),
        ];
        for (before, version, activation, expected) in table {
            let turn = activated(&before, version, activation).unwrap();
            let expected = expected.map(|(active, canary)| row(active, canary));
            assert_eq!(turn.map(|turn| turn.row), expected, "{before:?} {version} {activation:?}");
        }
    }

    #[test]
    fn a_canary_needs_another_version_beside_it_and_a_share() {
        let refused = |row: HandlerRow, version, percent| canary(&row, version, percent).unwrap_err();
        assert!(matches!(refused(row(None, None), "1", 5), HandlerFault::NothingBeside(_)));
        for (version, percent) in [("1", 5), ("2", 0), ("2", 100)] {
            let fault = refused(row(Some("1"), None), version, percent);
            assert!(matches!(fault, HandlerFault::Store(StoreError::Invalid(_))), "{fault:?}");
        }
    }

    #[test]
    fn only_a_canary_can_be_promoted_or_aborted() {
        let with = row(Some("1"), Some(("2", 5)));
        assert_eq!(promoted(&with).unwrap().row, row(Some("2"), None));
        assert_eq!(aborted(&with).unwrap().row, row(Some("1"), None));
        let without = row(Some("1"), None);
        assert!(matches!(promoted(&without), Err(HandlerFault::NoCanary(_))));
        assert!(matches!(aborted(&without), Err(HandlerFault::NoCanary(_))));
    }

    #[test]
    fn a_pause_changes_nothing_but_itself() {
        let before = row(Some("1"), Some(("2", 5)));
        assert_eq!(paused(&before, false), None);
        let turn = paused(&before, true).unwrap();
        assert_eq!(turn.row, HandlerRow { paused: true, ..before });
        assert_eq!(turn.entry.action, "paused");
    }
}
