//! `flowmonkey test`: one attempt without a store, or the cases of `handler.test.toml`.

mod answers;
mod cases;
mod expect;
mod grant;
mod json;
mod setup;
mod show;
mod subject;
mod view;

use super::enqueue::read_json;
use super::{BadInput, Exit};
use crate::config::RawSettings;
use cases::Case;
use expect::Ending;
use flowmonkey_jobs::sandbox::Beyond;
use setup::AttemptArgs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use subject::Subject;

/// The input of a handler's folder where neither flags nor cases say another.
const INPUT_FILE: &str = "input.json";
const NOTHING_GOES_OUT: &str = "`flowmonkey test` sends nothing; write an [[answer]], or pass --network";

#[derive(Debug, clap::Args)]
pub(super) struct TestArgs {
    /// A folder with handler.toml and a component, or a NAME.wasm
    #[arg(value_name = "FOLDER|FILE", default_value = ".")]
    handler: PathBuf,
    /// Run one attempt with this input: JSON, @FILE, or - for standard input [default: the cases of
    /// handler.test.toml; without them, one attempt with input.json, or with null]
    #[arg(long, short, value_name = "JSON|@FILE|-")]
    input: Option<String>,
    /// Of the cases, run the one of this name; may be repeated
    #[arg(long = "case", value_name = "NAME", conflicts_with = "input")]
    cases: Vec<String>,
    /// Recorded answers to HTTP requests, beneath those of handler.test.toml
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Let requests go out that no recorded answer fits, as the grants allow
    #[arg(long)]
    network: bool,
    /// Certificates in PEM form that requests trust beside the public authorities'
    #[arg(long, value_name = "FILE", env = "FLOWMONKEY_HTTP_CA_FILE")]
    http_ca_file: Option<PathBuf>,
    /// Where machine code of handlers is kept for the next start [default: flowmonkey in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "FLOWMONKEY_CACHE_FOLDER")]
    cache_folder: Option<PathBuf>,
    #[command(flatten)]
    attempt: AttemptArgs,
}

pub(super) async fn test(args: TestArgs, json: bool) -> anyhow::Result<Exit> {
    let file = args.handler.join(cases::FILE_NAME);
    let has_cases = file.is_file();
    if has_cases && args.input.is_none() {
        if let Some(flag) = args.attempt.first() {
            let message = format!(
                "{flag} is for one attempt, and there are the cases of {}: add --input",
                file.display()
            );
            return Err(BadInput(message).into());
        }
        return suite(args, json).await;
    }
    if !args.cases.is_empty() {
        return Err(BadInput(format!("there is no {}, which would hold the cases", file.display())).into());
    }
    one(args, json).await
}

impl TestArgs {
    fn subject(&self) -> anyhow::Result<Subject> {
        let settings = RawSettings {
            max_concurrent: Some(NonZeroU32::MIN),
            cache_folder: self.cache_folder.clone(),
            http_ca_file: self.http_ca_file.clone(),
            ..RawSettings::default()
        };
        Subject::load(&self.handler, settings)
    }

    fn beyond(&self) -> Beyond {
        if self.network { Beyond::Network } else { Beyond::Failure(NOTHING_GOES_OUT.into()) }
    }
}

/// One attempt, shown whole.
async fn one(args: TestArgs, json: bool) -> anyhow::Result<Exit> {
    let file = args.handler.join(INPUT_FILE);
    let source = match &args.input {
        Some(source) => source.clone(),
        None if file.is_file() => format!("@{}", file.display()),
        None => "null".into(),
    };
    let input = read_json("input", &source)?;
    let answers = args.answers.as_deref().map(answers::read).transpose()?.unwrap_or_default();
    let (beyond, mut subject) = (args.beyond(), args.subject()?);
    let setup = args.attempt.setup(input.clone(), answers)?;
    let tried = subject.run(setup, &beyond).await?;
    if json {
        super::view::print(&view::TrialView::of(&tried))?;
    } else {
        say!("{}", show::whole(&tried, &input));
    }
    Ok(if Ending::of(&tried.report.outcome).is_failure() { Exit::Failed } else { Exit::Done })
}

/// The cases, a line each as it ends, and what went otherwise.
async fn suite(args: TestArgs, json: bool) -> anyhow::Result<Exit> {
    let beneath = args.answers.as_deref().map(answers::read).transpose()?.unwrap_or_default();
    let cases = cases::read(&args.handler, &beneath).map_err(BadInput)?;
    let cases = chosen(cases, &args.cases)?;
    let (beyond, mut subject) = (args.beyond(), args.subject()?);
    let mut ended = Vec::new();
    for case in cases {
        let tried = subject.run(case.setup.clone(), &beyond).await;
        let tried = tried.map_err(|why| match why.downcast::<BadInput>() {
            Ok(BadInput(why)) => BadInput(format!("case {:?}: {why}", case.name)).into(),
            Err(other) => other,
        })?;
        let misses = case.expect.misses(&tried.report);
        let one = Ended { name: case.name, tried, misses };
        if !json && ended.is_empty() {
            say!("{}", show::header());
        }
        if !json {
            say!("{}", show::case(&one));
        }
        ended.push(one);
    }
    let failed = ended.iter().filter(|one| !one.is_ok()).count();
    if json {
        super::view::print(&view::SuiteView::of(&ended))?;
    } else {
        ended.iter().filter(|one| !one.is_ok()).for_each(|one| say!("\n{}", show::failed(one)));
        say!("\n{} passed, {failed} failed", ended.len() - failed);
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// A case that was run, and what came otherwise than it said.
struct Ended {
    name: String,
    tried: subject::Tried,
    misses: Vec<expect::Miss>,
}

impl Ended {
    fn is_ok(&self) -> bool {
        self.misses.is_empty()
    }
}

/// The cases of these names in the file's order; all, where none is named.
fn chosen(cases: Vec<Case>, names: &[String]) -> Result<Vec<Case>, BadInput> {
    if let Some(unknown) = names.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        let known: Vec<String> = cases.iter().map(|case| format!("{:?}", case.name)).collect();
        return Err(BadInput(format!("there is no case {unknown:?}; there are {}", known.join(", "))));
    }
    Ok(cases.into_iter().filter(|case| names.is_empty() || names.contains(&case.name)).collect())
}
