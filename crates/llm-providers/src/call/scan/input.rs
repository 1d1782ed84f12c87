//! The `input` of the responses wire, added up: a text, or items.

use super::Content;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// What the input holds.
#[derive(Default)]
pub(super) struct Input {
    pub(super) count: u64,
    pub(super) ends_with_assistant: bool,
    /// Some item is only the name of one that the provider keeps, or a conversation that it alone can read.
    pub(super) refers: bool,
    pub(super) content: Content,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    output: Content,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    encrypted_content: Option<&'a RawValue>,
}

impl Input {
    fn add(&mut self, item: &Item<'_>) {
        self.count += 1;
        self.content.merge(&item.content);
        self.content.merge(&item.output);
        for raw in [item.arguments, item.encrypted_content]
            .into_iter()
            .flatten()
        {
            self.content.text_bytes += raw.get().len() as u64;
        }
        self.refers |= match item.kind {
            Some(kind) => matches!(kind.get(), "\"item_reference\"" | "\"compaction\""),
            None => item.role.is_none(),
        };
        self.ends_with_assistant = item.role.is_some_and(|role| role.get() == "\"assistant\"");
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of items")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Input, E> {
                Ok(Input {
                    count: u64::from(!text.is_empty()),
                    content: Content {
                        text_bytes: text.len() as u64,
                        ..Content::default()
                    },
                    ..Input::default()
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
                let mut sum = Input::default();
                while let Some(item) = seq.next_element::<Item<'de>>()? {
                    sum.add(&item);
                }
                Ok(sum)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Input, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Input::default())
            }

            fn visit_unit<E: de::Error>(self) -> Result<Input, E> {
                Ok(Input::default())
            }
        }
        deserializer.deserialize_any(Items)
    }
}
