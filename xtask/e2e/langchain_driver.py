"""The chat models of LangChain, unmodified; see driver.py, which calls this."""

import json

from driver import TOOL, leaves, of_interest


class Langchain:
    """What both of LangChain's chat models have in common: the interface is LangChain's own."""

    def ask(self, call, partial):
        content = call["prompt"]
        if call.get("image"):
            url = "data:image/png;base64," + call["image"]
            content = [
                {"type": "text", "text": call["prompt"]},
                {"type": "image_url", "image_url": {"url": url}},
            ]
        messages = [("user", content)]
        if call.get("system"):
            messages.insert(0, ("system", call["system"]))
        answer, said = self.turn(call, messages, partial)
        if call.get("tool") and answer["tools"]:
            from langchain_core.messages import ToolMessage

            asked = answer["tools"][0]
            messages += [said, ToolMessage(call["tool"], tool_call_id=asked["id"])]
            answer["after_tool"], _ = self.turn({**call, "tool": None, "tools": True}, messages, partial)
        return answer

    def turn(self, call, messages, partial):
        model = self.model
        if call.get("tool") or call.get("tools"):
            tool = {"name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["schema"]}
            choice = {"tool_choice": "any"} if call.get("tool") else {}
            model = model.bind_tools([{"type": "function", "function": tool}], **choice)
        if call.get("schema"):
            model = self.with_schema(model)
        if not call["stream"]:
            said = model.invoke(messages)
            return self.made(said, 1), said
        said, chunks = None, 0
        stream = model.stream(messages)
        for chunk in stream:
            chunks += 1
            said = chunk if said is None else said + chunk
            partial.append(text_of(chunk))
            if leaves(call, partial):
                stream.close()
                break
        partial.clear()
        return self.made(said, chunks), said

    def made(self, said, chunks):
        about = said.response_metadata
        usage = said.usage_metadata
        return {
            "text": text_of(said),
            "finish": about.get("finish_reason") or about.get("stop_reason"),
            "model": about.get("model_name") or about.get("model"),
            "tools": [
                {"id": tool["id"], "name": tool["name"], "arguments": json.dumps(tool["args"])}
                for tool in said.tool_calls
            ],
            "usage": usage and {"input": usage["input_tokens"], "output": usage["output_tokens"]},
            "chunks": chunks,
            "headers": of_interest(about.get("headers") or {}),
        }


def text_of(message):
    """Its text: a string, or the text blocks of a list."""
    if isinstance(message.content, str):
        return message.content
    return "".join(
        block if isinstance(block, str) else block.get("text", "")
        for block in message.content
        if isinstance(block, str) or block.get("type") == "text"
    )


class LangchainOpenAi(Langchain):
    sdk = "langchain_openai"

    def __init__(self, sdk, call):
        self.model = sdk.ChatOpenAI(
            model=call["model"],
            base_url=call["base_url"] + "/v1",
            api_key="sk-e2e",
            max_retries=0,
            timeout=40,
            stream_usage=True,
            use_responses_api=False,
            include_response_headers=True,
        )

    @staticmethod
    def with_schema(model):
        schema = {"name": "weather", "strict": True, "schema": TOOL["schema"]}
        return model.bind(response_format={"type": "json_schema", "json_schema": schema})


class LangchainAnthropic(Langchain):
    sdk = "langchain_anthropic"

    def __init__(self, sdk, call):
        self.model = sdk.ChatAnthropic(
            model=call["model"],
            base_url=call["base_url"],
            api_key="sk-ant-e2e",
            max_retries=0,
            timeout=40,
            max_tokens=64_000,
        )

    @staticmethod
    def with_schema(model):
        return model.bind(output_config={"format": {"type": "json_schema", "schema": TOOL["schema"]}})
