"""google-genai (Python): Gemini in AI Studio and on Vertex."""

import base64
import json

import google.auth.credentials
from common import BASE, PNG, PROMPT, TEXT, WORDS, check, raises, received, rule, run, same, script
from google import genai
from google.genai import errors, types

MODEL = "gemini-3-flash"
CITY = types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")}, required=["city"])
FUNCTION = types.FunctionDeclaration(name="get_weather", parameters=CITY)
# The SDK writes bytes in the alphabet for URLs.
URL_SAFE = PNG.replace("+", "-").replace("/", "_")
TOOLS = {
    "tools": [types.Tool(function_declarations=[FUNCTION])],
    "tool_config": {"function_calling_config": {"mode": "ANY"}},
    "automatic_function_calling": {"disable": True},
}


class Token(google.auth.credentials.Credentials):
    """A token that never expires."""

    def __init__(self):
        super().__init__()
        self.token = "t"

    def refresh(self, request):
        self.token = "t"


HTTP = types.HttpOptions(base_url=BASE, timeout=20_000)
studio = genai.Client(api_key="k", http_options=HTTP)
vertex = genai.Client(vertexai=True, project="p", location="us-east5", credentials=Token(), http_options=HTTP)


def ask(client, contents=PROMPT, **config):
    return client.models.generate_content(model=MODEL, contents=contents, config=config)


def stream(client, **config):
    return list(client.models.generate_content_stream(model=MODEL, contents=PROMPT, config=config))


for name, client in [("google-genai", studio), ("google-genai on Vertex", vertex)]:

    @check(f"{name} whole and streamed, in odd but lawful ways")
    def _(client=client):
        script()
        done = ask(client)
        same((done.text, done.candidates[0].finish_reason), (TEXT, types.FinishReason.STOP), "whole")
        usage = done.usage_metadata
        same((usage.prompt_token_count, usage.candidates_token_count), (2, WORDS), "usage")
        for manner in ["", 'drip = "0ms"', "crlf = true", "split = 7"]:
            rule(manner)
            chunks = stream(client)
            same("".join(chunk.text or "" for chunk in chunks), TEXT, f"streamed with {manner!r}")
            same(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP, "finish reason")
            same(chunks[-1].usage_metadata.total_token_count, 2 + WORDS, "usage")

    @check(f"{name} calls a function and hears its result")
    def _(client=client):
        script()
        done = ask(client, **TOOLS)
        same((done.function_calls[0].name, done.function_calls[0].args), ("get_weather", {"city": "sample"}), "call")
        same(stream(client, **TOOLS)[0].function_calls[0].args, {"city": "sample"}, "streamed call")
        result = types.Part.from_function_response(name="get_weather", response={"result": "21 degrees"})
        turns = [
            types.Content(role="user", parts=[types.Part(text=PROMPT)]),
            done.candidates[0].content,
            types.Content(role="user", parts=[result]),
        ]
        assert "21 degrees" in ask(client, turns).text

    @check(f"{name} errors are the SDK's own")
    def _(client=client):
        for preset, kind, status in [
            ("rate_limit", errors.ClientError, "RESOURCE_EXHAUSTED"),
            ("model_not_found", errors.ClientError, "NOT_FOUND"),
            ("context_length", errors.ClientError, "INVALID_ARGUMENT"),
            ("overloaded_529", errors.ServerError, "UNAVAILABLE"),
            ("server_error", errors.ServerError, "INTERNAL"),
        ]:
            rule(f'preset = "{preset}"\nretry_after = "7s"')
            for call in [ask, stream]:
                same(raises(kind, lambda: call(client), preset).status, status, preset)
        rule('error_event = { after_chunks = 2, preset = "overloaded_529" }')
        same(raises(errors.ServerError, lambda: stream(client), "error in a stream").code, 503, "its code")


@check("google-genai is told the wait in the body")
def _():
    rule('preset = "rate_limit"\nretry_after = "7s"')
    details = raises(errors.ClientError, lambda: ask(studio), "rate limit").details["error"]["details"]
    waits = [detail["retryDelay"] for detail in details if detail["@type"].endswith("RetryInfo")]
    same(waits, ["7s"], "RetryInfo")


@check("google-genai keeps to a schema, sends an image and is cut at its limit")
def _():
    script()
    picture = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
    done = ask(studio, [PROMPT, picture], response_mime_type="application/json", response_schema=CITY)
    same(json.loads(done.text), {"city": "sample"}, "JSON")
    assert URL_SAFE in received()[0]["body"], "the image did not arrive"
    same(ask(studio, max_output_tokens=3).candidates[0].finish_reason, types.FinishReason.MAX_TOKENS, "cut")


@check("google-genai tells blocked prompts, blocked answers and thoughts apart")
def _():
    rule('refusal = "No."')
    done = ask(studio)
    same((done.candidates, done.prompt_feedback.block_reason), (None, types.BlockedReason.SAFETY), "blocked prompt")
    rule('finish = "content_filter"')
    same(stream(studio)[-1].candidates[0].finish_reason, types.FinishReason.SAFETY, "blocked answer")
    rule('thinking = "Which city?"')
    parts = ask(studio).candidates[0].content.parts
    same([(part.thought, part.text) for part in parts], [(True, "Which city?"), (None, TEXT)], "thoughts")
    rule("cut = { after_chunks = 2, clean = true }")
    same(stream(studio)[-1].candidates[0].finish_reason, None, "a stream without its end")


@check("google-genai embeds, lists models, and reads a stream of 10 000 chunks")
def _():
    script('models = ["a", "gemini-3-flash"]\nwords = 10000', text=None)
    same([model.name for model in studio.models.list()], ["models/a", "models/gemini-3-flash"], "models")
    made = studio.models.embed_content(model="a", contents=["one", "two"], config={"output_dimensionality": 5})
    same([len(vector.values) for vector in made.embeddings], [5, 5], "vectors")
    same(len("".join(chunk.text or "" for chunk in stream(studio)).split()), 10_000, "words")


run()
