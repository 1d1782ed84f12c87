// Makes calls of the Responses API with the official, unmodified OpenAI SDK for Node, as `cargo xtask e2e` asks for them.

import OpenAI from "openai";
import { TOOL, drive, leaves, ofInterest } from "./common.mjs";

const FUNCTION = { type: "function", name: TOOL.name, description: TOOL.description, parameters: TOOL.schema, strict: true };
const FORMAT = { type: "json_schema", name: "weather", strict: true, schema: TOOL.schema };

async function ask(call, partial) {
  const content = [{ type: "input_text", text: call.prompt }];
  if (call.image) {
    content.push({ type: "input_image", detail: "auto", image_url: `data:image/png;base64,${call.image}` });
  }
  const input = [{ role: "user", content }];
  const answer = await turn(call, input, partial);
  const [tool] = answer.tools;
  if (call.tool && tool) {
    input.push({ type: "function_call", call_id: tool.id, name: tool.name, arguments: tool.arguments });
    input.push({ type: "function_call_output", call_id: tool.id, output: call.tool });
    answer.after_tool = await turn({ ...call, tool: null, tools: true }, input, partial);
  }
  return answer;
}

async function turn(call, input, partial) {
  // The stream's helper keeps the headers to itself.
  let response;
  const client = new OpenAI({
    baseURL: `${call.base_url}/v1`,
    apiKey: "sk-e2e",
    maxRetries: 0,
    timeout: 40_000,
    fetch: async (...asked) => (response = await fetch(...asked)),
  });
  const args = { model: call.model, input };
  if (call.system) args.instructions = call.system;
  if (call.tool || call.tools) {
    args.tools = [FUNCTION];
    args.tool_choice = call.tool ? "required" : "auto";
  }
  if (call.schema) args.text = { format: FORMAT };
  if (!call.stream) {
    const done = await client.responses.create(args);
    return made(response, done, 1);
  }
  const stream = client.responses.stream(args);
  let chunks = 0;
  for await (const event of stream) {
    chunks += 1;
    if (event.type === "response.output_text.delta") partial.push(event.delta);
    if (leaves(call, partial)) {
      stream.abort();
      return { text: partial.join(""), tools: [] };
    }
  }
  const done = await stream.finalResponse();
  const text = partial.join("");
  if (text !== done.output_text) throw new Error(`the pieces are ${text}, the whole is ${done.output_text}`);
  partial.length = 0;
  return made(response, done, chunks);
}

function made(response, done, chunks) {
  return {
    text: done.output_text,
    finish: done.status,
    model: done.model,
    tools: done.output
      .filter((item) => item.type === "function_call")
      .map(({ call_id, name, arguments: text }) => ({ id: call_id, name, arguments: text })),
    usage: done.usage && { input: done.usage.input_tokens, output: done.usage.output_tokens },
    chunks,
    headers: ofInterest(response.headers),
  };
}

await drive(ask);
