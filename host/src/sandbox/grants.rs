/// What the operator lets a handler reach beyond its own job. Nothing, until he says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grants {
    /// The context of the workflow execution that the job belongs to.
    pub context: bool,
}
