use crate::sandbox::Limits;
use crate::units::{Fuel, Size, Span};
use std::time::Duration;

/// Limits as they are written: in `handler.toml` what a handler wants, in the runner's settings what one gets
/// that says nothing (`[limits]`) and how far one may go (`[ceiling]`). Every one may be absent; unknown
/// keys are errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct WrittenLimits {
    /// [`Limits::fuel`]; `"unlimited"` does without counting.
    pub fuel: Option<Fuel>,
    /// [`Limits::heartbeat_timeout`]; has no ceiling, since it only ever ends an attempt sooner.
    pub heartbeat_timeout: Option<Span>,
    /// [`Limits::wall_max`].
    pub timeout: Option<Span>,
    /// [`Limits::memory_bytes_max`].
    pub memory: Option<Size>,
    /// [`Limits::memories_max`].
    pub memories: Option<u32>,
    /// [`Limits::table_elements_max`].
    pub table_elements: Option<u32>,
    /// [`Limits::tables_max`].
    pub tables: Option<u32>,
    /// [`Limits::instances_max`].
    pub instances: Option<u32>,
    /// [`Limits::stack_bytes_max`].
    pub stack: Option<Size>,
    /// [`Limits::handles_max`].
    pub handles: Option<u32>,
    /// [`Limits::resources_max`].
    pub resources: Option<u32>,
    /// [`Limits::hostcall_bytes_max`].
    pub hostcall_bytes: Option<Size>,
    /// [`Limits::store_calls_per_second`].
    pub store_calls_per_second: Option<u32>,
    /// [`Limits::log_lines_max`].
    pub log_lines: Option<u32>,
    /// [`Limits::log_bytes_max`].
    pub log_bytes: Option<Size>,
    /// [`Limits::stdout_bytes_max`].
    pub stdout_bytes: Option<Size>,
    /// [`Limits::stderr_bytes_max`].
    pub stderr_bytes: Option<Size>,
    /// [`Limits::result_bytes_max`].
    pub result_bytes: Option<Size>,
    /// [`Limits::checkpoint_value_bytes_max`].
    pub checkpoint_value_bytes: Option<Size>,
    /// [`Limits::checkpoint_bytes_max`].
    pub checkpoint_bytes: Option<Size>,
    /// [`Limits::random_bytes_max`].
    pub random_bytes: Option<Size>,
    /// [`Limits::enqueues_max`].
    pub enqueues: Option<u32>,
    /// [`Limits::queue_pending_max`].
    pub queue_pending: Option<u32>,
    /// [`Limits::idempotency_value_bytes_max`].
    pub idempotency_value_bytes: Option<Size>,
    /// [`Limits::idempotency_records_max`].
    pub idempotency_records: Option<u32>,
    /// [`Limits::http_requests_max`].
    pub http_requests: Option<u32>,
    /// [`Limits::http_request_bytes_max`].
    pub http_request_bytes: Option<Size>,
    /// [`Limits::http_response_bytes_max`].
    pub http_response_bytes: Option<Size>,
    /// [`Limits::http_header_bytes_max`].
    pub http_header_bytes: Option<Size>,
    /// [`Limits::http_time_max`].
    pub http_timeout: Option<Span>,
    /// [`Limits::component_bytes_max`].
    pub component_bytes: Option<Size>,
    /// [`Limits::compile_time_max`].
    pub compile_timeout: Option<Span>,
    /// [`Limits::compile_memory_bytes_max`].
    pub compile_memory: Option<Size>,
}

/// Each key, what it sets, and how its value is shown. Fuel and the heartbeat timeout are unlike the rest.
macro_rules! each_limit {
    ($visit:ident) => {
        $visit! {
            timeout: wall_max, span;
            memory: memory_bytes_max, size;
            memories: memories_max, count;
            table_elements: table_elements_max, count;
            tables: tables_max, count;
            instances: instances_max, count;
            stack: stack_bytes_max, size;
            handles: handles_max, count;
            resources: resources_max, count;
            hostcall_bytes: hostcall_bytes_max, size;
            store_calls_per_second: store_calls_per_second, count;
            log_lines: log_lines_max, count;
            log_bytes: log_bytes_max, size;
            stdout_bytes: stdout_bytes_max, size;
            stderr_bytes: stderr_bytes_max, size;
            result_bytes: result_bytes_max, size;
            checkpoint_value_bytes: checkpoint_value_bytes_max, size;
            checkpoint_bytes: checkpoint_bytes_max, size;
            random_bytes: random_bytes_max, size;
            enqueues: enqueues_max, count;
            queue_pending: queue_pending_max, count;
            idempotency_value_bytes: idempotency_value_bytes_max, size;
            idempotency_records: idempotency_records_max, count;
            http_requests: http_requests_max, count;
            http_request_bytes: http_request_bytes_max, size;
            http_response_bytes: http_response_bytes_max, size;
            http_header_bytes: http_header_bytes_max, size;
            http_timeout: http_time_max, span;
            component_bytes: component_bytes_max, size;
            compile_timeout: compile_time_max, span;
            compile_memory: compile_memory_bytes_max, size;
        }
    };
}

impl WrittenLimits {
    /// What is absent here is taken from `below`.
    pub fn over(self, below: WrittenLimits) -> Self {
        macro_rules! merge {
            ($($key:ident: $field:ident, $kind:ident;)*) => {
                WrittenLimits {
                    fuel: self.fuel.or(below.fuel),
                    heartbeat_timeout: self.heartbeat_timeout.or(below.heartbeat_timeout),
                    $($key: self.$key.or(below.$key),)*
                }
            };
        }
        each_limit!(merge)
    }

    /// These limits, with what is written here instead.
    pub fn apply(&self, mut limits: Limits) -> Limits {
        if let Some(fuel) = self.fuel {
            limits.fuel = fuel.0;
        }
        if let Some(span) = self.heartbeat_timeout {
            limits.heartbeat_timeout = Some(span.0);
        }
        macro_rules! set {
            ($($key:ident: $field:ident, $kind:ident;)*) => {
                $(if let Some(written) = self.$key {
                    limits.$field = $kind::value(written);
                })*
            };
        }
        each_limit!(set);
        limits
    }

    /// What is written here and nothing can work with.
    ///
    /// # Errors
    /// Names each key.
    pub fn check(&self) -> Result<(), String> {
        const ABOVE_ZERO: [&str; 3] = ["timeout", "heartbeat-timeout", "http-timeout"];
        let spans = [self.timeout, self.heartbeat_timeout, self.http_timeout];
        let zero = spans.iter().zip(ABOVE_ZERO).find(|(span, _)| span.is_some_and(|span| span.0.is_zero()));
        zero.map_or(Ok(()), |(_, key)| Err(format!("{key} must be above zero")))
    }
}

/// What one key of the limits is, for documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LimitKey {
    /// As it is written.
    pub(super) name: String,
    /// How its value is written.
    pub(super) kind: Kind,
    /// Where nobody says anything; empty where it is none at all.
    pub(super) default: String,
    /// How far it may go where the operator says nothing; none where it may go anywhere.
    pub(super) ceiling: Option<String>,
}

/// How a limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fuel,
    Span,
    Size,
    Count,
}

/// All limits, in the order in which people look for them.
pub(super) fn keys() -> Vec<LimitKey> {
    let (defaults, ceiling) = (Limits::default(), Limits::ceiling());
    let fuel = |fuel: Option<u64>| fuel.map_or("unlimited".into(), |fuel| fuel.to_string());
    let key = |name: &str, kind, default: String, ceiling| LimitKey {
        name: name.replace('_', "-"),
        kind,
        default,
        ceiling,
    };
    let beat = defaults.heartbeat_timeout.map(span::shown).unwrap_or_default();
    let mut keys = vec![
        key("fuel", Kind::Fuel, fuel(defaults.fuel), Some(fuel(ceiling.fuel))),
        key("heartbeat-timeout", Kind::Span, beat, None),
    ];
    macro_rules! list {
        ($($key:ident: $field:ident, $kind:ident;)*) => {
            $(keys.push(key(
                stringify!($key),
                $kind::KIND,
                $kind::shown(defaults.$field),
                Some($kind::shown(ceiling.$field)),
            ));)*
        };
    }
    each_limit!(list);
    keys
}

/// The limits that are above their ceiling, each with both, as people write them.
pub fn above_ceiling(limits: &Limits, ceiling: &Limits) -> Vec<String> {
    let mut above = Vec::new();
    // Not counted at all is above any number.
    let fuel = |limits: &Limits| limits.fuel.unwrap_or(u64::MAX);
    if fuel(limits) > fuel(ceiling) {
        let shown = |fuel: Option<u64>| fuel.map_or("unlimited".into(), |fuel| fuel.to_string());
        above.push(format!("fuel is {}, over the ceiling of {}", shown(limits.fuel), shown(ceiling.fuel)));
    }
    macro_rules! compare {
        ($($key:ident: $field:ident, $kind:ident;)*) => {
            $(if limits.$field > ceiling.$field {
                let (limit, ceiling) = ($kind::shown(limits.$field), $kind::shown(ceiling.$field));
                let key = stringify!($key).replace('_', "-");
                above.push(format!("{key} is {limit}, over the ceiling of {ceiling}"));
            })*
        };
    }
    each_limit!(compare);
    above
}

/// The higher of both, each by itself.
pub(super) fn highest(one: &Limits, other: &Limits) -> Limits {
    let fuel = one.fuel.zip(other.fuel).map(|(one, other)| one.max(other));
    let mut highest = Limits { fuel, ..*one };
    macro_rules! raise {
        ($($key:ident: $field:ident, $kind:ident;)*) => {
            $(highest.$field = one.$field.max(other.$field);)*
        };
    }
    each_limit!(raise);
    highest
}

/// A size in bytes.
mod size {
    use super::Size;

    pub(super) const KIND: super::Kind = super::Kind::Size;

    pub(super) fn value<T: TryFrom<usize> + Bounded>(size: Size) -> T {
        T::try_from(size.0).unwrap_or(T::MOST)
    }

    pub(super) fn shown<T: TryInto<u64>>(bytes: T) -> String {
        bytesize::ByteSize(bytes.try_into().unwrap_or(u64::MAX)).display().iec().to_string()
    }

    pub(super) trait Bounded {
        const MOST: Self;
    }
    impl Bounded for usize {
        const MOST: Self = usize::MAX;
    }
    impl Bounded for u64 {
        const MOST: Self = u64::MAX;
    }
}

/// A number of things.
mod count {
    pub(super) const KIND: super::Kind = super::Kind::Count;

    pub(super) fn value<T: From32>(count: u32) -> T {
        T::from32(count)
    }

    pub(super) fn shown(count: impl std::fmt::Display) -> String {
        count.to_string()
    }

    pub(super) trait From32 {
        fn from32(count: u32) -> Self;
    }
    impl From32 for u32 {
        fn from32(count: u32) -> Self {
            count
        }
    }
    impl From32 for usize {
        fn from32(count: u32) -> Self {
            count as usize
        }
    }
}

/// A time.
mod span {
    use super::{Duration, Span};

    pub(super) const KIND: super::Kind = super::Kind::Span;

    pub(super) fn value(span: Span) -> Duration {
        span.0
    }

    pub(super) fn shown(span: Duration) -> String {
        humantime::format_duration(span).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of `Limits` can be written, and is bounded by its ceiling: what is set to the most that
    /// can be written is above every default ceiling.
    #[test]
    fn every_limit_can_be_written_and_has_a_ceiling() {
        let mut keys = Vec::new();
        macro_rules! list {
            ($($key:ident: $field:ident, $kind:ident;)*) => {
                $(keys.push((stringify!($key).replace('_', "-"), stringify!($field), stringify!($kind)));)*
            };
        }
        each_limit!(list);
        let fields = format!("{:?}", Limits::default());
        let all = fields.matches(": ").count();
        assert_eq!(keys.len() + 2, all, "fuel, heartbeat-timeout and these: {keys:?}\n{fields}");
        for (key, field, kind) in keys {
            let most = match kind {
                "size" => "'900PB'",
                "span" => "'900d'",
                _ => "4000000000",
            };
            let written: WrittenLimits = toml::from_str(&format!("{key} = {most}")).unwrap();
            let limits = written.apply(Limits::default());
            let above = above_ceiling(&limits, &Limits::ceiling());
            assert_eq!(above.len(), 1, "{key} sets {field}: {above:?}");
            assert!(above[0].starts_with(&format!("{key} is ")), "{above:?}");
            assert_eq!(highest(&limits, &Limits::ceiling()), written.apply(Limits::ceiling()));
        }
    }

    #[test]
    fn unlimited_fuel_is_above_every_number() {
        let endless = Limits { fuel: None, ..Limits::default() };
        let above = above_ceiling(&endless, &Limits::ceiling());
        assert_eq!(above, ["fuel is unlimited, over the ceiling of 1000000000000"]);
        assert!(above_ceiling(&Limits::default(), &endless).is_empty());
        assert_eq!(highest(&endless, &Limits::default()).fuel, None);
    }

    #[test]
    fn no_default_is_above_its_ceiling() {
        assert_eq!(above_ceiling(&Limits::default(), &Limits::ceiling()), Vec::<String>::new());
    }

    #[test]
    fn what_is_written_higher_up_wins() {
        let parse = |text: &str| toml::from_str::<WrittenLimits>(text).unwrap();
        let both = parse("timeout = '1s'\nlog-lines = 3").over(parse("timeout = '2s'\nmemory = '1MiB'"));
        assert_eq!(both, parse("timeout = '1s'\nlog-lines = 3\nmemory = '1MiB'"));
        assert!(toml::from_str::<WrittenLimits>("memry = '1MiB'").is_err());
        for key in ["timeout", "heartbeat-timeout", "http-timeout"] {
            let error = parse(&format!("{key} = '0s'")).check().unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }
}
