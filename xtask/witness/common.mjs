// What the witnesses in Node share; the same as common.py.

export const [BASE, FILTER = ""] = process.argv.slice(2);
export const TEXT = "One déjà 你好 🙂 two three.";
export const WORDS = 6;
export const PROMPT = "hello there";
export const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
// A picture of one pixel.
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const checks = [];

export function check(title, body) {
  checks.push([`witness ${title}`, body]);
}

async function control(method, verb, body) {
  const response = await fetch(`${BASE}/_sim/${verb}`, { method, body });
  const answer = await response.json();
  if (!response.ok) throw new Error(`the simulator refused: ${answer.error}`);
  return answer;
}

export async function script(toml = "", text = TEXT) {
  const says = text === null ? "" : `text = "${text}"\n`;
  await control("POST", "script", says + toml);
  await control("POST", "reset", "");
}

export const rule = (toml) => script(`[[rule]]\n${toml}`);

export const received = async () => (await control("GET", "received")).received;

export function same(got, wanted, what) {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}: got ${left}, wanted ${right}`);
}

export async function raises(kind, call, what) {
  let made;
  try {
    made = await call();
  } catch (error) {
    if (error instanceof kind) return error;
    throw new Error(`${what}: ${error.constructor.name} instead of ${kind.name}: ${error.message}`);
  }
  throw new Error(`${what}: no ${kind.name}, but ${JSON.stringify(made)}`);
}

export async function run() {
  for (const [title, body] of checks) {
    if (!title.includes(FILTER)) continue;
    const wrong = [];
    try {
      await body();
    } catch (error) {
      wrong.push(error.stack ?? String(error));
    }
    console.log(JSON.stringify({ title, wrong }));
  }
}
