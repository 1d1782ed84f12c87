//! One pass over a request for embeddings that copies nothing.

use crate::call::BadRequest;
use crate::splice::span_of;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

/// What a request for embeddings says.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) model: Box<str>,
    pub(crate) model_span: Range<usize>,
    pub(crate) asked: Asked,
    pub(crate) estimated_input_tokens: u32,
}

/// What the answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// How many vectors.
    pub(crate) vectors: usize,
    /// Of what length, where the caller said so.
    pub(crate) dimensions: Option<u32>,
    /// Whether their bytes are written, in base64, in place of their numbers.
    pub(crate) is_base64: bool,
}

impl Asked {
    /// Whether a vector of so many numbers is one of those.
    pub(crate) fn fits(self, length: usize) -> bool {
        match self.dimensions {
            Some(dimensions) => usize::try_from(dimensions).is_ok_and(|wished| length == wished),
            None => length > 0,
        }
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    input: Option<Input>,
    #[serde(borrow)]
    dimensions: Option<&'a RawValue>,
    #[serde(borrow)]
    encoding_format: Option<&'a RawValue>,
}

/// Reads `body`. Whether the provider takes so many inputs, or such, is its own judgement.
pub(crate) fn scan(body: &[u8]) -> Result<Scan, BadRequest> {
    let parsed: Body<'_> =
        serde_json::from_slice(body).map_err(|error| BadRequest::from_json(&error))?;
    let raw = parsed.model.ok_or_else(|| BadRequest::missing("model"))?;
    let model: String = serde_json::from_str(raw.get())
        .map_err(|_| BadRequest::invalid("model", "must be a string"))?;
    if model.is_empty() {
        return Err(BadRequest::invalid("model", "must not be empty"));
    }
    let model_span = span_of(body, raw.get().as_bytes())
        .ok_or_else(|| BadRequest::invalid("model", "must be a string"))?;
    let input = parsed.input.ok_or_else(|| BadRequest::missing("input"))?;
    if input.vectors == 0 {
        return Err(BadRequest::invalid("input", "must not be empty"));
    }
    let dimensions = match parsed.dimensions.map(RawValue::get) {
        None | Some("null") => None,
        Some(number) => Some(number.parse().map_err(|_| {
            BadRequest::invalid("dimensions", "must be a whole number, not negative")
        })?),
    };
    let tokens = input.text_bytes.div_ceil(4).saturating_add(input.tokens);
    Ok(Scan {
        model: model.into(),
        model_span,
        asked: Asked {
            vectors: input.vectors,
            dimensions,
            is_base64: parsed.encoding_format.map(RawValue::get) == Some("\"base64\""),
        },
        estimated_input_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
    })
}

/// The inputs, added up: one text, one list of tokens, or a list of either.
#[derive(Default)]
struct Input {
    vectors: usize,
    text_bytes: u64,
    tokens: u64,
}

/// One element of a list.
enum Element {
    Text(u64),
    Tokens(u64),
    Token,
    Other,
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inputs;
        impl<'de> Visitor<'de> for Inputs {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, tokens, or a list of either")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Input, E> {
                Ok(Input {
                    vectors: usize::from(!text.is_empty()),
                    text_bytes: text.len() as u64,
                    tokens: 0,
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
                let mut sum = Input::default();
                let mut single = 0;
                while let Some(element) = seq.next_element::<Element>()? {
                    match element {
                        Element::Text(bytes) => {
                            sum.vectors += 1;
                            sum.text_bytes += bytes;
                        }
                        Element::Tokens(tokens) => {
                            sum.vectors += 1;
                            sum.tokens += tokens;
                        }
                        Element::Token => single += 1,
                        // Some servers take pictures and the like.
                        Element::Other => sum.vectors += 1,
                    }
                }
                // Numbers alone are the tokens of one text.
                sum.vectors += usize::from(single > 0);
                sum.tokens += single;
                Ok(sum)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Input, E> {
                Ok(Input::default())
            }
        }
        deserializer.deserialize_any(Inputs)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a token or a list of tokens")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Element, E> {
                Ok(Element::Text(text.len() as u64))
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Element, E> {
                Ok(Element::Token)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element, A::Error> {
                let mut tokens = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    tokens += 1;
                }
                Ok(Element::Tokens(tokens))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Element::Other)
            }
        }
        deserializer.deserialize_any(One)
    }
}
