//! A request in this dialect that passes as it came, for a target that wants the model's reasoning back.

use crate::splice::span_of;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What stands for reasoning that is not there: nothing at all is refused, and so is an empty text.
pub(super) const NO_THOUGHTS: &str = " ";

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<Switch<'a>>,
    #[serde(borrow)]
    reasoning_effort: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Switch<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_written")]
    reasoning_content: Option<&'a RawValue>,
}

/// Keeps a `null` apart from what is not there.
fn as_written<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Body<'_> {
    fn is_awake(&self) -> bool {
        let off = self.thinking.as_ref().and_then(|switch| switch.kind);
        off.is_none_or(|kind| kind.get() != "\"disabled\"")
            && self
                .reasoning_effort
                .is_none_or(|effort| effort.get() != "\"none\"")
    }
}

/// `body` with a space for the reasoning of each turn of the model that has none, in a conversation in which tools were
/// called by another model. `None` where nothing is missing, and where the model is told not to reason.
pub(crate) fn with_thoughts(body: &Bytes) -> Option<Bytes> {
    let read: Body<'_> = serde_json::from_slice(body).ok()?;
    if !read.is_awake() {
        return None;
    }
    // The beginning of an answer, which may come last, has no reasoning before it.
    let (_, ended) = read.messages.split_last()?;
    let mut calls = false;
    let mut gaps = Vec::new();
    for raw in ended {
        let turn: Turn<'_> = serde_json::from_str(raw.get()).ok()?;
        if turn.role.is_none_or(|role| role.get() != "\"assistant\"") {
            continue;
        }
        calls |= turn.tool_calls.is_some_and(|calls| calls.get() != "[]");
        match turn.reasoning_content {
            None => {
                let inside = span_of(body, raw.get().as_bytes())?.start + 1;
                gaps.push((inside..inside, true));
            }
            Some(said) if matches!(said.get(), "null" | "\"\"") => {
                gaps.push((span_of(body, said.get().as_bytes())?, false));
            }
            Some(_) => {}
        }
    }
    if !calls || gaps.is_empty() {
        return None;
    }
    let mut out = BytesMut::with_capacity(body.len() + gaps.len() * 32);
    let mut at = 0;
    for (gap, names) in gaps {
        out.put_slice(body.get(at..gap.start)?);
        if names {
            out.put_slice(b"\"reasoning_content\":");
        }
        out.put_slice(format!("\"{NO_THOUGHTS}\"").as_bytes());
        if names {
            out.put_slice(b",");
        }
        at = gap.end;
    }
    out.put_slice(body.get(at..)?);
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::with_thoughts;
    use bytes::Bytes;

    #[test]
    fn only_what_is_missing_is_put_in() {
        let call = r#""tool_calls":[{"id":"c"}]"#;
        let body = format!(
            r#"{{"model":"m" ,"messages":[{{"role":"user","content":"é"}},{{"role":"assistant",{call}}}, {{ "reasoning_content":null,"role":"assistant"}},{{"role":"assistant","reasoning_content":"Hm."}},{{"role":"tool"}}]}}"#
        );
        let expected = body
            .replace(
                r#"{"role":"assistant","tool"#,
                r#"{"reasoning_content":" ","role":"assistant","tool"#,
            )
            .replace("null", r#"" ""#);
        assert_eq!(with_thoughts(&Bytes::from(body)).unwrap(), expected);
    }

    #[test]
    fn nothing_changes_where_nothing_is_asked_for() {
        let turns = |more: &str, first: &str| {
            format!(r#"{{{more}"messages":[{first},{{"role":"user"}}]}}"#)
        };
        let call = r#"{"role":"assistant","tool_calls":[{}]}"#;
        for body in [
            turns("", r#"{"role":"assistant","content":"a"}"#),
            turns(
                "",
                r#"{"role":"assistant","tool_calls":[{}],"reasoning_content":"Hm."}"#,
            ),
            turns(r#""thinking":{"type":"disabled"},"#, call),
            turns(r#""reasoning_effort":"none","#, call),
            format!(r#"{{"messages":[{call}]}}"#),
            r#"{"messages":[]}"#.to_owned(),
            r#"{"messages":[1,2]}"#.to_owned(),
        ] {
            assert_eq!(with_thoughts(&Bytes::from(body.clone())), None, "{body}");
        }
        assert!(with_thoughts(&Bytes::from(turns("", call))).is_some());
    }
}
