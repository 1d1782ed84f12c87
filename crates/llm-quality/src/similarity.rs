//! The one question this crate cannot answer alone: does the answer speak of what was asked?

/// Compares a question with its answer, by embeddings or by whatever the caller has.
///
/// Called last, and only if nothing bad was found before. It should be cheap or cached: it runs on the caller's thread.
///
/// ```
/// use llm_quality::Similarity;
///
/// /// Shares one long word, or does not.
/// struct SharedWord;
///
/// impl Similarity for SharedWord {
///     fn similarity(&self, question: &str, answer: &str) -> Option<f32> {
///         let found = question.split(' ').any(|word| word.len() > 5 && answer.contains(word));
///         Some(if found { 1.0 } else { 0.0 })
///     }
/// }
/// ```
pub trait Similarity: Send + Sync {
    /// Returns 0 (nothing in common) to 1 (the same), or `None` where it cannot say. NaN counts as `None`.
    fn similarity(&self, question: &str, answer: &str) -> Option<f32>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn takes(_: Option<&dyn Similarity>) {}
        takes(None);
    }
}
