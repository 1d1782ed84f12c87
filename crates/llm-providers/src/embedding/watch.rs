//! Looks at an answer without keeping its vectors.

use super::scan::Asked;
use crate::chat::FinishReason;
use crate::stream::{Facts, Glance, is_filled, parse, text_of};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    data: Vec<Item>,
    usage: Option<UsageWire>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    embedding: Length,
}

/// Tokens, as providers count them.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
pub(super) struct UsageWire {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl UsageWire {
    pub(super) fn input_tokens(self) -> u64 {
        self.prompt_tokens.or(self.total_tokens).unwrap_or(0)
    }
}

/// How many numbers a vector has.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Vector;
        impl<'de> Visitor<'de> for Vector {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers, or their bytes in base64")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Length, A::Error> {
                let mut count = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Length(count))
            }

            /// Four characters stand for three bytes, four bytes for a number.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
                let bytes = text.trim_end_matches('=').len() * 3 / 4;
                Ok(Length(bytes / size_of::<f32>()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Length, E> {
                Ok(Length(0))
            }
        }
        deserializer.deserialize_any(Vector)
    }
}

/// Looks at a whole answer. `Glance::Life` is one that does not hold what was asked for.
pub(crate) fn glance(body: &[u8], asked: Asked, facts: &mut Facts) -> Glance {
    let body: Body<'_> = match parse(body) {
        Ok(body) => body,
        Err(glance) => return glance,
    };
    if is_filled(body.error) {
        return Glance::Error;
    }
    facts.note_model(body.model.and_then(text_of).as_deref());
    if let Some(usage) = body.usage {
        facts.usage.input_tokens = usage.input_tokens();
    }
    let fits = |item: &Item| asked.fits(item.embedding.0);
    if body.data.len() == asked.vectors && body.data.iter().all(fits) {
        facts.finish = Some(FinishReason::Stop);
        Glance::Content
    } else {
        Glance::Life
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn look(data: &Value, vectors: usize, dimensions: Option<u32>) -> (Glance, Facts) {
        let mut facts = Facts::default();
        let body = json!({"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}});
        let asked = Asked {
            vectors,
            dimensions,
            is_base64: false,
        };
        (
            glance(body.to_string().as_bytes(), asked, &mut facts),
            facts,
        )
    }

    #[test]
    fn an_answer_has_a_vector_for_every_input_and_of_the_length_asked_for() {
        let one = json!({"object": "embedding", "index": 0, "embedding": [0.5, -1.0, 0.0]});
        // 1.0, 2.0 and 3.0 in little-endian bytes.
        let coded = json!({"index": 1, "embedding": "AACAPwAAAEAAAEBA"});
        let both = json!([one, coded]);
        let (seen, facts) = look(&both, 2, Some(3));
        assert_eq!(seen, Glance::Content);
        assert_eq!(facts.usage.input_tokens, 5);
        assert_eq!(facts.model.as_deref(), Some("m"));
        assert_eq!(look(&both, 2, None).0, Glance::Content);
        assert_eq!(look(&both, 3, None).0, Glance::Life, "one is missing");
        assert_eq!(look(&both, 1, None).0, Glance::Life, "one too many");
        assert_eq!(
            look(&both, 2, Some(2)).0,
            Glance::Life,
            "not the length asked for"
        );
        assert_eq!(look(&json!([{"embedding": []}]), 1, None).0, Glance::Life);
        assert_eq!(look(&json!([{"embedding": null}]), 1, None).0, Glance::Life);
    }
}
