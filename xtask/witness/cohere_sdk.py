"""cohere (Python): chat and embeddings of version 2."""

import cohere
from cohere import errors
from common import BASE, CITY, PROMPT, TEXT, WORDS, check, raises, rule, run, same, script

client = cohere.ClientV2(api_key="k", base_url=BASE, timeout=20)
USER = [{"role": "user", "content": PROMPT}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": CITY}}]
ONCE = {"max_retries": 0}


def ask(**more):
    return client.chat(**{"model": "command-a-03-2025", "messages": USER, "request_options": ONCE, **more})


def stream(**more):
    asked = {"model": "command-a-03-2025", "messages": USER, "request_options": ONCE, **more}
    return list(client.chat_stream(**asked))


def text(events):
    return "".join(e.delta.message.content.text or "" for e in events if e.type == "content-delta")


@check("cohere whole and streamed, in odd but lawful ways")
def _():
    script()
    done = ask()
    same((done.message.content[0].text, done.finish_reason), (TEXT, "COMPLETE"), "whole")
    same((done.usage.tokens.input_tokens, done.usage.tokens.output_tokens), (2, WORDS), "usage")
    same(ask(max_tokens=3).finish_reason, "MAX_TOKENS", "cut")
    for manner in ["", 'drip = "0ms"', "crlf = true", "split = 7"]:
        rule(manner)
        events = stream()
        same(text(events), TEXT, f"streamed with {manner!r}")
        same((events[-1].type, events[-1].delta.finish_reason), ("message-end", "COMPLETE"), "end")


@check("cohere calls a tool and hears its result")
def _():
    script()
    call = ask(tools=TOOLS, tool_choice="REQUIRED")
    used = call.message.tool_calls[0]
    same((used.function.arguments, call.finish_reason), ('{"city":"sample"}', "TOOL_CALL"), "call")
    events = stream(tools=TOOLS, tool_choice="REQUIRED")
    pieces = [e.delta.message.tool_calls.function.arguments for e in events if e.type == "tool-call-delta"]
    same("".join(pieces), '{"city":"sample"}', "streamed call")
    result = {"role": "tool", "tool_call_id": used.id, "content": "21 degrees"}
    turns = [*USER, {"role": "assistant", "tool_calls": call.message.tool_calls}, result]
    assert "21 degrees" in ask(messages=turns, tools=TOOLS).message.content[0].text


@check("cohere keeps to a schema and thinks")
def _():
    script()
    done = ask(response_format={"type": "json_object", "json_schema": CITY})
    same(done.message.content[0].text, '{"city":"sample"}', "JSON")
    rule('thinking = "Which city?"')
    content = ask().message.content
    same([(part.type) for part in content], ["thinking", "text"], "parts")
    same(text(stream()), TEXT, "streamed beside thinking")


@check("cohere errors are the SDK's own")
def _():
    for preset, kind in [
        ("rate_limit", errors.TooManyRequestsError),
        ("invalid_key", errors.UnauthorizedError),
        ("model_not_found", errors.NotFoundError),
        ("context_length", errors.BadRequestError),
        ("server_error", errors.InternalServerError),
        ("unavailable_503", errors.ServiceUnavailableError),
        ("timeout_504", errors.GatewayTimeoutError),
    ]:
        rule(f'preset = "{preset}"')
        for call in [ask, stream]:
            assert raises(kind, call, preset).body["message"], preset


@check("cohere sees an error and a missing end in the stream")
def _():
    rule('error_event = { after_chunks = 2, preset = "server_error" }')
    last = stream()[-1]
    same((last.type, last.delta.finish_reason), ("message-end", "ERROR"), "end")
    assert last.delta.error, last
    rule("cut = { after_chunks = 2, clean = true }")
    assert stream()[-1].type != "message-end", "an end where there is none"


@check("cohere embeds, and reads a stream of 10 000 chunks")
def _():
    script("words = 10000", text=None)
    made = client.embed(model="e", texts=["one", "two"], input_type="search_query", embedding_types=["float"])
    same([len(vector) for vector in made.embeddings.float_], [8, 8], "vectors")
    same(len(text(stream()).split()), 10_000, "words")


run()
