use super::grant::{Denied, Granted};
use crate::cli::BadInput;
use crate::cli::enqueue::read_json;
use clap::ValueEnum;
use flowmonkey_jobs::job::{JsonText, MAX_ATTEMPTS_DEFAULT};
use flowmonkey_jobs::sandbox::{Directive, RecordedAnswer};
use flowmonkey_jobs::trial::{Trial, Values};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// An attempt to be tried, and what the handler may reach in it.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) trial: Trial,
    /// The operator's configuration.
    pub(super) config: BTreeMap<String, String>,
    pub(super) grants: Vec<Granted>,
    pub(super) denied: Vec<Denied>,
    pub(super) answers: Vec<RecordedAnswer>,
}

/// What a handler is told from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Told {
    /// The runner is stopping
    Drain,
    /// The job was cancelled
    Cancel,
}

impl From<Told> for Directive {
    fn from(told: Told) -> Self {
        match told {
            Told::Drain => Directive::Drain,
            Told::Cancel => Directive::Cancel,
        }
    }
}

/// One attempt by flags.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The attempt")]
pub(super) struct AttemptArgs {
    /// Which attempt of its job it is [default: 1]
    #[arg(long, value_name = "N")]
    attempt: Option<NonZeroU32>,
    /// How many attempts the job has in all [default: 3, or that of --attempt]
    #[arg(long, value_name = "N")]
    max_attempts: Option<NonZeroU32>,
    /// What an earlier attempt saved; may be repeated
    #[arg(long, value_name = "KEY=JSON|@FILE")]
    checkpoint: Vec<String>,
    /// What the operator has set, for a handler that asks for the key; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// What the job was resumed with after a wait
    #[arg(long, value_name = "JSON|@FILE")]
    resumed_with: Option<String>,
    /// What the handler is told from the start
    #[arg(long, value_enum)]
    directive: Option<Told>,
    /// The context of the execution that the job belongs to, an object [default: none, and no execution]
    #[arg(long, value_name = "JSON|@FILE")]
    context: Option<String>,
    /// What the handler's jobs have recorded before; may be repeated
    #[arg(long, value_name = "KEY=JSON|@FILE")]
    idempotency: Vec<String>,
    /// Grant what the manifest does not ask for: context, idempotency, queue=HANDLER, http=HOST, config=KEY
    #[arg(long, value_name = "GRANT")]
    grant: Vec<Granted>,
    /// Take away what it asks for: context, idempotency, queue, http, config
    #[arg(long, value_name = "KIND")]
    deny: Vec<Denied>,
}

impl AttemptArgs {
    /// The first of these flags that is there.
    pub(super) fn first(&self) -> Option<&'static str> {
        let given = [
            ("--attempt", self.attempt.is_some()),
            ("--max-attempts", self.max_attempts.is_some()),
            ("--checkpoint", !self.checkpoint.is_empty()),
            ("--config", !self.config.is_empty()),
            ("--resumed-with", self.resumed_with.is_some()),
            ("--directive", self.directive.is_some()),
            ("--context", self.context.is_some()),
            ("--idempotency", !self.idempotency.is_empty()),
            ("--grant", !self.grant.is_empty()),
            ("--deny", !self.deny.is_empty()),
        ];
        given.iter().find_map(|(name, is_given)| is_given.then_some(*name))
    }

    pub(super) fn setup(self, input: JsonText, answers: Vec<RecordedAnswer>) -> anyhow::Result<Setup> {
        let (attempt, max_attempts) = attempts(self.attempt, self.max_attempts).map_err(BadInput)?;
        let object = |text: String| values(&read_json("context", &text)?).map_err(anyhow::Error::from);
        let resumed = self.resumed_with.map(|text| read_json("value for --resumed-with", &text));
        let trial = Trial {
            attempt,
            max_attempts,
            checkpoint: pairs("checkpoint", &self.checkpoint)?,
            resumed_with: resumed.transpose()?,
            directive: self.directive.map_or(Directive::Proceed, Directive::from),
            context: self.context.map(object).transpose()?,
            idempotency: pairs("idempotency", &self.idempotency)?,
            ..Trial::new(input)
        };
        let config = self.config.iter().map(|text| pair("config", text));
        let config = config.map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let config = config.collect::<Result<_, _>>()?;
        Ok(Setup { trial, config, grants: self.grant, denied: self.deny, answers })
    }
}

/// Which attempt of how many.
pub(super) fn attempts(attempt: Option<NonZeroU32>, max: Option<NonZeroU32>) -> Result<(u32, u32), String> {
    let attempt = attempt.map_or(1, NonZeroU32::get);
    let max = max.map_or(attempt.max(MAX_ATTEMPTS_DEFAULT), NonZeroU32::get);
    if attempt > max {
        return Err(format!("attempt {attempt} is beyond the {max} that the job has in all (max-attempts)"));
    }
    Ok((attempt, max))
}

fn values(object: &JsonText) -> Result<Values, BadInput> {
    serde_json::from_str(object.as_str())
        .map_err(|_| BadInput("the context is no JSON object of keys and values".into()))
}

fn pair<'a>(what: &str, text: &'a str) -> Result<(&'a str, &'a str), BadInput> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| BadInput(format!("--{what} {text:?}: write KEY=VALUE")))
}

fn pairs(what: &str, texts: &[String]) -> anyhow::Result<Values> {
    let one = |text: &String| {
        let (key, value) = pair(what, text)?;
        let named = format!("{what} {key:?}, which is JSON such as 5 or '\"text\"',");
        Ok((key.to_owned(), read_json(&named, value)?))
    };
    texts.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_as_many_attempts_as_it_takes() {
        let of = |attempt, max| attempts(NonZeroU32::new(attempt), NonZeroU32::new(max));
        assert_eq!(of(0, 0), Ok((1, 3)));
        assert_eq!(of(7, 0), Ok((7, 7)));
        assert_eq!(of(2, 2), Ok((2, 2)));
        assert!(of(3, 2).unwrap_err().contains("max-attempts"));
    }
}
