//! There and back: what both ends can express survives the way through a wire's form.

use llm_providers::chat::{
    Citation, FinishReason, Image, JsonSchema, Message, Part, Reply, Request, ResponseFormat, Role,
    Source, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Usage,
};
use llm_providers::{Dialect, anthropic, form, openai, responses};
use proptest::prelude::*;
use serde_json::json;

/// Text that is there: not empty, and without white space at its end, which a prefill may not have.
fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zäß你\"\\\\\n{}]{0,12}[a-z你]"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

fn image() -> impl Strategy<Value = Part> {
    prop_oneof![
        "[a-z]{1,5}".prop_map(|path| Source::Url(format!("https://x.example/{path}"))),
        "[A-Za-z0-9]{4}".prop_map(|data| Source::Base64 {
            media_type: "image/png".to_owned(),
            data,
        }),
    ]
    .prop_map(|source| {
        Part::Image(Image {
            source,
            detail: None,
        })
    })
}

fn tool_call() -> impl Strategy<Value = Part> {
    (name(), name(), text()).prop_map(|(id, name, value)| {
        Part::ToolCall(ToolCall {
            id,
            name,
            arguments: json!({"value": value}).to_string(),
        })
    })
}

/// A round of a conversation: the user, the model, and what tools answered.
fn round() -> impl Strategy<Value = Vec<Message>> {
    (
        prop::collection::vec(prop_oneof![text().prop_map(Part::text), image()], 1..4),
        text(),
        prop::collection::vec((tool_call(), text()), 0..3),
    )
        .prop_map(|(said, answer, calls)| {
            let results: Vec<_> = calls
                .iter()
                .map(|(call, answer)| match call {
                    Part::ToolCall(call) => Part::ToolResult(ToolResult {
                        id: call.id.clone(),
                        parts: vec![Part::text(answer)],
                        is_error: false,
                    }),
                    other => other.clone(),
                })
                .collect();
            let mut spoken = vec![Part::text(answer)];
            spoken.extend(calls.into_iter().map(|(call, _)| call));
            let mut round = vec![
                Message::new(Role::User, said),
                Message::new(Role::Assistant, spoken),
            ];
            if !results.is_empty() {
                round.push(Message::new(Role::User, results));
                round.push(Message::text(Role::Assistant, "I see."));
            }
            round
        })
}

fn request() -> impl Strategy<Value = Request> {
    (
        prop::option::of(text()),
        prop::collection::vec(round(), 1..3),
        text(),
        prop::collection::vec(name(), 0..3),
        prop::option::of(1u32..5_000),
        prop::option::of(0u32..=10),
        prop::collection::vec(text(), 0..4),
        (
            any::<bool>(),
            any::<bool>(),
            0..5u8,
            prop::option::of(name()),
        ),
    )
        .prop_map(|(system, rounds, last, tools, max, tenths, stop, rest)| {
            let (stream, serial, choice, user) = rest;
            let mut request = Request::new("m");
            if let Some(system) = system {
                request = request.system(system);
            }
            request.messages.extend(rounds.into_iter().flatten());
            request = request.user(last);
            for tool in tools {
                let schema = json!({"type": "object", "properties": {"value": {"type": "string"}}});
                request = request.tool(Tool::new(tool, schema).description("Does it."));
            }
            if let Some(tool) = request.tools.first() {
                request.tool_choice = Some(match choice {
                    0 => ToolChoice::Auto,
                    1 => ToolChoice::Required,
                    _ => ToolChoice::Tool(tool.name.clone()),
                });
                request.parallel_tool_calls = Some(!serial);
            } else if choice == 3 {
                request.response_format = Some(ResponseFormat::JsonSchema(JsonSchema {
                    name: "answer".to_owned(),
                    description: None,
                    schema: json!({"type": "object", "additionalProperties": false}),
                    strict: Some(true),
                }));
            }
            request.max_tokens = max;
            request.temperature = tenths.map(|tenths| f64::from(tenths) / 10.0);
            request.stop = stop;
            request.stream = stream;
            request.include_usage = stream;
            request.user = user;
            request
        })
}

/// What the wire cannot tell apart is made alike: where one turn ends and the next of the same
/// speaker begins.
fn merged(mut request: Request) -> Request {
    request.extra_dialect = None;
    request.include_usage = false;
    let mut messages: Vec<Message> = Vec::new();
    for message in request.messages {
        match messages.last_mut() {
            Some(last) if last.role == message.role => last.parts.extend(message.parts),
            _ => messages.push(message),
        }
    }
    request.messages = messages;
    request
}

/// What the responses wire always says: whether tools are strict, and how closely to look at a picture.
fn loose(mut request: Request) -> Request {
    for tool in &mut request.tools {
        tool.strict.get_or_insert(false);
    }
    for part in request
        .messages
        .iter_mut()
        .flat_map(|message| &mut message.parts)
    {
        if let Part::Image(image) = part {
            image.detail.get_or_insert_with(|| "auto".to_owned());
        }
    }
    request
}

/// Sources of the first, of the second and of both halves of a text.
fn sources(said: &str, which: [bool; 3]) -> Vec<Citation> {
    let (half, all) = (said.chars().count() / 2, said.chars().count());
    let spans = [0..half, half..all, 0..all];
    let told = spans.into_iter().zip(["a", "b", "c"]).zip(which);
    told.filter(|((span, _), told)| *told && !span.is_empty())
        .map(|((span, at), _)| {
            let mut source = Citation::new(format!("https://{at}.example/"));
            source.title = Some(at.to_uppercase());
            source.of(span)
        })
        .collect()
}

fn reply() -> impl Strategy<Value = Reply> {
    (
        prop::option::of(text()),
        prop::option::of((text(), any::<[bool; 3]>())),
        prop::collection::vec(tool_call(), 0..3),
        0u64..1_000,
        0u64..1_000,
        any::<bool>(),
    )
        .prop_map(|(thinking, said, calls, input, output, length)| {
            let mut reply = Reply::default();
            reply.id = "resp_1".to_owned();
            reply.model = "m-1".to_owned();
            let thinking = thinking.map(|text| {
                Part::Thinking(Thinking {
                    text,
                    signature: Some("c2ln".to_owned()),
                })
            });
            reply.parts.extend(thinking);
            if let Some((said, which)) = said {
                reply.citations = sources(&said, which);
                reply.parts.push(Part::text(said));
            }
            reply.finish = Some(match (calls.is_empty(), length) {
                (false, _) => FinishReason::ToolCalls,
                (true, true) => FinishReason::Length,
                (true, false) => FinishReason::Stop,
            });
            reply.parts.extend(calls);
            let mut usage = Usage::default();
            usage.cache_read_tokens = input / 2;
            usage.input_tokens = input;
            usage.output_tokens = output;
            reply.usage = usage;
            reply
        })
}

/// The addresses of a reply's sources, which are taken out of it: where a wire has blocks, spans become those.
fn take_sources(reply: &mut Reply) -> Vec<(String, Option<String>)> {
    let sources = std::mem::take(&mut reply.citations);
    let mut told: Vec<_> = sources
        .into_iter()
        .map(|one| (one.url, one.title))
        .collect();
    told.sort();
    told
}

/// Texts in a row are one: blocks end where sources do.
fn joined(mut reply: Reply) -> Reply {
    let mut parts: Vec<Part> = Vec::new();
    for part in reply.parts {
        match (parts.last_mut(), part) {
            (Some(Part::Text(text)), Part::Text(more)) => text.text.push_str(&more.text),
            (_, part) => parts.push(part),
        }
    }
    reply.parts = parts;
    reply
}

/// What `dialect` can say of a reply: OpenAI's chat wire has no signatures, and its responses wire gives answers of
/// others a name of its own.
fn sayable(mut reply: Reply, dialect: Dialect) -> Reply {
    if dialect == Dialect::OpenAiResponses {
        reply.id = "resp_1".to_owned();
    }
    for part in &mut reply.parts {
        if let Part::Thinking(thinking) = part
            && dialect == Dialect::OpenAiChat
        {
            thinking.signature = None;
        }
    }
    reply
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_survives_openais_wire(request in request()) {
        let encoded = openai::encode_request(&request, "m", openai::Quirks::OPENAI);
        prop_assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
        let back = openai::decode_request(&encoded.body).unwrap();
        prop_assert_eq!(merged(back), merged(request));
    }

    #[test]
    fn a_request_survives_anthropics_wire(mut request in request()) {
        request.max_tokens.get_or_insert(64);
        let encoded = anthropic::encode_request(&request, "m", 64);
        prop_assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
        let back = anthropic::decode_request(&encoded.body).unwrap();
        prop_assert_eq!(merged(back), merged(request));
    }

    #[test]
    fn a_request_survives_the_responses_wire(mut request in request()) {
        // It has no stop sequences, and at least 16 output tokens.
        request.stop.clear();
        request.max_tokens = request.max_tokens.map(|tokens| tokens.max(16));
        let encoded = responses::encode_request(&request, "m");
        prop_assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
        let back = responses::decode_request(&encoded.body).unwrap();
        prop_assert_eq!(merged(back), merged(loose(request)));
    }

    #[test]
    fn a_request_survives_all_wires_in_a_row(mut request in request()) {
        request.stop.clear();
        request.max_tokens = Some(request.max_tokens.unwrap_or(64).max(16));
        let first = responses::encode_request(&request, "m");
        let middle = responses::decode_request(&first.body).unwrap();
        let second = anthropic::encode_request(&middle, "m", 64);
        prop_assert!(second.dropped.is_empty(), "{:?}", second.dropped);
        let middle = anthropic::decode_request(&second.body).unwrap();
        let third = openai::encode_request(&middle, "m", openai::Quirks::OPENAI);
        prop_assert!(third.dropped.is_empty(), "{:?}", third.dropped);
        let back = openai::decode_request(&third.body).unwrap();
        prop_assert_eq!(merged(back), merged(request));
    }

    #[test]
    fn a_request_survives_both_wires_in_a_row(mut request in request()) {
        request.max_tokens.get_or_insert(64);
        let first = anthropic::encode_request(&request, "m", 64);
        let middle = anthropic::decode_request(&first.body).unwrap();
        let second = openai::encode_request(&middle, "m", openai::Quirks::COMPATIBLE);
        prop_assert!(second.dropped.is_empty(), "{:?}", second.dropped);
        let back = openai::decode_request(&second.body).unwrap();
        prop_assert_eq!(merged(back), merged(request));
    }

    #[test]
    fn an_answer_survives_every_form(reply in reply()) {
        for dialect in Dialect::ALL {
            let whole = form::encode_whole(*dialect, &reply);
            let stream = form::encode_stream(*dialect, &reply, true).unwrap();
            let read = [form::decode_whole(*dialect, &whole), form::decode_stream(*dialect, &stream)];
            for read in read {
                let (mut read, mut said) = (joined(read.unwrap()), sayable(reply.clone(), *dialect));
                if *dialect == Dialect::AnthropicMessages {
                    prop_assert_eq!(take_sources(&mut read), take_sources(&mut said));
                }
                prop_assert_eq!(read, said);
            }
        }
    }

    #[test]
    fn no_bytes_break_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,a-z0-9 ]{0,80}") {
        for body in [bytes.as_slice(), json.as_bytes()] {
            let _ = openai::decode_request(body);
            let _ = anthropic::decode_request(body);
            let _ = responses::decode_request(body);
            for dialect in Dialect::ALL {
                let _ = form::decode_whole(*dialect, body);
                let _ = form::decode_stream(*dialect, body);
                let _ = llm_providers::Call::parse(*dialect, body.to_vec().into());
            }
        }
    }
}
