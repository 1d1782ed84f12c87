// Makes calls with the official, unmodified OpenAI SDK for Node, as `cargo xtask e2e` asks for them.

import OpenAI from "openai";
import { TOOL, drive, leaves, ofInterest } from "./common.mjs";

const FUNCTION = { name: TOOL.name, description: TOOL.description, parameters: TOOL.schema };
const FORMAT = { type: "json_schema", json_schema: { name: "weather", strict: true, schema: TOOL.schema } };

async function ask(call, partial) {
  const client = new OpenAI({ baseURL: `${call.base_url}/v1`, apiKey: "sk-e2e", maxRetries: 0, timeout: 40_000 });
  if (call.op === "models") {
    const models = [];
    for await (const model of client.models.list()) models.push(model.id);
    const { input_tokens: counted } = await client.responses.inputTokens.count({ model: call.model, input: call.prompt });
    return { models, counted };
  }
  if (call.op === "embeddings") return embeddings(client, call);
  const content = call.image
    ? [
        { type: "text", text: call.prompt },
        { type: "image_url", image_url: { url: `data:image/png;base64,${call.image}` } },
      ]
    : call.prompt;
  const messages = [{ role: "user", content }];
  if (call.system) messages.unshift({ role: "system", content: call.system });
  const answer = await turn(client, call, messages, partial);
  const [tool] = answer.tools;
  if (call.tool && tool) {
    messages.push({
      role: "assistant",
      content: answer.text || null,
      tool_calls: [{ id: tool.id, type: "function", function: { name: tool.name, arguments: tool.arguments } }],
    });
    messages.push({ role: "tool", tool_call_id: tool.id, content: call.tool });
    answer.after_tool = await turn(client, { ...call, tool: null, tools: true }, messages, partial);
  }
  return answer;
}

async function embeddings(client, call) {
  // The SDK asks for base64 and decodes it.
  const { data, response } = await client.embeddings
    .create({ model: call.model, input: call.inputs, dimensions: call.dimensions })
    .withResponse();
  return {
    vectors: data.data.map((item) => item.embedding),
    model: data.model,
    usage: { input: data.usage.prompt_tokens },
    headers: ofInterest(response.headers),
  };
}

async function turn(client, call, messages, partial) {
  const args = { model: call.model, messages };
  if (call.tool || call.tools) {
    args.tools = [{ type: "function", function: FUNCTION }];
    args.tool_choice = call.tool ? "required" : "auto";
  }
  if (call.schema) args.response_format = FORMAT;
  if (!call.stream) {
    const { data, response } = await client.chat.completions.create(args).withResponse();
    const [choice] = data.choices;
    const tools = (choice.message.tool_calls ?? []).map((tool) => ({
      id: tool.id,
      name: tool.function.name,
      arguments: tool.function.arguments,
    }));
    return made(response, data.model, choice.message.content, choice.finish_reason, tools, data.usage, 1);
  }
  const { data, response } = await client.chat.completions
    .create({ ...args, stream: true, stream_options: { include_usage: true } })
    .withResponse();
  let [model, finish, usage, chunks] = [null, null, null, 0];
  const tools = [];
  for await (const chunk of data) {
    chunks += 1;
    model = chunk.model || model;
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      finish = choice.finish_reason ?? finish;
      partial.push(choice.delta.content ?? "");
      for (const part of choice.delta.tool_calls ?? []) {
        const tool = (tools[part.index] ??= { id: null, name: "", arguments: "" });
        tool.id = part.id ?? tool.id;
        tool.name += part.function?.name ?? "";
        tool.arguments += part.function?.arguments ?? "";
      }
    }
    // The caller hangs up here; the SDK aborts the request when its iterator is left.
    if (leaves(call, partial)) break;
  }
  const text = partial.join("");
  partial.length = 0;
  return made(response, model, text, finish, tools, usage, chunks);
}

function made(response, model, text, finish, tools, usage, chunks) {
  return {
    text: text ?? "",
    finish,
    model,
    tools,
    usage: usage && { input: usage.prompt_tokens, output: usage.completion_tokens },
    chunks,
    headers: ofInterest(response.headers),
  };
}

await drive(ask);
