"""boto3: Bedrock's Converse, signed, with its binary stream."""

import base64
import json

import boto3
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import ClientError, EventStreamError
from common import BASE, CITY, PNG, PROMPT, TEXT, WORDS, check, raises, received, rule, run, same, script

MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
USER = [{"role": "user", "content": [{"text": PROMPT}]}]
SPEC = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": CITY}}}
TOOLS = {"toolConfig": {"tools": [SPEC], "toolChoice": {"any": {}}}}

client = boto3.client(
    "bedrock-runtime",
    endpoint_url=BASE,
    region_name="us-east-1",
    aws_access_key_id="AKIDWITNESS",
    aws_secret_access_key="secret",
    config=Config(retries={"max_attempts": 0}, read_timeout=20),
)


def ask(**more):
    return client.converse(**{"modelId": MODEL, "messages": USER, **more})


def stream(**more):
    return list(client.converse_stream(**{"modelId": MODEL, "messages": USER, **more})["stream"])


def deltas(events):
    return [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]


@check("boto3 converse whole")
def _():
    script()
    done = ask()
    same(done["output"]["message"], {"role": "assistant", "content": [{"text": TEXT}]}, "message")
    same((done["stopReason"], done["usage"]["totalTokens"]), ("end_turn", 2 + WORDS), "reason and usage")
    same(received()[0]["model"], MODEL, "the model in the path")
    same(ask(inferenceConfig={"maxTokens": 3})["stopReason"], "max_tokens", "cut")


@check("boto3 converse_stream, in odd but lawful ways")
def _():
    for manner in ["", 'drip = "0ms"', "crlf = true", "split = 7", 'keep_alive = "10ms"']:
        rule(manner)
        events = stream()
        same("".join(delta["text"] for delta in deltas(events)), TEXT, f"streamed with {manner!r}")
        same(list(events[-2]), ["messageStop"], "the last but one")
        same(events[-1]["metadata"]["usage"]["outputTokens"], WORDS, "usage")


@check("boto3 calls a tool and hears its result")
def _():
    script()
    call = ask(**TOOLS)
    used = call["output"]["message"]["content"][0]["toolUse"]
    same((used["input"], call["stopReason"]), ({"city": "sample"}, "tool_use"), "call")
    pieces = [delta["toolUse"]["input"] for delta in deltas(stream(**TOOLS))]
    same(json.loads("".join(pieces)), {"city": "sample"}, "streamed call")
    result = {"toolResult": {"toolUseId": used["toolUseId"], "content": [{"text": "21 degrees"}]}}
    turns = [*USER, call["output"]["message"], {"role": "user", "content": [result]}]
    assert "21 degrees" in ask(messages=turns, **TOOLS)["output"]["message"]["content"][0]["text"]


@check("boto3 sends an image, keeps to a schema, and thinks")
def _():
    script()
    picture = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}}
    schema = {"jsonSchema": {"name": "city", "schema": json.dumps(CITY)}}
    turns = [{"role": "user", "content": [{"text": PROMPT}, picture]}]
    done = ask(messages=turns, outputConfig={"textFormat": {"type": "json_schema", "structure": schema}})
    same(json.loads(done["output"]["message"]["content"][0]["text"]), {"city": "sample"}, "JSON")
    assert PNG in received()[0]["body"], "the image did not arrive"
    rule('thinking = "Which city?"')
    thought = ask()["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]["text"]
    same(thought, "Which city?", "thinking")
    events = deltas(stream())
    same("".join(d["reasoningContent"].get("text", "") for d in events if "reasoningContent" in d), thought, "streamed")


@check("boto3 errors are the client's own")
def _():
    for preset, kind, code in [
        ("rate_limit", client.exceptions.ThrottlingException, "ThrottlingException"),
        ("overloaded_529", client.exceptions.ServiceUnavailableException, "ServiceUnavailableException"),
        ("server_error", client.exceptions.InternalServerException, "InternalServerException"),
        ("context_length", client.exceptions.ValidationException, "ValidationException"),
        ("timeout_504", client.exceptions.ModelTimeoutException, "ModelTimeoutException"),
        ("invalid_key", ClientError, "UnrecognizedClientException"),
    ]:
        rule(f'preset = "{preset}"')
        for call in [ask, stream]:
            same(raises(kind, call, preset).response["Error"]["Code"], code, preset)


@check("boto3 sees an exception, a false checksum and a missing end in the stream")
def _():
    for preset, code in [("rate_limit", "throttlingException"), ("server_error", "internalServerException")]:
        rule(f'error_event = {{ after_chunks = 2, preset = "{preset}" }}')
        same(raises(EventStreamError, stream, preset).response["Error"]["Code"], code, preset)
    rule('garbled = "checksum"')
    raises(ChecksumMismatch, stream, "checksum")
    rule("cut = { after_chunks = 2, clean = true }")
    assert not any("messageStop" in event for event in stream()), "an end where there is none"


@check("boto3 signs what the simulator looks at")
def _():
    script('keys = ["AKIDWITNESS"]')
    same(ask()["stopReason"], "end_turn", "a known key")
    script('keys = ["AKIDWITNESS:secret"]')
    same((ask()["stopReason"], stream()[0]), ("end_turn", {"messageStart": {"role": "assistant"}}), "a known secret")
    same(ask(modelId="arn:aws:bedrock:us-east-1:1:inference-profile/a b")["stopReason"], "end_turn", "an odd model")
    script('keys = ["AKIDWITNESS:another"]')
    same(raises(ClientError, ask, "secret").response["Error"]["Code"], "InvalidSignatureException", "another secret")
    script('keys = ["AKIDOTHER"]')
    same(raises(ClientError, ask, "key").response["Error"]["Code"], "UnrecognizedClientException", "an unknown key")


@check("boto3 a stream of 10 000 chunks")
def _():
    script("words = 10000", text=None)
    same(len(deltas(stream())), 10_000, "chunks")


run()
