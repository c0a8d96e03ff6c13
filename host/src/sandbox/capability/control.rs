use crate::job::Progress;
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::control::Host;
use crate::sandbox::bindings::flowmonkey::jobs::types::Directive as Told;
use crate::sandbox::control::Directive;
use wasmtime::Result;

/// A longer message is cut: it is shown on one line.
const MESSAGE_CHARS_MAX: usize = 200;

impl Host for AttemptState {
    async fn heartbeat(&mut self) -> Result<Told> {
        Ok(told(self.control.heartbeat()))
    }

    async fn cancelled(&mut self) -> Result<bool> {
        Ok(self.control.directive() == Directive::Cancel)
    }

    async fn progress(&mut self, percent: f32, message: Option<String>) -> Result<Told> {
        self.control.beat();
        // NaN, which `clamp` would pass on, cannot be stored as JSON.
        let percent = if percent.is_nan() { 0.0 } else { percent.clamp(0.0, 100.0) };
        let message = message.map(|text| {
            self.config.hide(&text).chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
        });
        self.host.progress(Progress { percent, message });
        Ok(told(self.control.directive()))
    }
}

fn told(directive: Directive) -> Told {
    match directive {
        Directive::Proceed => Told::Proceed,
        Directive::Drain => Told::Drain,
        Directive::Cancel => Told::Cancel,
    }
}
