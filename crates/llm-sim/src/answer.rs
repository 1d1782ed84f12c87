//! What the simulated model says, before it is put on a wire.

use serde_json::json;

use crate::ask::{Ask, Choice, Format};
use crate::prose;
use crate::schema;
use crate::script::{Finish, Rule, Script};
use crate::seed::{self, Numbers};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub content: Content,
    /// What the model thought before, on wires that show it.
    pub thinking: Option<String>,
    pub finish: Finish,
    pub prompt_tokens: u64,
    /// Those of the content.
    pub completion_tokens: u64,
    pub thinking_tokens: u64,
    /// Distinguishes this answer; the source of every id in it.
    pub id: u64,
}

/// What an answer consists of.
#[derive(Debug)]
pub(crate) enum Content {
    /// Text; empty is a proper answer without content.
    Text(String),
    /// Calls of tools.
    Tools(Vec<ToolCall>),
    /// The model declines.
    Refusal(String),
}

/// One call of a tool.
#[derive(Debug)]
pub(crate) struct ToolCall {
    pub id: u64,
    pub name: String,
    /// A JSON object, as text.
    pub arguments: String,
}

impl Answer {
    /// Makes the answer to `ask`. A pure function: the text depends on the seed and the prompt only (so that two
    /// simulators with one seed say the same), the ids also on `number`, the call's place in the record.
    pub(crate) fn make(
        seed: u64,
        number: u64,
        ask: &Ask,
        script: &Script,
        rule: Option<&Rule>,
    ) -> Self {
        let id = seed::join(seed, number);
        let thinking = rule.and_then(|rule| rule.thinking.clone());
        let mut answer = Self {
            content: content(seed, id, ask, script, rule),
            thinking_tokens: thinking.as_deref().map_or(0, prose::count),
            thinking,
            finish: Finish::Stop,
            prompt_tokens: ask.prompt_tokens,
            completion_tokens: 0,
            id,
        };
        answer.finish_up(ask.max_tokens);
        if let Some(finish) = rule.and_then(|rule| rule.finish) {
            answer.finish = finish;
        }
        answer
    }

    /// A proper answer without content.
    pub(crate) fn blank(seed: u64, number: u64, ask: &Ask) -> Self {
        Self {
            content: Content::Text(String::new()),
            thinking: None,
            finish: Finish::Stop,
            prompt_tokens: ask.prompt_tokens,
            completion_tokens: 0,
            thinking_tokens: 0,
            id: seed::join(seed, number),
        }
    }

    /// Counts tokens and obeys the token limit.
    fn finish_up(&mut self, max_tokens: Option<usize>) {
        self.completion_tokens = match &mut self.content {
            Content::Text(text) => {
                let chunks = prose::chunks(text);
                if let Some(kept) = max_tokens.and_then(|limit| chunks.get(..limit))
                    && kept.len() < chunks.len()
                {
                    *text = kept.concat();
                    self.finish = Finish::Length;
                }
                prose::count(text)
            }
            Content::Refusal(text) => {
                self.finish = Finish::ContentFilter;
                prose::count(text)
            }
            Content::Tools(calls) => calls
                .iter()
                .map(|call| 1 + prose::count(&call.arguments))
                .sum(),
        };
    }
}

fn content(seed: u64, id: u64, ask: &Ask, script: &Script, rule: Option<&Rule>) -> Content {
    if let Some(text) = rule.and_then(|rule| rule.refusal.as_ref()) {
        return Content::Refusal(text.clone());
    }
    let fixed = rule.and_then(|rule| rule.text.as_ref());
    if fixed.is_none() {
        let calls = tool_calls(id, ask, rule.and_then(|rule| rule.tool.as_deref()));
        if !calls.is_empty() {
            return Content::Tools(calls);
        }
        if let Some(result) = &ask.tool_result {
            return Content::Text(format!("The tool answered: {result}"));
        }
    }
    let text = match fixed.or(script.text.as_ref()) {
        Some(text) => text.clone(),
        None => {
            let words = rule.and_then(|rule| rule.words).unwrap_or(script.words);
            prose::write(
                &mut Numbers::new(seed::hash(seed, ask.last_user.as_bytes())),
                words,
            )
        }
    };
    let text = match &ask.format {
        Format::Text => text,
        _ if fixed.is_some() => text,
        Format::Json => json!({ "answer": text }).to_string(),
        Format::Schema(schema) => schema::example(schema).to_string(),
    };
    // A model that is given the beginning of its own answer goes on from there.
    match text.strip_prefix(ask.prefill.as_str()) {
        Some(rest) => Content::Text(rest.to_owned()),
        None => Content::Text(text),
    }
}

fn tool_calls(id: u64, ask: &Ask, scripted: Option<&str>) -> Vec<ToolCall> {
    if ask.tool_result.is_some() || ask.choice == Choice::Never {
        return Vec::new();
    }
    let mut chosen: Vec<_> = ask
        .tools
        .iter()
        .filter(|tool| match &ask.choice {
            Choice::Named(name) => &tool.name == name,
            _ => scripted.map_or_else(|| ask.says_use(&tool.name), |name| tool.name == name),
        })
        .collect();
    if chosen.is_empty() && ask.choice == Choice::Required {
        chosen.extend(ask.tools.first());
    }
    (0_u64..)
        .zip(chosen)
        .map(|(index, tool)| {
            let arguments = schema::example(&tool.schema);
            let arguments = if arguments.is_object() {
                arguments.to_string()
            } else {
                "{}".to_owned()
            };
            ToolCall {
                id: seed::join(id, index + 1),
                name: tool.name.clone(),
                arguments,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Tool;

    fn ask(prompt: &str) -> Ask {
        Ask {
            last_user: prompt.to_owned(),
            ..Ask::default()
        }
    }

    fn text(answer: &Answer) -> &str {
        match &answer.content {
            Content::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_text_depends_on_seed_and_prompt_only() {
        let script = Script::healthy();
        let first = Answer::make(1, 1, &ask("a"), &script, None);
        let later = Answer::make(1, 9, &ask("a"), &script, None);
        assert_eq!(text(&first), text(&later));
        assert_ne!(first.id, later.id);
        assert_ne!(
            text(&first),
            text(&Answer::make(2, 1, &ask("a"), &script, None))
        );
        assert_ne!(
            text(&first),
            text(&Answer::make(1, 1, &ask("b"), &script, None))
        );
    }

    #[test]
    fn a_prefill_is_continued_without_a_seam() {
        let script = Script::healthy();
        let whole = Answer::make(1, 1, &ask("a"), &script, None);
        let (head, tail) = text(&whole).split_at(10);
        let rest = Answer::make(
            1,
            2,
            &Ask {
                prefill: head.to_owned(),
                ..ask("a")
            },
            &script,
            None,
        );
        assert_eq!(text(&rest), tail);
    }

    #[test]
    fn the_token_limit_cuts_and_says_so() {
        let answer = Answer::make(
            1,
            1,
            &Ask {
                max_tokens: Some(3),
                ..ask("a")
            },
            &Script::healthy(),
            None,
        );
        assert_eq!(
            (answer.completion_tokens, answer.finish),
            (3, Finish::Length)
        );
        let exact = Answer::make(
            1,
            1,
            &Ask {
                max_tokens: Some(24),
                ..ask("a")
            },
            &Script::healthy(),
            None,
        );
        assert_eq!((exact.completion_tokens, exact.finish), (24, Finish::Stop));
    }

    #[test]
    fn a_tool_result_is_quoted_and_not_answered_with_another_call() {
        let tools = vec![Tool {
            name: "f".to_owned(),
            schema: serde_json::Value::Null,
        }];
        let ask = Ask {
            tools,
            choice: Choice::Required,
            tool_result: Some("12 degrees".to_owned()),
            ..ask("a")
        };
        assert!(text(&Answer::make(1, 1, &ask, &Script::healthy(), None)).contains("12 degrees"));
    }
}
