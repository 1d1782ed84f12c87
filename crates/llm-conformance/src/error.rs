//! What keeps the suite from running at all.

/// The suite could not be run. What an adapter does wrong is no error but a [`Finding`](crate::Finding).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// A data file is malformed.
    #[error("the conversation `{name}` is malformed")]
    Conversation {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The simulated provider refused a conversation's script, or did not start.
    #[error("the simulated provider: {0}")]
    Stage(String),
}
