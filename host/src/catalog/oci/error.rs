use super::reference::OciReference;

/// Why an artifact was neither published nor fetched. Holds no credentials.
#[derive(Debug, thiserror::Error)]
#[error("{reference}: {problem}")]
pub struct OciError {
    /// The artifact.
    pub reference: OciReference,
    /// What is wrong.
    pub problem: OciProblem,
}

/// What can be wrong with an artifact, its registry, or the way there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OciProblem {
    /// The registry wants a login, and there is none.
    #[error("the registry wants a login, and the Docker configuration has none; `docker login {registry}`")]
    LoginMissing {
        /// As `docker login` calls it.
        registry: String,
    },
    /// The registry does not take the login it was given.
    #[error(
        "the registry refuses the login in the Docker configuration; `docker login {registry}` again, or ask \
         its owner for the right to {wish}"
    )]
    LoginRefused {
        /// As `docker login` calls it.
        registry: String,
        /// `pull`, or `push`.
        wish: &'static str,
    },
    /// The login cannot be looked up.
    #[error("the Docker configuration gives no login: {0}")]
    Credentials(String),
    /// It is not there, or is not shown to whoever asks.
    #[error("there is no such artifact: {0}")]
    NotFound(String),
    /// It is there, and is no handler.
    #[error("this is no handler but {0}; a handler is one layer `application/wasm` and its configuration")]
    NotHandler(String),
    /// What came is not what was asked for.
    #[error("{what} is not what its digest says: {expected} was asked for, {found} came")]
    WrongDigest {
        /// `the manifest`, or `the component`.
        what: &'static str,
        /// As the reference or the manifest has it.
        expected: String,
        /// Of the bytes that came.
        found: String,
    },
    /// It is over a limit.
    #[error("{what} has {bytes} bytes, over the limit of {max}")]
    TooLarge {
        /// Which part.
        what: String,
        /// As it is, or as it is announced.
        bytes: u64,
        /// The most it may have.
        max: u64,
    },
    /// What is to be published cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The registry cannot be reached, is too slow, or has trouble of its own: the same may work later.
    #[error("the registry is not available: {0}")]
    Unavailable(String),
    /// It answers what no registry should: it is none, or means no good.
    #[error("the registry answers against the rules: {0}")]
    Protocol(String),
}

/// A text of somebody else's: one short line, nothing in it that a terminal obeys.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let short: String = text.chars().take(CHARS_MAX).collect();
    let mark = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{mark}`", short.escape_debug())
}
