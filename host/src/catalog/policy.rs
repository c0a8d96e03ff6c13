use super::HandlerSettings;
use super::limits::{WrittenLimits, above_ceiling, highest};
use super::manifest::Manifest;
use super::metadata::Metadata;
use super::signature::{TrustedKeys, WrittenSignatures};
use crate::sandbox::{Allowance, ConfigValues, Limits};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A secret's file is read up to here; a larger one is a mistake.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// What the operator says of handlers: the settings of those that say nothing themselves, how far the others
/// may go, and what they may reach.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What a handler gets that says nothing.
    pub defaults: HandlerSettings,
    /// How far a handler's own limits may go.
    pub ceiling: Limits,
    /// What every handler may reach that asks for it.
    pub allowance: Allowance,
    /// What is said of one handler alone, by its name.
    pub handlers: BTreeMap<String, HandlerPolicy>,
    /// Whose signature a component must have, if anybody's.
    pub signatures: TrustedKeys,
}

/// What the operator says of one handler.
#[derive(Debug, Clone, Default)]
pub struct HandlerPolicy {
    /// What it may reach beside what all may.
    pub allowance: Allowance,
    /// How far its limits may go, over the ceiling of all.
    pub ceiling: WrittenLimits,
    /// What it can read of its configuration, if it asks for the keys.
    pub config: Arc<ConfigValues>,
}

impl From<HandlerSettings> for Policy {
    /// These settings for all, the default ceiling where it is higher, and nothing allowed.
    fn from(defaults: HandlerSettings) -> Self {
        let ceiling = highest(&defaults.limits, &Limits::ceiling());
        let (allowance, handlers, signatures) = Default::default();
        Policy { defaults, ceiling, allowance, handlers, signatures }
    }
}

impl Default for Policy {
    fn default() -> Self {
        HandlerSettings::default().into()
    }
}

/// The policy as it is written in the runner's settings file, in its tables `[limits]`, `[ceiling]`,
/// `[allow]`, `[handlers.NAME]` and `[signatures]`.
#[derive(Debug, Clone, Default)]
pub struct WrittenPolicy {
    /// What a handler gets that says nothing.
    pub limits: WrittenLimits,
    /// How far a handler's own limits may go.
    pub ceiling: WrittenLimits,
    /// What every handler may reach that asks for it.
    pub allow: Allowance,
    /// What is said of one handler alone.
    pub handlers: BTreeMap<String, WrittenHandlerPolicy>,
    /// Whose signatures components must have.
    pub signatures: WrittenSignatures,
}

/// `[handlers.NAME]` as it is written.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct WrittenHandlerPolicy {
    allow: Allowance,
    ceiling: WrittenLimits,
    config: BTreeMap<String, WrittenValue>,
}

/// `"text"`, `{ env = "NAME" }` or `{ file = "PATH" }`. The last two are secrets.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(untagged, expecting = "write a text, { env = \"NAME\" } or { file = \"PATH\" }")]
enum WrittenValue {
    Plain(String),
    Secret(SecretSource),
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum SecretSource {
    Env(String),
    File(PathBuf),
}

impl WrittenPolicy {
    /// Reads the secrets, and checks what does not go together.
    ///
    /// # Errors
    /// Names the key; never shows a secret.
    pub fn resolve(self, defaults: HandlerSettings) -> Result<Policy, String> {
        self.limits.check().map_err(|why| format!("[limits]: {why}"))?;
        let limits = self.limits.apply(defaults.limits);
        // What the operator gives everybody is allowed, unless he says that it is not.
        let ceiling = self.ceiling.apply(highest(&limits, &Limits::ceiling()));
        if let Some(above) = above_ceiling(&limits, &ceiling).first() {
            return Err(format!("[limits]: {above}"));
        }
        let defaults = HandlerSettings { limits, ..defaults };
        let signatures = self.signatures.resolve().map_err(|why| format!("[signatures]: {why}"))?;
        let mut policy = Policy { ceiling, allowance: self.allow, signatures, ..Policy::from(defaults) };
        for (name, written) in self.handlers {
            let of = |why: String| format!("[handlers.{name}]: {why}");
            let config = Arc::new(values(&written.config).map_err(of)?);
            let of_one = HandlerPolicy { allowance: written.allow, ceiling: written.ceiling, config };
            policy.handlers.insert(name, of_one);
        }
        Ok(policy)
    }
}

fn values(written: &BTreeMap<String, WrittenValue>) -> Result<ConfigValues, String> {
    let mut values = ConfigValues::default();
    for (key, value) in written {
        let secret = match value {
            WrittenValue::Plain(text) => {
                values.set(key, text);
                continue;
            }
            WrittenValue::Secret(SecretSource::Env(name)) => std::env::var(name)
                .map_err(|_| format!("config.{key}: the environment variable {name} is not set to a text"))?,
            WrittenValue::Secret(SecretSource::File(path)) => {
                let text = read_secret(path);
                text.map_err(|why| format!("config.{key}: {}: {why}", path.display()))?
            }
        };
        values.set_secret(key, &secret).map_err(|error| error.to_string())?;
    }
    Ok(values)
}

/// The text of a file, without the line's end that editors and `echo` put there.
fn read_secret(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > SECRET_FILE_BYTES_MAX {
        return Err(format!("a secret has at most {SECRET_FILE_BYTES_MAX} bytes, this file has {length}"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

impl Policy {
    /// The most that any handler's memory and stack may be: what the sandbox is built for.
    pub fn highest_ceiling(&self) -> Limits {
        let ceilings = self.handlers.values().map(|handler| handler.ceiling.apply(self.ceiling));
        ceilings.fold(self.ceiling, |one, other| highest(&one, &other))
    }

    /// What a handler of this name gets whose `handler.toml` has this text, and what it asked for in vain, as it
    /// would be written there.
    ///
    /// # Errors
    /// Names each key that is unknown, makes no sense, or is over its ceiling.
    pub fn read_manifest(&self, name: &str, toml: &str) -> Result<(HandlerSettings, Vec<String>), String> {
        self.settings(name, &Manifest::parse(toml)?, None)
    }

    /// What a handler gets, and what it asked for in vain. What the component says of itself counts where the
    /// manifest says nothing: that is its timeout.
    ///
    /// # Errors
    /// Names each of its limits that is over its ceiling, and whatever else makes no sense.
    pub fn settings(
        &self,
        name: &str,
        manifest: &Manifest,
        metadata: Option<&Metadata>,
    ) -> Result<(HandlerSettings, Vec<String>), String> {
        let of_one = self.handlers.get(name).cloned().unwrap_or_default();
        let mut settings = manifest.settings(&self.defaults)?;
        let described = metadata.and_then(|metadata| metadata.default_timeout);
        if let (None, Some(timeout)) = (manifest.timeout(), described) {
            settings.limits.wall_max = timeout;
        }
        let above = above_ceiling(&settings.limits, &of_one.ceiling.apply(self.ceiling));
        if !above.is_empty() {
            let all = above.join("; ");
            return Err(format!(
                "[limits]: {all}. Raise [ceiling] in the runner's settings, or lower it here"
            ));
        }
        let allowance = of_one.allowance.and(&self.allowance);
        let meeting = allowance.meet(manifest.grants(), &of_one.config.keys());
        settings.grants = meeting.granted;
        settings.config = of_one.config;
        Ok((settings, meeting.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn policy(handlers: &str) -> Result<Policy, String> {
        let handlers = toml::from_str(handlers).map_err(|error| error.to_string())?;
        WrittenPolicy { handlers, ..WrittenPolicy::default() }.resolve(HandlerSettings::default())
    }

    fn settings(policy: &Policy, manifest: &str) -> Result<(HandlerSettings, Vec<String>), String> {
        policy.read_manifest("mail", manifest)
    }

    #[test]
    fn what_is_allowed_to_all_and_to_one_adds_up_and_is_asked_for() {
        let mut policy = policy(
            "[mail.allow]\nhttp = ['api.test']\n[mail.config]\nregion = 'eu'\n[other.allow]\nidempotency = true",
        )
        .unwrap();
        policy.allowance.context = true;
        let asks = "[grants]\ncontext = true\nidempotency = true\nhttp = ['api.test']\nconfig = ['region']";
        let (settings, refused) = settings(&policy, asks).unwrap();
        assert!(settings.grants.context && !settings.grants.idempotency);
        assert_eq!((settings.grants.http.len(), settings.grants.config.len()), (1, 1));
        assert_eq!(settings.config.get("region"), Some("eu"));
        assert_eq!(refused, ["idempotency = true"]);
    }

    #[test]
    fn the_ceiling_holds_and_one_handler_may_have_its_own() {
        let policy = policy("[mail.ceiling]\nmemory = '1GiB'").unwrap();
        assert!(settings(&policy, "[limits]\nmemory = '1GiB'").is_ok());
        let above = settings(&policy, "[limits]\nmemory = '2GiB'\nfuel = 'unlimited'").unwrap_err();
        assert!(above.contains("memory is 2.0 GiB, over the ceiling of 1.0 GiB"), "{above}");
        assert!(above.contains("fuel is unlimited") && above.contains("[ceiling]"), "{above}");
        let other = Manifest::parse("[limits]\nmemory = '1GiB'").unwrap();
        assert!(policy.settings("other", &other, None).is_err());
        assert_eq!(policy.highest_ceiling().memory_bytes_max, 1 << 30);
    }

    #[test]
    fn a_described_timeout_counts_where_the_manifest_says_nothing() {
        let policy = Policy::default();
        let of = |toml: &str, timeout: u64| {
            let default_timeout = Some(Duration::from_secs(timeout));
            let metadata = Metadata { default_timeout, ..Metadata::default() };
            let settings = policy.settings("mail", &Manifest::parse(toml).unwrap(), Some(&metadata));
            settings.map(|(settings, _)| settings.limits.wall_max.as_secs())
        };
        assert_eq!(of("", 7), Ok(7));
        assert_eq!(of("[limits]\ntimeout = '3s'", 7), Ok(3));
        assert!(of("", 100_000_000).unwrap_err().contains("timeout is"), "the ceiling holds");
    }

    #[test]
    fn what_the_operator_gives_everybody_is_under_the_ceiling_unless_he_says_otherwise() {
        let limits: WrittenLimits = toml::from_str("timeout = '3d'").unwrap();
        let written = WrittenPolicy { limits, ..WrittenPolicy::default() };
        let policy = written.clone().resolve(HandlerSettings::default()).unwrap();
        assert_eq!(policy.ceiling.wall_max, policy.defaults.limits.wall_max);
        let ceiling = toml::from_str("timeout = '1d'").unwrap();
        let error = WrittenPolicy { ceiling, ..written }.resolve(HandlerSettings::default()).unwrap_err();
        assert!(error.contains("timeout is 3days, over the ceiling of 1day"), "{error}");
    }

    #[test]
    fn secrets_come_from_a_file_or_the_environment_and_are_never_shown() {
        let path = std::env::temp_dir().join(format!("flowmonkey-secret-{}", std::process::id()));
        std::fs::write(&path, "t0ps3cret\n").unwrap();
        let file = format!("[mail.config]\nkey = {{ file = '{}' }}", path.display());
        let read = policy(&file).unwrap();
        let (settings, _) = settings(&read, "[grants]\nconfig = ['key']").unwrap();
        assert_eq!(settings.config.get("key"), Some("t0ps3cret"));
        assert!(!format!("{read:?}{settings:?}").contains("t0ps3cret"));
        std::fs::write(&path, "t0p").unwrap();
        let error = policy(&file).unwrap_err();
        assert!(error.contains("`key`") && !error.contains("t0p"), "{error}");
        std::fs::remove_file(&path).unwrap();
        for (text, expected) in [
            ("key = { file = '/nowhere' }", "/nowhere"),
            ("key = { env = 'FLOWMONKEY_NOT_SET' }", "FLOWMONKEY_NOT_SET is not set"),
            ("key = { vault = 'x' }", "write a text, { env"),
            ("key = 5", "write a text, { env"),
        ] {
            let error = policy(&format!("[mail.config]\n{text}")).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let home = std::env::var("PATH").unwrap();
        let policy = policy("[mail.config]\nkey = { env = 'PATH' }").unwrap();
        assert_eq!(policy.handlers["mail"].config.get("key"), Some(home.as_str()));
    }
}
