// Makes calls with the Vercel AI SDK and its official providers, unmodified, as `cargo xtask e2e` asks for them.
//
// Usage: ai.mjs openai | anthropic

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, jsonSchema, streamText, tool } from "ai";
import { TOOL, drive, leaves, ofInterest } from "./common.mjs";

const WIRES = {
  openai: (call) => createOpenAI({ baseURL: `${call.base_url}/v1`, apiKey: "sk-e2e" }).chat(call.model),
  anthropic: (call) => createAnthropic({ baseURL: `${call.base_url}/v1`, apiKey: "sk-ant-e2e" })(call.model),
};
const model = WIRES[process.argv[2]];

// It writes what went wrong on the console; what is asked for is in the result.
globalThis.AI_SDK_LOG_WARNINGS = false;

async function ask(call, partial) {
  const content = [{ type: "text", text: call.prompt }];
  if (call.image) content.push({ type: "image", image: call.image, mediaType: "image/png" });
  const messages = [{ role: "user", content }];
  const [answer, said] = await turn(call, messages, partial);
  const [asked] = answer.tools;
  if (call.tool && asked) {
    messages.push(...said);
    const output = { type: "text", value: call.tool };
    const result = { type: "tool-result", toolCallId: asked.id, toolName: asked.name, output };
    messages.push({ role: "tool", content: [result] });
    [answer.after_tool] = await turn({ ...call, tool: null, tools: true }, messages, partial);
  }
  return answer;
}

async function turn(call, messages, partial) {
  const leave = new AbortController();
  const args = { model: model(call), messages, maxRetries: 0, abortSignal: AbortSignal.any([leave.signal, AbortSignal.timeout(40_000)]) };
  // For a model it does not know, the provider for Anthropic asks for no more than 4096.
  if (process.argv[2] === "anthropic") args.maxOutputTokens = 64_000;
  if (call.system) args.system = call.system;
  if (call.tool || call.tools) {
    // A tool without `execute` is the caller's to run.
    args.tools = { [TOOL.name]: tool({ description: TOOL.description, inputSchema: jsonSchema(TOOL.schema) }) };
    args.toolChoice = call.tool ? "required" : "auto";
  }
  if (call.schema) args.output = Output.object({ schema: jsonSchema(TOOL.schema) });
  if (!call.stream) {
    const done = await generateText(args);
    return [await made(done, done.text, 1), done.response.messages];
  }
  const done = streamText({ ...args, onError: () => {} });
  let chunks = 0;
  for await (const part of done.fullStream) {
    chunks += 1;
    if (part.type === "error") {
      // Promises of a stream that failed reject too; nobody waits for them here.
      for (const promise of ["finishReason", "usage", "response", "toolCalls", "text"]) {
        Promise.resolve(done[promise]).catch(() => {});
      }
      throw part.error instanceof Error ? part.error : Object.assign(new Error(JSON.stringify(part.error)), { name: "error event" });
    }
    if (part.type === "text-delta") partial.push(part.text);
    if (leaves(call, partial)) {
      leave.abort();
      return [{ text: partial.join(""), tools: [] }, []];
    }
  }
  const text = partial.join("");
  const answer = await made(done, text, chunks);
  partial.length = 0;
  return [answer, (await done.response).messages];
}

async function made(done, text, chunks) {
  const [response, usage, calls] = [await done.response, await done.usage, await done.toolCalls];
  return {
    text,
    finish: await done.finishReason,
    model: response.modelId,
    tools: calls.map(({ toolCallId, toolName, input }) => ({ id: toolCallId, name: toolName, arguments: JSON.stringify(input) })),
    usage: { input: usage.inputTokens, output: usage.outputTokens },
    chunks,
    headers: ofInterest(response.headers),
  };
}

await drive(ask);
