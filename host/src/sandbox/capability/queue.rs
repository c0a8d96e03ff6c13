use super::{denied, limited};
use crate::job::{INPUT_BYTES_MAX, MAX_ATTEMPTS_DEFAULT, NewJob, Start, Unique, check_name};
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::queue::{Host, Request, Start as Asked};
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;
use crate::sandbox::grants::Grants;
use std::time::Duration;

/// The job that a guest asks for, if it may and if it makes sense. The name is checked before it is looked
/// up, so that no answer repeats a name that is none.
fn checked(request: Request, grants: &Grants) -> Result<NewJob, HostError> {
    if grants.queue.is_empty() {
        return Err(denied("queue"));
    }
    let invalid = |error: crate::job::InvalidJob| HostError::Invalid(error.to_string());
    check_name("handler", &request.handler).map_err(invalid)?;
    if !grants.queue.contains(&request.handler) {
        let why = format!("this handler has no grant `queue` for the handler {:?}", request.handler);
        return Err(HostError::Denied(why));
    }
    let job = NewJob {
        start: match request.start {
            None => Start::Now,
            Some(Asked::After(ms)) => Start::After(Duration::from_millis(ms)),
            Some(Asked::At(at)) => Start::At(i64::try_from(at).unwrap_or(i64::MAX)),
        },
        priority: request.priority.map_or(0, i16::from),
        max_attempts: request.max_attempts.unwrap_or(MAX_ATTEMPTS_DEFAULT),
        unique: request.unique_key.map(Unique::active),
        ..NewJob::new(request.handler, limited("input", &request.input, INPUT_BYTES_MAX)?)
    };
    job.check().map_err(invalid)?;
    Ok(job)
}

impl Host for AttemptState {
    async fn enqueue(&mut self, request: Request) -> wasmtime::Result<Result<String, HostError>> {
        let enqueue = async {
            self.without_secret(&request.input)?;
            self.without_secret(request.unique_key.as_deref().unwrap_or_default())?;
            let job = checked(request, &self.grants)?;
            self.enqueue_call()?;
            let id = self.host.enqueue(job, self.limits.queue_pending_max).await;
            self.enqueued(&id);
            Ok(id?)
        };
        Ok(enqueue.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            handler: "digest-send".into(),
            input: "{\"n\": 1}".into(),
            start: None,
            priority: None,
            max_attempts: None,
            unique_key: None,
        }
    }

    fn grants() -> Grants {
        Grants { queue: ["digest-send".to_owned(), String::new()].into(), ..Grants::default() }
    }

    #[test]
    fn a_request_becomes_the_job_it_describes() {
        let job = checked(request(), &grants()).unwrap();
        assert_eq!((job.handler.as_str(), job.input.as_str()), ("digest-send", "{\"n\": 1}"));
        assert_eq!((job.start, job.priority, job.max_attempts, job.unique), (Start::Now, 0, 3, None));
        let full = Request {
            start: Some(Asked::After(1500)),
            priority: Some(9),
            max_attempts: Some(1000),
            unique_key: Some("k".into()),
            ..request()
        };
        let job = checked(full, &grants()).unwrap();
        assert_eq!((job.start, job.priority), (Start::After(Duration::from_millis(1500)), 9));
        assert_eq!((job.max_attempts, job.unique), (1000, Some(Unique::active("k"))));
        let at = Request { start: Some(Asked::At(1_800_000_000_000)), ..request() };
        assert_eq!(checked(at, &grants()).unwrap().start, Start::At(1_800_000_000_000));
    }

    #[test]
    fn only_named_handlers_may_be_enqueued() {
        let refusal = |request, grants: &Grants| match checked(request, grants) {
            Err(HostError::Denied(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(request(), &Grants::default()), "this handler has no grant `queue`");
        let other = Request { handler: "digest-send2".into(), ..request() };
        let expected = "this handler has no grant `queue` for the handler \"digest-send2\"";
        assert_eq!(refusal(other, &grants()), expected);
    }

    #[test]
    fn what_makes_no_sense_is_invalid() {
        let bad = [
            Request { handler: String::new(), ..request() },
            Request { handler: "x".repeat(129), ..request() },
            Request { handler: "a\nb".into(), ..request() },
            Request { input: "{".into(), ..request() },
            Request { input: "\"\\u0000\"".into(), ..request() },
            Request { priority: Some(10), ..request() },
            Request { max_attempts: Some(0), ..request() },
            Request { max_attempts: Some(1001), ..request() },
            Request { unique_key: Some(String::new()), ..request() },
            Request { unique_key: Some("k".repeat(257)), ..request() },
            Request { start: Some(Asked::After(u64::MAX)), ..request() },
            Request { start: Some(Asked::At(u64::MAX)), ..request() },
            Request { start: Some(Asked::At(1_800_000_000_000_000)), ..request() },
        ];
        for request in bad {
            let what = format!("{request:?}");
            assert!(matches!(checked(request, &grants()), Err(HostError::Invalid(_))), "{what}");
        }
        let large = |bytes: usize| Request { input: "1".repeat(300) + &" ".repeat(bytes - 300), ..request() };
        assert!(checked(large(INPUT_BYTES_MAX), &grants()).is_ok());
        let refused = checked(large(INPUT_BYTES_MAX + 1), &grants());
        assert!(matches!(refused, Err(HostError::LimitExceeded(_))), "{refused:?}");
    }
}
