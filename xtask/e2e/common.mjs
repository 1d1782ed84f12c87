// What all drivers for Node share: calls come in as lines, what an SDK made of them goes out as lines. Nothing is judged
// here: that is done where both sides are known.

import { createInterface } from "node:readline";

export const TOOL = {
  name: "get_weather",
  description: "The weather of a city.",
  schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};

// The headers by which the gateway says what it did: of a `Headers` object or of a plain one.
export function ofInterest(headers) {
  const entries = headers?.entries ? [...headers.entries()] : Object.entries(headers ?? {});
  return Object.fromEntries(
    entries.filter(([name]) => name.startsWith("x-llm-") || name === "retry-after" || name === "x-request-id"),
  );
}

// Whether the caller hangs up here: after so many pieces of text.
export function leaves(call, partial) {
  return call.leave_after && partial.filter(Boolean).length >= call.leave_after;
}

function classesOf(error) {
  const names = [];
  for (let proto = Object.getPrototypeOf(error); proto; proto = Object.getPrototypeOf(proto)) {
    names.push(proto.constructor.name);
  }
  return names;
}

// What lies under an exception: of "Connection error." the cause is all that tells anything.
function causesOf(error) {
  const causes = [];
  for (let cause = error.cause; cause && causes.length < 5; cause = cause.cause) {
    causes.push(cause.code ? `${cause.code}: ${cause.message}` : String(cause.message ?? cause));
  }
  return causes;
}

// Every exception is a result here.
function failed(error, partial) {
  const [first] = classesOf(error);
  return {
    ok: false,
    class: first,
    classes: classesOf(error),
    status: error.status ?? error.statusCode ?? null,
    code: error.code ?? null,
    type: error.type ?? null,
    message: String(error.message ?? error),
    causes: causesOf(error),
    partial: partial.join(""),
    headers: ofInterest(error.headers ?? error.responseHeaders),
  };
}

// `ask(call, partial)` makes one call and returns what the SDK made of it; `partial` collects the text that has come.
export async function drive(ask) {
  // Loading an SDK takes seconds on a cold machine, and its first call loads the rest of it; no call's time shall hold that. Nobody listens there.
  const nobody = { op: "ask", base_url: "http://127.0.0.1:1", model: "none", prompt: "Hello.", stream: true };
  await ask(nobody, []).catch(() => {});
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const partial = [];
    const start = performance.now();
    const result = await ask(JSON.parse(line), partial).then(
      (answer) => ({ ok: true, ...answer }),
      (error) => failed(error, partial),
    );
    result.took_ms = Math.round(performance.now() - start);
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
}
