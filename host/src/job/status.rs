use std::fmt;
use std::str::FromStr;

/// Where a job is in its life. Stored as text, in FlowMonkey's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waits to be claimed. Left through a claim by a runner, or a cancel.
    Pending,
    /// Leased to an attempt. Left when its runner records the outcome, by a cancel, or by the
    /// reaper once the heartbeat is too old.
    Running,
    /// Ended well. Never left.
    Completed,
    /// Ended badly. Left only when an operator retries it.
    Failed,
    /// Called off. Left only when an operator retries it.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a job's life.
    pub const ALL: [Status; 5] =
        [Status::Pending, Status::Running, Status::Completed, Status::Failed, Status::Cancelled];

    /// The stored text.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    /// Whether no runner will touch the job again by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            format!("`{text}` is no job status; use pending, running, completed, failed or cancelled")
        })
    }
}
