// @anthropic-ai/sdk (Node): messages.

import Anthropic from "@anthropic-ai/sdk";
import { BASE, CITY, PNG, PROMPT, TEXT, WORDS, check, raises, received, rule, run, same, script } from "./common.mjs";

const client = new Anthropic({ baseURL: BASE, apiKey: "sk-ant-witness", maxRetries: 0, timeout: 20_000 });
const USER = [{ role: "user", content: PROMPT }];
const TOOLS = [{ name: "get_weather", input_schema: CITY }];

const asked = (more) => ({ model: "claude-opus-4-8", max_tokens: 20_000, messages: USER, ...more });
const ask = (more) => client.messages.create(asked({ max_tokens: 256, ...more }));
const stream = (more) => client.messages.stream(asked(more)).finalMessage();

check("anthropic-node whole and streamed, in odd but lawful ways", async () => {
  await script();
  const done = await ask();
  same([done.content[0].text, done.stop_reason, done.usage.output_tokens], [TEXT, "end_turn", WORDS], "whole");
  for (const manner of ["", 'drip = "0ms"', "crlf = true", "split = 7"]) {
    await rule(manner);
    const message = await stream();
    same([message.content[0].text, message.stop_reason], [TEXT, "end_turn"], `streamed with ${manner}`);
  }
});

check("anthropic-node calls a tool, hears its result, sends an image and thinks", async () => {
  await script();
  const choice = { tools: TOOLS, tool_choice: { type: "any" } };
  const call = await ask(choice);
  same([call.content[0].input, call.stop_reason], [{ city: "sample" }, "tool_use"], "call");
  same((await stream(choice)).content[0].input, { city: "sample" }, "streamed call");
  const result = { type: "tool_result", tool_use_id: call.content[0].id, content: "21 degrees" };
  const turns = [...USER, { role: "assistant", content: call.content }, { role: "user", content: [result] }];
  same((await ask({ messages: turns, tools: TOOLS })).content[0].text.includes("21 degrees"), true, "the result is heard");
  await rule('thinking = "Which city?"');
  const source = { type: "base64", media_type: "image/png", data: PNG };
  const message = await stream({ messages: [{ role: "user", content: [{ type: "image", source }] }] });
  same(message.content.map((block) => block.type), ["thinking", "text"], "blocks");
  same((await received())[0].body.includes(PNG), true, "the image arrives");
});

check("anthropic-node errors are the SDK's own", async () => {
  for (const [preset, kind] of [
    ["rate_limit", Anthropic.RateLimitError],
    ["invalid_key", Anthropic.AuthenticationError],
    ["model_not_found", Anthropic.NotFoundError],
    ["context_length", Anthropic.BadRequestError],
    ["overloaded_529", Anthropic.InternalServerError],
  ]) {
    await rule(`preset = "${preset}"`);
    await raises(kind, () => ask(), preset);
  }
  await rule('error_event = { after_chunks = 2, preset = "overloaded_529" }');
  await raises(Anthropic.APIError, () => stream(), "error in a stream");
});

check("anthropic-node a stream of 10 000 chunks", async () => {
  await script("words = 10000", null);
  same((await stream()).content[0].text.split(" ").length, 10_000, "words");
});

await run();
