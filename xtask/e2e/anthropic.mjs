// Makes calls with the official, unmodified Anthropic SDK for Node, as `cargo xtask e2e` asks for them.

import Anthropic from "@anthropic-ai/sdk";
import { TOOL, drive, leaves, ofInterest } from "./common.mjs";

async function ask(call, partial) {
  const client = new Anthropic({ baseURL: call.base_url, apiKey: "sk-ant-e2e", maxRetries: 0, timeout: 40_000 });
  if (call.op === "models") {
    const models = [];
    for await (const model of client.models.list()) models.push(model.id);
    const messages = [{ role: "user", content: call.prompt }];
    const { input_tokens: counted } = await client.messages.countTokens({ model: call.model, messages });
    return { models, counted };
  }
  const content = [{ type: "text", text: call.prompt }];
  if (call.image) {
    content.push({ type: "image", source: { type: "base64", media_type: "image/png", data: call.image } });
  }
  const messages = [{ role: "user", content }];
  const answer = await turn(client, call, messages, partial);
  const [tool] = answer.tools;
  if (call.tool && tool) {
    const use = { type: "tool_use", id: tool.id, name: tool.name, input: JSON.parse(tool.arguments) };
    messages.push({ role: "assistant", content: [use] });
    messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: tool.id, content: call.tool }] });
    answer.after_tool = await turn(client, { ...call, tool: null, tools: true }, messages, partial);
  }
  return answer;
}

async function turn(client, call, messages, partial) {
  const args = { model: call.model, messages, max_tokens: 64_000 };
  if (call.system) args.system = call.system;
  if (call.tool || call.tools) {
    args.tools = [{ name: TOOL.name, description: TOOL.description, input_schema: TOOL.schema }];
    args.tool_choice = { type: call.tool ? "any" : "auto" };
  }
  if (call.schema) args.output_config = { format: { type: "json_schema", schema: TOOL.schema } };
  if (!call.stream) {
    const { data, response } = await client.messages.create(args, { timeout: 40_000 }).withResponse();
    return made(response, data, 1);
  }
  const stream = client.messages.stream(args);
  let chunks = 0;
  for await (const event of stream) {
    chunks += 1;
    if (event.type === "content_block_delta" && event.delta.type === "text_delta") partial.push(event.delta.text);
    if (leaves(call, partial)) {
      stream.abort();
      return { text: partial.join(""), tools: [] };
    }
  }
  const { response } = await stream.withResponse();
  const done = await stream.finalMessage();
  partial.length = 0;
  return made(response, done, chunks);
}

function made(response, done, chunks) {
  const of = (type) => done.content.filter((block) => block.type === type);
  return {
    text: of("text").map((block) => block.text).join(""),
    finish: done.stop_reason,
    model: done.model,
    tools: of("tool_use").map(({ id, name, input }) => ({ id, name, arguments: JSON.stringify(input) })),
    usage: { input: done.usage.input_tokens, output: done.usage.output_tokens },
    chunks,
    headers: ofInterest(response.headers),
  };
}

await drive(ask);
