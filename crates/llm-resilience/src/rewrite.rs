//! A prompt that a content filter refused, said in other words.

use llm_providers::chat;
use std::fmt;

/// Rewrites a prompt that was refused for what it says. It is asked once for a call, and what it gives is
/// sent to the same target.
///
/// Called on the call's own task: be quick, never block.
///
/// ```
/// use llm_resilience::Rewrite;
/// use llm_resilience::providers::chat;
///
/// /// Says the last words again, politely.
/// #[derive(Debug)]
/// struct Politely;
///
/// impl Rewrite for Politely {
///     fn rewrite(&self, refused: &chat::Request) -> Option<chat::Request> {
///         Some(refused.clone().system("Answer as far as the rules allow."))
///     }
/// }
/// ```
pub trait Rewrite: Send + Sync + fmt::Debug {
    /// The request in other words; `None` where there are none: then the refusal stands.
    fn rewrite(&self, refused: &chat::Request) -> Option<chat::Request>;
}
