//! Names of answers and items that did not come from this wire's provider.
//!
//! OpenAI looks for the reasoning items it is sent among those it made, by their names, and refuses the whole request
//! where it finds none. So what another provider said is given names that tell, and when the caller sends the
//! conversation back to a target of this wire, reasoning under such a name is left out.
//!
//! OpenAI wants the names of items to begin with their kind and to be at most 64 characters long.

use crate::codec::fnv;
use crate::splice::{cuts, span_of};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::ops::Range;

/// Stands after the kind in every name that is made here.
const MARK: &str = "llmr_";
/// How the name of a reasoning item made here begins, as JSON.
const REASONING: &[u8] = b"\"rs_llmr_";

/// Makes the names of one answer and its items.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Names {
    seed: u64,
}

impl Names {
    /// The names of the answer that its provider calls `id`.
    pub(super) fn of(id: &str, model: &str, created: u64) -> Self {
        let bytes = id
            .bytes()
            .chain([0])
            .chain(model.bytes())
            .chain(created.to_le_bytes());
        Self { seed: fnv(bytes) }
    }

    /// The answer's name. One that came from this wire keeps its own, by which OpenAI knows it.
    pub(super) fn response(self, id: &str) -> String {
        if id.starts_with("resp_") {
            id.to_owned()
        } else {
            format!("resp_{MARK}{:016x}", self.seed)
        }
    }

    /// The name of the item at `index`, of the kind that `prefix` stands for: `msg`, `fc`, `rs`.
    pub(super) fn item(self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{MARK}{:016x}_{index}", self.seed)
    }
}

/// True for the name of an answer that was made here: OpenAI does not know it.
pub(crate) fn is_foreign_response(id: &str) -> bool {
    id.strip_prefix("resp_")
        .is_some_and(|rest| rest.starts_with(MARK))
}

/// True for the name of a reasoning item that was made here.
pub(super) fn is_foreign_reasoning(id: &str) -> bool {
    id.strip_prefix("rs_")
        .is_some_and(|rest| rest.starts_with(MARK))
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    input: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// Where reasoning items made here stand in a request's body, each with one comma that must go with it. Usually
/// there are none, and the body is only searched for the mark.
pub(crate) fn foreign_items(body: &[u8]) -> Vec<Range<usize>> {
    if memchr::memmem::find(body, REASONING).is_none() {
        return Vec::new();
    }
    let Ok(Body { input: Some(items) }) = serde_json::from_slice::<Body<'_>>(body) else {
        return Vec::new();
    };
    let spans: Vec<_> = items
        .iter()
        .filter_map(|raw| {
            let span = span_of(body, raw.get().as_bytes())?;
            let item: Item<'_> = serde_json::from_str(raw.get()).ok()?;
            let foreign = item
                .id
                .is_some_and(|id| id.get().as_bytes().starts_with(REASONING));
            Some((span, foreign))
        })
        .collect();
    cuts(&spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn names_are_short_and_tell_whose_they_are() {
        let names = Names::of("chatcmpl-1", "m", 7);
        let response = names.response("chatcmpl-1");
        assert!(is_foreign_response(&response), "{response}");
        assert_eq!(names.response("resp_abc"), "resp_abc");
        assert!(!is_foreign_response("resp_abc"));
        let reasoning = names.item("rs", 3);
        assert!(is_foreign_reasoning(&reasoning) && reasoning.len() <= 64);
        assert!(!is_foreign_reasoning("rs_0123"));
        assert_ne!(
            Names::of("a", "m", 0).item("fc", 0),
            Names::of("b", "m", 0).item("fc", 0)
        );
    }

    fn without(body: &str) -> Value {
        let mut left = body.as_bytes().to_vec();
        for cut in foreign_items(body.as_bytes()).into_iter().rev() {
            left.drain(cut);
        }
        serde_json::from_slice(&left).unwrap()
    }

    #[test]
    fn a_text_that_speaks_of_the_mark_is_no_item() {
        let body = json!({"input": [{"role": "user", "content": "\"rs_llmr_1"}]}).to_string();
        assert!(foreign_items(body.as_bytes()).is_empty());
        assert!(foreign_items(br#"{"input":"rs_llmr_"}"#).is_empty());
    }

    proptest! {
        /// Whatever stands beside them, the foreign items go, the others stay in order, and the rest is JSON.
        #[test]
        fn only_foreign_items_are_cut(foreign in prop::collection::vec(any::<bool>(), 0..8), space in "[ \n]{0,2}") {
            let items: Vec<Value> = foreign
                .iter()
                .enumerate()
                .map(|(at, foreign)| {
                    let id = if *foreign { format!("rs_llmr_{at}") } else { format!("rs_{at}") };
                    json!({"type": "reasoning", "id": id, "summary": []})
                })
                .collect();
            let texts: Vec<_> = items.iter().map(Value::to_string).collect();
            let body = format!(
                "{{\"input\":[{space}{}{space}],\"model\":\"m\"}}",
                texts.join(&format!("{space},{space}")),
            );
            let kept: Vec<_> = items
                .iter()
                .zip(&foreign)
                .filter(|(_, foreign)| !**foreign)
                .map(|(item, _)| item.clone())
                .collect();
            prop_assert_eq!(without(&body), json!({"input": kept, "model": "m"}));
        }
    }
}
