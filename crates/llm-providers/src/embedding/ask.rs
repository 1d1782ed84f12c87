//! A caller's request for embeddings, for wires that say it in their own way.

use crate::call::BadRequest;
use crate::codec::{Fields, Unsayable, field_name};
use serde_json::Value;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// One vector each; never empty.
    pub(crate) texts: Vec<String>,
    pub(crate) dimensions: Option<u32>,
    pub(crate) input_type: Option<InputType>,
    /// Fields that no other wire has a place for.
    pub(crate) dropped: Vec<&'static str>,
}

/// What the texts are for: some models embed a question and what answers it in two ways, into one space. OpenAI's wire has
/// no field for it; callers add one, called as at Cohere, whose four values these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputType {
    SearchDocument,
    SearchQuery,
    Classification,
    Clustering,
}

impl InputType {
    const ALL: [(&'static str, Self); 4] = [
        ("search_document", Self::SearchDocument),
        ("search_query", Self::SearchQuery),
        ("classification", Self::Classification),
        ("clustering", Self::Clustering),
    ];

    fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name)?;
        Some(found.1)
    }
}

impl Ask {
    /// Reads a body in OpenAI's form, of which [`scan`](super::scan) has found that it has inputs.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Unsayable> {
        let mut fields = Fields::from_slice(body)?;
        fields.take("model");
        // How the answer is written is this side's affair.
        fields.take("encoding_format");
        let texts = match fields.take("input") {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(inputs)) => {
                inputs.into_iter().map(text_of).collect::<Result<_, _>>()?
            }
            _ => return Err(BadRequest::missing("input").into()),
        };
        let dimensions = fields.count("dimensions")?;
        let input_type = match fields.text("input_type")? {
            None => None,
            Some(name) => Some(InputType::from_name(&name).ok_or_else(|| {
                BadRequest::invalid(
                    "input_type",
                    "must be search_document, search_query, classification or clustering",
                )
            })?),
        };
        let user = fields.take("user").map(|_| "user");
        let dropped = fields.0.keys().map(|key| field_name(key)).chain(user);
        Ok(Self {
            texts,
            dimensions,
            input_type,
            dropped: dropped.collect(),
        })
    }

    pub(crate) fn take_texts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.texts)
    }

    /// What is sent for `dimensions` to a model whose vectors have `own` numbers and no other length: nothing, where that is
    /// what is asked for.
    pub(crate) fn fixed_dimensions(&self, own: u32) -> Result<(), Unsayable> {
        match self.dimensions {
            Some(asked) if asked != own => Err(Unsayable::Missing(vec!["dimensions"])),
            _ => Ok(()),
        }
    }
}

/// Tokens are numbers in OpenAI's vocabulary, and mean nothing elsewhere.
fn text_of(input: Value) -> Result<String, Unsayable> {
    match input {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => Err(Unsayable::Missing(vec!["input.tokens"])),
        _ => Err(Unsayable::Missing(vec!["input.parts"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Ask, Unsayable> {
        Ask::read(body.as_bytes())
    }

    #[test]
    fn texts_and_what_is_wished_of_them_are_read() {
        let ask = read(
            r#"{"model":"m","input":["a","b"],"dimensions":8,"encoding_format":"base64","input_type":"search_query","user":"u","mystery":1}"#,
        );
        let ask = ask.unwrap();
        assert_eq!(ask.texts, ["a", "b"]);
        assert_eq!(ask.dimensions, Some(8));
        assert_eq!(ask.input_type, Some(InputType::SearchQuery));
        assert_eq!(ask.dropped, ["unrecognised", "user"]);
        assert!(ask.fixed_dimensions(8).is_ok());
        assert!(ask.fixed_dimensions(16).is_err());
        assert_eq!(read(r#"{"input":"a"}"#).unwrap().texts, ["a"]);
    }

    #[test]
    fn what_is_no_text_cannot_be_carried() {
        for (input, name) in [
            ("[1,2]", "input.tokens"),
            ("[[1,2],[3]]", "input.tokens"),
            (r#"["a",[3]]"#, "input.tokens"),
            (r#"[{"image":"x"}]"#, "input.parts"),
        ] {
            let why = read(&format!(r#"{{"input":{input}}}"#)).unwrap_err();
            assert!(
                matches!(&why, Unsayable::Missing(names) if *names == [name]),
                "{input}: {why:?}"
            );
        }
        let why = read(r#"{"input":"a","input_type":"poem"}"#).unwrap_err();
        assert!(matches!(why, Unsayable::Unreadable(_)));
    }
}
