use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::job::Host;
use wasmtime::Result;

impl Host for AttemptState {
    async fn id(&mut self) -> Result<String> {
        Ok(self.facts.id.clone())
    }

    async fn handler(&mut self) -> Result<String> {
        Ok(self.facts.handler.clone())
    }

    async fn execution_id(&mut self) -> Result<Option<String>> {
        Ok(self.facts.execution_id.clone())
    }

    async fn step_id(&mut self) -> Result<Option<String>> {
        Ok(self.facts.step_id.clone())
    }

    /// The job's id serves: it is the same in every attempt and no other job has it.
    async fn idempotency_key(&mut self) -> Result<String> {
        Ok(self.facts.id.clone())
    }

    async fn attempt(&mut self) -> Result<u32> {
        Ok(self.facts.attempt)
    }

    async fn max_attempts(&mut self) -> Result<u32> {
        Ok(self.facts.max_attempts)
    }

    async fn resumed_with(&mut self) -> Result<Option<String>> {
        Ok(self.facts.resumed_with.as_ref().map(ToString::to_string))
    }

    async fn deadline_ms(&mut self) -> Result<Option<u64>> {
        Ok(self.facts.deadline_ms)
    }

    async fn trace_parent(&mut self) -> Result<Option<String>> {
        Ok(self.facts.trace_parent.clone())
    }
}
