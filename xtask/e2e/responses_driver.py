"""The Responses API through the official Python SDK of OpenAI, unmodified; see driver.py, which calls this."""

from driver import TOOL, leaves, of_interest

FORMAT = {"type": "json_schema", "name": "weather", "strict": True, "schema": TOOL["schema"]}


class OpenAiResponses:
    sdk = "openai"

    def __init__(self, sdk, call):
        self.client = sdk.OpenAI(
            base_url=call["base_url"] + "/v1", api_key="sk-e2e", max_retries=0, timeout=40
        )

    def ask(self, call, partial):
        content = [{"type": "input_text", "text": call["prompt"]}]
        if call.get("image"):
            url = "data:image/png;base64," + call["image"]
            content.append({"type": "input_image", "detail": "auto", "image_url": url})
        items = [{"role": "user", "content": content}]
        answer = self.turn(call, items, partial)
        if call.get("tool") and answer["tools"]:
            tool = answer["tools"][0]
            items.append(
                {
                    "type": "function_call",
                    "call_id": tool["id"],
                    "name": tool["name"],
                    "arguments": tool["arguments"],
                }
            )
            items.append({"type": "function_call_output", "call_id": tool["id"], "output": call["tool"]})
            answer["after_tool"] = self.turn({**call, "tool": None, "tools": True}, items, partial)
        return answer

    def turn(self, call, items, partial):
        args = {"model": call["model"], "input": items}
        if call.get("system"):
            args["instructions"] = call["system"]
        if call.get("tool") or call.get("tools"):
            tool = {"type": "function", "name": TOOL["name"], "description": TOOL["description"]}
            args["tools"] = [{**tool, "parameters": TOOL["schema"], "strict": True}]
            args["tool_choice"] = "required" if call.get("tool") else "auto"
        if call.get("schema"):
            args["text"] = {"format": FORMAT}
        if not call["stream"]:
            raw = self.client.responses.with_raw_response.create(**args)
            return self.made(raw.headers, raw.parse(), 1)
        # The SDK puts the events together, and says so where the last one did not come.
        with self.client.responses.stream(**args) as stream:
            headers = stream._response.headers
            chunks = 0
            for event in stream:
                chunks += 1
                if event.type == "response.output_text.delta":
                    partial.append(event.delta)
                if leaves(call, partial):
                    return {"text": "".join(partial), "tools": []}
            done = stream.get_final_response()
        text = "".join(partial)
        if text != done.output_text:
            raise AssertionError(f"the pieces are {text!r}, the whole is {done.output_text!r}")
        partial.clear()
        return self.made(headers, done, chunks)

    @staticmethod
    def made(headers, done, chunks):
        return {
            "text": done.output_text,
            "finish": done.status,
            "model": done.model,
            "tools": [
                {"id": item.call_id, "name": item.name, "arguments": item.arguments}
                for item in done.output
                if item.type == "function_call"
            ],
            "usage": done.usage and {"input": done.usage.input_tokens, "output": done.usage.output_tokens},
            "chunks": chunks,
            "headers": of_interest(headers),
        }
