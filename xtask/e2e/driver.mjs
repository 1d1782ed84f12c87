// Makes calls with the official, unmodified OpenAI SDK for Node, as `cargo xtask e2e` asks for them.
//
// It says when it is ready. Then one JSON object a line on standard input is one call; one JSON object a line on standard
// output is what the SDK made of it: the answer, or its own exception. Nothing is judged here: that is done where both
// sides are known.

import { createInterface } from "node:readline";
import OpenAI from "openai";

const TOOL = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

// The headers by which the gateway says what it did.
function ofInterest(headers) {
  const kept = {};
  headers?.forEach((value, name) => {
    if (name.startsWith("x-llm-") || name === "retry-after" || name === "x-request-id") kept[name] = value;
  });
  return kept;
}

async function ask(client, call, partial) {
  const messages = [{ role: "user", content: call.prompt }];
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

async function turn(client, call, messages, partial) {
  const args = { model: call.model, messages };
  if (call.tool || call.tools) {
    args.tools = [TOOL];
    args.tool_choice = call.tool ? "required" : "auto";
  }
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
    if (call.leave_after && partial.filter(Boolean).length >= call.leave_after) break;
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

function classesOf(error) {
  const names = [];
  for (let proto = Object.getPrototypeOf(error); proto; proto = Object.getPrototypeOf(proto)) {
    names.push(proto.constructor.name);
  }
  return names;
}

async function serve(call) {
  const partial = [];
  try {
    const client = new OpenAI({ baseURL: `${call.base_url}/v1`, apiKey: "sk-e2e", maxRetries: 0, timeout: 40_000 });
    if (call.op === "models") {
      const models = [];
      for await (const model of client.models.list()) models.push(model.id);
      return { ok: true, models };
    }
    return { ok: true, ...(await ask(client, call, partial)) };
  } catch (error) {
    // Every exception is a result here.
    const [first] = classesOf(error);
    return {
      ok: false,
      class: first,
      classes: classesOf(error),
      status: error.status ?? null,
      code: error.code ?? null,
      type: error.type ?? null,
      message: String(error.message ?? error),
      partial: partial.join(""),
      headers: ofInterest(error.headers),
    };
  }
}

// Loading an SDK takes seconds on a cold machine; no call's time shall hold it.
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await serve(JSON.parse(line)))}\n`);
}
