"""openai (Python): chat completions, responses, embeddings, models."""

import openai
from common import CITY, PNG, PROMPT, TEXT, WORDS, BASE, check, raises, received, rule, run, same, script
from pydantic import BaseModel

client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="sk-witness", max_retries=0, timeout=20)
USER = [{"role": "user", "content": PROMPT}]
FUNCTION = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": True}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]


class City(BaseModel):
    city: str


def chat(**more):
    return client.chat.completions.create(**{"model": "gpt-5-mini", "messages": USER, **more})


def respond(**more):
    return client.responses.create(**{"model": "gpt-5-mini", "input": PROMPT, **more})


@check("openai-python chat whole")
def _():
    script()
    done = chat()
    same(done.choices[0].message.content, TEXT, "text")
    same(done.choices[0].finish_reason, "stop", "finish reason")
    same((done.usage.prompt_tokens, done.usage.completion_tokens), (2, WORDS), "usage")


@check("openai-python chat streamed, in odd but lawful ways")
def _():
    for manner in ["", 'drip = "0ms"', "crlf = true", "split = 7"]:
        rule(manner)
        chunks = list(chat(stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        same(text, TEXT, f"text with {manner!r}")
        same(chunks[-1].usage.total_tokens, 2 + WORDS, "usage")
        same(chunks[-2].choices[0].finish_reason, "stop", "finish reason")


@check("openai-python chat calls a tool and hears its result")
def _():
    script()
    call = chat(tools=TOOLS, tool_choice="required").choices[0].message
    same(call.tool_calls[0].function.arguments, '{"city":"sample"}', "arguments")
    with client.chat.completions.stream(
        model="m", messages=USER, tools=TOOLS, tool_choice="required"
    ) as stream:
        done = stream.get_final_completion().choices[0]
    same(done.message.tool_calls[0].function.name, "get_weather", "streamed name")
    same(done.finish_reason, "tool_calls", "finish reason")
    result = {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "21 degrees"}
    after = chat(messages=[*USER, call.to_dict(), result], tools=TOOLS)
    assert "21 degrees" in after.choices[0].message.content, after


@check("openai-python chat parses a schema and sends an image")
def _():
    script()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    content = [{"type": "text", "text": PROMPT}, picture]
    done = client.chat.completions.parse(
        model="m", messages=[{"role": "user", "content": content}], response_format=City
    )
    same(done.choices[0].message.parsed, City(city="sample"), "parsed")
    assert PNG in received()[0]["body"], "the image did not arrive"


@check("openai-python errors are the SDK's own")
def _():
    for preset, kind, code in [
        ("rate_limit", openai.RateLimitError, "rate_limit_exceeded"),
        ("insufficient_quota", openai.RateLimitError, "insufficient_quota"),
        ("invalid_key", openai.AuthenticationError, "invalid_api_key"),
        ("model_not_found", openai.NotFoundError, "model_not_found"),
        ("context_length", openai.BadRequestError, "context_length_exceeded"),
        ("server_error", openai.InternalServerError, None),
    ]:
        rule(f'preset = "{preset}"\nretry_after = "7s"')
        for call in [chat, respond]:
            error = raises(kind, call, preset)
            same(error.code, code, f"code of {preset}")
            same(error.response.headers["retry-after"], "7", "retry-after")
    rule('error_event = { after_chunks = 2, preset = "server_error" }')
    raises(openai.APIError, lambda: list(chat(stream=True)), "error in a chat stream")


@check("openai-python responses whole")
def _():
    script()
    done = respond()
    same((done.output_text, done.status), (TEXT, "completed"), "text and status")
    same((done.usage.input_tokens, done.usage.output_tokens), (2, WORDS), "usage")
    cut = respond(max_output_tokens=3)
    same((cut.status, cut.incomplete_details.reason), ("incomplete", "max_output_tokens"), "cut")


@check("openai-python responses streamed, in odd but lawful ways")
def _():
    for manner in ["", 'drip = "0ms"', "crlf = true", 'thinking = "Which city?"']:
        rule(manner)
        with client.responses.stream(model="m", input=PROMPT) as stream:
            deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
            done = stream.get_final_response()
        same("".join(deltas), TEXT, f"deltas with {manner!r}")
        same((done.output_text, done.status), (TEXT, "completed"), "final response")
        same(len(deltas), WORDS, "deltas")
    same(done.output[0].summary[0].text, "Which city?", "thinking")


@check("openai-python responses call a function and hear its output")
def _():
    script()
    call = respond(tools=[FUNCTION], tool_choice="required").output[0]
    same((call.type, call.arguments), ("function_call", '{"city":"sample"}'), "call")
    with client.responses.stream(
        model="m", input=PROMPT, tools=[FUNCTION], tool_choice="required"
    ) as stream:
        done = stream.get_final_response().output[0]
    same((done.name, done.arguments), ("get_weather", '{"city":"sample"}'), "streamed call")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    after = respond(input=[*USER, call.to_dict(), output], tools=[FUNCTION])
    assert "21 degrees" in after.output_text, after.output_text


@check("openai-python responses parse a schema and send an image")
def _():
    script()
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    content = [{"type": "input_text", "text": PROMPT}, picture]
    done = client.responses.parse(
        model="m", input=[{"role": "user", "content": content}], text_format=City
    )
    same(done.output_parsed, City(city="sample"), "parsed")
    assert PNG in received()[0]["body"], "the image did not arrive"


@check("openai-python responses fail in the middle, in both forms")
def _():
    for preset, form in [("server_error", "response.failed"), ("overloaded_529", "error")]:
        rule(f'error_event = {{ after_chunks = 2, preset = "{preset}" }}')
        same([event.type for event in respond(stream=True)][-1], form, preset)
    rule("cut = { after_chunks = 2, clean = true }")
    kinds = {event.type for event in respond(stream=True)}
    assert "response.completed" not in kinds, kinds


@check("openai-python embeddings and models")
def _():
    script('models = ["a", "b"]\n')
    same([model.id for model in client.models.list()], ["a", "b"], "models")
    made = client.embeddings.create(model="a", input=["one", "two"], dimensions=5)
    same([len(item.embedding) for item in made.data], [5, 5], "vectors")


@check("openai-python a stream of 10 000 chunks")
def _():
    script("words = 10000", text=None)
    text = ""
    for event in respond(stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
    same((event.type, len(text.split())), ("response.completed", 10_000), "last event and words")


run()
