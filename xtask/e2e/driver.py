"""Makes calls with the official, unmodified Python SDKs, as `cargo xtask e2e` asks for them.

It says when it is ready. Then one JSON object a line on standard input is one call; one JSON object a line on standard
output is what the SDK made of it: the answer, or its own exception. Nothing is judged here: that is done where both
sides are known.

Usage: driver.py openai | openai-responses | anthropic | langchain-openai | langchain-anthropic
"""

import contextlib
import importlib
import json
import sys
import time

TOOL = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def of_interest(headers):
    """The headers by which the gateway says what it did."""
    kept = {name.lower(): value for name, value in headers.items()}
    return {
        name: value
        for name, value in kept.items()
        if name.startswith("x-llm-") or name in ("retry-after", "x-request-id")
    }


def leaves(call, partial):
    """Whether the caller hangs up here: after so many pieces of text."""
    after = call.get("leave_after")
    return bool(after) and len([part for part in partial if part]) >= after


class OpenAi:
    sdk = "openai"

    def __init__(self, sdk, call):
        self.client = sdk.OpenAI(
            base_url=call["base_url"] + "/v1", api_key="sk-e2e", max_retries=0, timeout=40
        )

    def models(self, call):
        counted = self.client.responses.input_tokens.count(model=call["model"], input=call["prompt"])
        models = [model.id for model in self.client.models.list()]
        return {"models": models, "counted": counted.input_tokens}

    def embeddings(self, call):
        # The SDK asks for base64 and decodes it.
        raw = self.client.embeddings.with_raw_response.create(
            model=call["model"], input=call["inputs"], dimensions=call["dimensions"]
        )
        done = raw.parse()
        return {
            "vectors": [item.embedding for item in done.data],
            "model": done.model,
            "usage": {"input": done.usage.prompt_tokens},
            "headers": of_interest(raw.headers),
        }

    def ask(self, call, partial):
        content = call["prompt"]
        if call.get("image"):
            url = "data:image/png;base64," + call["image"]
            content = [
                {"type": "text", "text": call["prompt"]},
                {"type": "image_url", "image_url": {"url": url}},
            ]
        messages = [{"role": "user", "content": content}]
        if call.get("system"):
            messages.insert(0, {"role": "system", "content": call["system"]})
        answer = self.turn(call, messages, partial)
        if call.get("tool") and answer["tools"]:
            tool = answer["tools"][0]
            messages.append(
                {
                    "role": "assistant",
                    "content": answer["text"] or None,
                    "tool_calls": [
                        {
                            "id": tool["id"],
                            "type": "function",
                            "function": {"name": tool["name"], "arguments": tool["arguments"]},
                        }
                    ],
                }
            )
            messages.append({"role": "tool", "tool_call_id": tool["id"], "content": call["tool"]})
            answer["after_tool"] = self.turn({**call, "tool": None, "tools": True}, messages, partial)
        return answer

    def turn(self, call, messages, partial):
        args = {"model": call["model"], "messages": messages}
        if call.get("tool") or call.get("tools"):
            function = {
                "name": TOOL["name"],
                "description": TOOL["description"],
                "parameters": TOOL["schema"],
            }
            args["tools"] = [{"type": "function", "function": function}]
            args["tool_choice"] = "required" if call.get("tool") else "auto"
        if call.get("schema"):
            schema = {"name": "weather", "strict": True, "schema": TOOL["schema"]}
            args["response_format"] = {"type": "json_schema", "json_schema": schema}
        create = self.client.chat.completions.with_raw_response.create
        if not call["stream"]:
            raw = create(**args)
            done = raw.parse()
            choice = done.choices[0]
            tools = [
                {"id": tool.id, "name": tool.function.name, "arguments": tool.function.arguments}
                for tool in choice.message.tool_calls or []
            ]
            return self.made(raw, done.model, choice.message.content, choice.finish_reason, tools, done.usage, 1)
        raw = create(stream=True, stream_options={"include_usage": True}, **args)
        model, finish, usage, chunks, tools = None, None, None, 0, {}
        stream = raw.parse()
        for chunk in stream:
            chunks += 1
            model = chunk.model or model
            usage = chunk.usage or usage
            for choice in chunk.choices:
                finish = choice.finish_reason or finish
                partial.append(choice.delta.content or "")
                for part in choice.delta.tool_calls or []:
                    tool = tools.setdefault(part.index, {"id": None, "name": "", "arguments": ""})
                    tool["id"] = part.id or tool["id"]
                    tool["name"] += (part.function and part.function.name) or ""
                    tool["arguments"] += (part.function and part.function.arguments) or ""
            if leaves(call, partial):
                stream.close()
                break
        text = "".join(partial)
        partial.clear()
        return self.made(raw, model, text, finish, list(tools.values()), usage, chunks)

    @staticmethod
    def made(raw, model, text, finish, tools, usage, chunks):
        return {
            "text": text or "",
            "finish": finish,
            "model": model,
            "tools": tools,
            "usage": usage and {"input": usage.prompt_tokens, "output": usage.completion_tokens},
            "chunks": chunks,
            "headers": of_interest(raw.headers),
        }


class Anthropic:
    sdk = "anthropic"

    def __init__(self, sdk, call):
        self.client = sdk.Anthropic(
            base_url=call["base_url"], api_key="sk-ant-e2e", max_retries=0, timeout=40
        )

    def models(self, call):
        counted = self.client.messages.count_tokens(
            model=call["model"], messages=[{"role": "user", "content": call["prompt"]}]
        )
        models = [model.id for model in self.client.models.list()]
        return {"models": models, "counted": counted.input_tokens}

    def ask(self, call, partial):
        content = [{"type": "text", "text": call["prompt"]}]
        if call.get("image"):
            source = {"type": "base64", "media_type": "image/png", "data": call["image"]}
            content.append({"type": "image", "source": source})
        messages = [{"role": "user", "content": content}]
        answer = self.turn(call, messages, partial)
        if call.get("tool") and answer["tools"]:
            tool = answer["tools"][0]
            use = {
                "type": "tool_use",
                "id": tool["id"],
                "name": tool["name"],
                "input": json.loads(tool["arguments"]),
            }
            result = {"type": "tool_result", "tool_use_id": tool["id"], "content": call["tool"]}
            messages.append({"role": "assistant", "content": [use]})
            messages.append({"role": "user", "content": [result]})
            answer["after_tool"] = self.turn({**call, "tool": None, "tools": True}, messages, partial)
        return answer

    def turn(self, call, messages, partial):
        args = {"model": call["model"], "messages": messages, "max_tokens": 64_000}
        if call.get("system"):
            args["system"] = call["system"]
        if call.get("tool") or call.get("tools"):
            args["tools"] = [
                {
                    "name": TOOL["name"],
                    "description": TOOL["description"],
                    "input_schema": TOOL["schema"],
                }
            ]
            args["tool_choice"] = {"type": "any" if call.get("tool") else "auto"}
        if call.get("schema"):
            args["output_config"] = {"format": {"type": "json_schema", "schema": TOOL["schema"]}}
        chunks = 1
        if call["stream"]:
            chunks = 0
            with self.client.messages.stream(**args) as stream:
                headers = stream.response.headers
                for event in stream:
                    chunks += 1
                    if event.type == "text":
                        partial.append(event.text)
                    if leaves(call, partial):
                        break
                if leaves(call, partial):
                    done = stream.current_message_snapshot
                else:
                    done = stream.get_final_message()
            partial.clear()
        else:
            # A long answer that is not streamed needs a timeout that was meant.
            raw = self.client.messages.with_raw_response.create(timeout=40, **args)
            headers = raw.headers
            done = raw.parse()
        return {
            "text": "".join(block.text for block in done.content if block.type == "text"),
            "finish": done.stop_reason,
            "model": done.model,
            "tools": [
                {"id": block.id, "name": block.name, "arguments": json.dumps(block.input)}
                for block in done.content
                if block.type == "tool_use"
            ],
            "usage": {"input": done.usage.input_tokens, "output": done.usage.output_tokens},
            "chunks": chunks,
            "headers": of_interest(headers),
        }


def failed(error, partial):
    response = getattr(error, "response", None)
    return {
        "ok": False,
        "class": type(error).__name__,
        "classes": [base.__name__ for base in type(error).__mro__],
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "message": str(error),
        "partial": "".join(partial),
        "headers": of_interest(response.headers) if response is not None else {},
    }


def kind_of(name):
    if name.startswith("langchain-"):
        import langchain_driver

        kinds = {"openai": langchain_driver.LangchainOpenAi, "anthropic": langchain_driver.LangchainAnthropic}
        return kinds[name.removeprefix("langchain-")]
    if name == "openai-responses":
        import responses_driver

        return responses_driver.OpenAiResponses
    return {"openai": OpenAi, "anthropic": Anthropic}[name]


def main():
    kind = kind_of(sys.argv[1])
    sdk = importlib.import_module(kind.sdk)
    # Loading an SDK takes seconds on a cold machine, and its first call loads the rest of it; no call's time shall hold that.
    with contextlib.suppress(Exception):
        nobody = {"base_url": "http://127.0.0.1:1", "model": "none", "prompt": "Hello.", "stream": True}
        kind(sdk, nobody).ask(nobody, [])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        partial = []
        start = time.monotonic()
        try:
            side = kind(sdk, call)
            # What it takes to make a client is the SDK's, and much on a busy machine.
            start = time.monotonic()
            if call["op"] == "ask":
                answer = side.ask(call, partial)
            else:
                answer = getattr(side, call["op"])(call)
            result = {"ok": True, **answer}
        except Exception as error:  # every exception is a result here
            result = failed(error, partial)
        result["took_ms"] = round((time.monotonic() - start) * 1000)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
