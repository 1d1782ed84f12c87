"""ollama (Python): its own chat and embeddings."""

import base64
import json

import ollama
from common import BASE, CITY, PNG, PROMPT, TEXT, WORDS, check, raises, received, rule, run, same, script

client = ollama.Client(host=BASE, timeout=20)
USER = [{"role": "user", "content": PROMPT}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": CITY}}]


def ask(**more):
    return client.chat(**{"model": "llama3.3", "messages": USER, **more})


def stream(**more):
    return list(ask(stream=True, **more))


@check("ollama whole and streamed, in odd but lawful ways")
def _():
    script()
    done = ask()
    same((done.message.content, done.done_reason), (TEXT, "stop"), "whole")
    same((done.prompt_eval_count, done.eval_count), (2, WORDS), "counts")
    same(ask(options={"num_predict": 3}).done_reason, "length", "cut")
    for manner in ["", 'drip = "0ms"', "crlf = true", "split = 7"]:
        rule(manner)
        parts = stream()
        same("".join(part.message.content for part in parts), TEXT, f"streamed with {manner!r}")
        same((parts[-1].done, parts[-1].eval_count), (True, WORDS), "end")


@check("ollama calls a tool and hears its result")
def _():
    script()
    prompt = [{"role": "user", "content": "use the tool get_weather"}]
    call = ask(messages=prompt, tools=TOOLS).message
    same(call.tool_calls[0].function.arguments, {"city": "sample"}, "call")
    streamed = stream(messages=prompt, tools=TOOLS)[0].message.tool_calls
    same(streamed[0].function.name, "get_weather", "streamed call")
    result = {"role": "tool", "tool_name": "get_weather", "content": "21 degrees"}
    assert "21 degrees" in ask(messages=[*prompt, call, result], tools=TOOLS).message.content


@check("ollama keeps to a schema, sends an image, and thinks")
def _():
    script()
    turns = [{"role": "user", "content": PROMPT, "images": [base64.b64decode(PNG)]}]
    same(json.loads(ask(messages=turns, format=CITY).message.content), {"city": "sample"}, "JSON")
    assert PNG in received()[0]["body"], "the image did not arrive"
    rule('thinking = "Which city?"')
    same(ask(think=True).message.thinking, "Which city?", "thinking")
    same("".join(part.message.thinking or "" for part in stream(think=True)), "Which city?", "streamed")


@check("ollama errors are the SDK's own")
def _():
    for preset, status in [("rate_limit", 429), ("model_not_found", 404), ("overloaded_529", 503), ("server_error", 500)]:
        rule(f'preset = "{preset}"')
        for call in [ask, stream]:
            same(raises(ollama.ResponseError, call, preset).status_code, status, preset)
    rule('error_event = { after_chunks = 2, preset = "server_error" }')
    assert raises(ollama.ResponseError, stream, "error in a stream").error
    rule("cut = { after_chunks = 2, clean = true }")
    same(stream()[-1].done, False, "a stream without its end")


@check("ollama embeds, and reads a stream of 10 000 chunks")
def _():
    script("words = 10000", text=None)
    made = client.embed(model="e", input=["one", "two"], dimensions=5)
    same([len(vector) for vector in made.embeddings], [5, 5], "vectors")
    same(len("".join(part.message.content for part in stream()).split()), 10_000, "words")


run()
