"""anthropic (Python): messages, straight and as Vertex has them."""

import anthropic
from common import BASE, CITY, PNG, PROMPT, TEXT, WORDS, check, raises, received, rule, run, same, script

MODEL = "claude-opus-4-8"
USER = [{"role": "user", "content": PROMPT}]
TOOLS = [{"name": "get_weather", "input_schema": CITY}]

straight = anthropic.Anthropic(base_url=BASE, api_key="sk-ant-witness", max_retries=0, timeout=20)
vertex = anthropic.AnthropicVertex(
    base_url=f"{BASE}/v1", region="us-east5", project_id="p", access_token="t", max_retries=0, timeout=20
)


def ask(client, **more):
    return client.messages.create(**{"model": MODEL, "max_tokens": 256, "messages": USER, **more})


def stream(client, **more):
    return client.messages.stream(**{"model": MODEL, "max_tokens": 20_000, "messages": USER, **more})


for name, client in [("anthropic-python", straight), ("anthropic-python on Vertex", vertex)]:

    @check(f"{name} whole and streamed, in odd but lawful ways")
    def _(client=client):
        script()
        done = ask(client)
        same((done.content[0].text, done.stop_reason), (TEXT, "end_turn"), "whole")
        same((done.usage.input_tokens, done.usage.output_tokens), (2, WORDS), "usage")
        for manner in ["", 'drip = "0ms"', "crlf = true", "split = 7"]:
            rule(manner)
            with stream(client) as events:
                text = "".join(events.text_stream)
                done = events.get_final_message()
            same((text, done.stop_reason), (TEXT, "end_turn"), f"streamed with {manner!r}")
            same(done.usage.output_tokens, WORDS, "usage")

    @check(f"{name} calls a tool and hears its result")
    def _(client=client):
        script()
        call = ask(client, tools=TOOLS, tool_choice={"type": "any"})
        same((call.content[0].input, call.stop_reason), ({"city": "sample"}, "tool_use"), "call")
        with stream(client, tools=TOOLS, tool_choice={"type": "any"}) as events:
            done = events.get_final_message()
        same(done.content[0].input, {"city": "sample"}, "streamed call")
        result = {"type": "tool_result", "tool_use_id": call.content[0].id, "content": "21 degrees"}
        turns = [*USER, {"role": "assistant", "content": call.content}, {"role": "user", "content": [result]}]
        assert "21 degrees" in ask(client, messages=turns, tools=TOOLS).content[0].text

    @check(f"{name} errors are the SDK's own")
    def _(client=client):
        for preset, kind in [
            ("rate_limit", anthropic.RateLimitError),
            ("invalid_key", anthropic.AuthenticationError),
            ("model_not_found", anthropic.NotFoundError),
            ("context_length", anthropic.BadRequestError),
            ("server_error", anthropic.InternalServerError),
            ("overloaded_529", anthropic.InternalServerError),
        ]:
            rule(f'preset = "{preset}"')
            raises(kind, lambda: ask(client), preset)
        rule('error_event = { after_chunks = 2, preset = "overloaded_529" }')

        def read():
            with stream(client) as events:
                return events.get_final_message()

        error = raises(anthropic.APIStatusError, read, "error in a stream")
        same(error.body["error"]["type"], "overloaded_error", "its type")


@check("anthropic-python sends an image, is cut at its limit, and thinks")
def _():
    script('[[rule]]\ncalls = "2..3"\nthinking = "Which city?"')
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    turns = [{"role": "user", "content": [picture, {"type": "text", "text": PROMPT}]}]
    same(ask(straight, messages=turns, max_tokens=3).stop_reason, "max_tokens", "stop reason")
    assert PNG in received()[0]["body"], "the image did not arrive"
    same([block.type for block in ask(straight).content], ["thinking", "text"], "blocks")
    with stream(straight) as events:
        done = events.get_final_message()
    same((done.content[0].thinking, done.content[1].text), ("Which city?", TEXT), "streamed blocks")


@check("anthropic-python a stream of 10 000 chunks")
def _():
    script("words = 10000", text=None)
    with stream(straight) as events:
        same(len(events.get_final_text().split()), 10_000, "words")


@check("anthropic-python lists models")
def _():
    script('models = ["a", "b"]')
    same([model.id for model in straight.models.list()], ["a", "b"], "models")


run()
