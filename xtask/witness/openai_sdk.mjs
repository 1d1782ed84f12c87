// openai (Node): chat completions, responses, embeddings, models.

import OpenAI from "openai";
import { BASE, CITY, PNG, PROMPT, TEXT, WORDS, check, raises, received, rule, run, same, script } from "./common.mjs";

const client = new OpenAI({ baseURL: `${BASE}/v1`, apiKey: "sk-witness", maxRetries: 0, timeout: 20_000 });
const USER = [{ role: "user", content: PROMPT }];
const FUNCTION = { type: "function", name: "get_weather", parameters: CITY, strict: true };
const TOOLS = [{ type: "function", function: { name: "get_weather", parameters: CITY } }];

const chat = (more) => client.chat.completions.create({ model: "gpt-5-mini", messages: USER, ...more });
const respond = (more) => client.responses.create({ model: "gpt-5-mini", input: PROMPT, ...more });

async function all(stream) {
  const events = [];
  for await (const event of await stream) events.push(event);
  return events;
}

check("openai-node chat whole and streamed, in odd but lawful ways", async () => {
  await script();
  const done = await chat();
  same([done.choices[0].message.content, done.choices[0].finish_reason], [TEXT, "stop"], "whole");
  same(done.usage.total_tokens, 2 + WORDS, "usage");
  for (const manner of ["", 'drip = "0ms"', "crlf = true", "split = 7"]) {
    await rule(manner);
    const chunks = await all(chat({ stream: true, stream_options: { include_usage: true } }));
    same(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), TEXT, `streamed with ${manner}`);
    same(chunks.at(-1).usage.completion_tokens, WORDS, "usage");
  }
});

check("openai-node chat calls a tool, hears its result and sends an image", async () => {
  await script();
  const asked = { tools: TOOLS, tool_choice: "required" };
  const call = (await chat(asked)).choices[0].message;
  same(call.tool_calls[0].function.arguments, '{"city":"sample"}', "call");
  const stream = client.chat.completions.stream({ model: "m", messages: USER, ...asked });
  const done = (await stream.finalChatCompletion()).choices[0].message;
  same(done.tool_calls[0].function.name, "get_weather", "streamed call");
  const result = { role: "tool", tool_call_id: call.tool_calls[0].id, content: "21 degrees" };
  const after = await chat({ messages: [...USER, call, result], tools: TOOLS });
  same(after.choices[0].message.content.includes("21 degrees"), true, "the result is heard");
  await script();
  const url = `data:image/png;base64,${PNG}`;
  await chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] });
  same((await received())[0].body.includes(PNG), true, "the image arrives");
});

check("openai-node responses whole and streamed, in odd but lawful ways", async () => {
  await script();
  const done = await respond();
  same([done.output_text, done.status, done.usage.total_tokens], [TEXT, "completed", 2 + WORDS], "whole");
  for (const manner of ["", 'drip = "0ms"', "crlf = true", "split = 7", 'thinking = "Which city?"']) {
    await rule(manner);
    const stream = client.responses.stream({ model: "m", input: PROMPT });
    let text = "";
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    const final = await stream.finalResponse();
    same([text, final.output_text, final.status], [TEXT, TEXT, "completed"], `streamed with ${manner}`);
  }
});

check("openai-node responses call a function, hear its output and keep to a schema", async () => {
  await script();
  const asked = { tools: [FUNCTION], tool_choice: "required" };
  const call = (await respond(asked)).output[0];
  same([call.type, call.arguments], ["function_call", '{"city":"sample"}'], "call");
  const done = await client.responses.stream({ model: "m", input: PROMPT, ...asked }).finalResponse();
  same(done.output[0].arguments, '{"city":"sample"}', "streamed call");
  const output = { type: "function_call_output", call_id: call.call_id, output: "21 degrees" };
  const after = await respond({ input: [...USER, call, output] });
  same(after.output_text.includes("21 degrees"), true, "the output is heard");
  const format = { type: "json_schema", name: "city", schema: CITY, strict: true };
  same(JSON.parse((await respond({ text: { format } })).output_text), { city: "sample" }, "JSON");
});

check("openai-node errors are the SDK's own", async () => {
  for (const [preset, kind] of [
    ["rate_limit", OpenAI.RateLimitError],
    ["invalid_key", OpenAI.AuthenticationError],
    ["model_not_found", OpenAI.NotFoundError],
    ["context_length", OpenAI.BadRequestError],
    ["server_error", OpenAI.InternalServerError],
  ]) {
    await rule(`preset = "${preset}"`);
    await raises(kind, () => chat(), preset);
    await raises(kind, () => respond(), preset);
  }
  await rule('error_event = { after_chunks = 2, preset = "server_error" }');
  await raises(OpenAI.APIError, () => all(chat({ stream: true })), "error in a chat stream");
  same((await all(respond({ stream: true }))).at(-1).type, "response.failed", "error in a response");
});

check("openai-node embeddings, models and a stream of 10 000 chunks", async () => {
  await script('models = ["a", "b"]\nwords = 10000', null);
  same((await all(client.models.list())).map((model) => model.id), ["a", "b"], "models");
  const made = await client.embeddings.create({ model: "a", input: ["one", "two"] });
  same(made.data.map((item) => item.embedding.length), [8, 8], "vectors");
  const events = await all(respond({ model: "a", stream: true }));
  const deltas = events.filter((event) => event.type === "response.output_text.delta");
  same([deltas.length, events.at(-1).type], [10_000, "response.completed"], "deltas");
});

await run();
