use super::{Handler, Schemas};
use crate::job::{ErrorCode, JobError, JsonText, Outcome, Report};

/// A schema looks at so many bytes in less time than another thread takes to begin.
const CHECKED_AT_ONCE_MAX: usize = 4096;

/// What goes into an attempt and what comes out of it, by the handler's schemas.
impl Handler {
    /// Why an attempt with this input need not begin: `INVALID_INPUT`.
    pub async fn input_error(&self, input: &JsonText) -> Option<JobError> {
        if !self.schemas.has_input() {
            return None;
        }
        misfit(&self.schemas, input.clone(), Schemas::input_error).await
    }

    /// What an attempt came to: a result that does not fit is `INVALID_OUTPUT`, where the handler's settings have
    /// results checked.
    pub async fn judged(&self, report: Report) -> Report {
        let Outcome::Success(result) = &report.outcome else { return report };
        if !self.settings.validate_output || !self.schemas.has_output() {
            return report;
        }
        let result = result.clone().unwrap_or_else(JsonText::null);
        match misfit(&self.schemas, result, Schemas::output_error).await {
            Some(error) => Report { outcome: Outcome::Retryable { error, after: None }, ..report },
            None => report,
        }
    }
}

/// What a schema has against a text. Large texts are looked at where they hold up nobody.
async fn misfit(
    schemas: &Schemas,
    text: JsonText,
    check: fn(&Schemas, &JsonText) -> Option<JobError>,
) -> Option<JobError> {
    if text.as_str().len() <= CHECKED_AT_ONCE_MAX {
        return check(schemas, &text);
    }
    let schemas = schemas.clone();
    let checked = tokio::task::spawn_blocking(move || check(&schemas, &text)).await;
    let bug =
        |error| JobError::host(ErrorCode::Trap, format!("the check itself failed, which is a bug: {error}"));
    checked.unwrap_or_else(|error| Some(bug(error)))
}
