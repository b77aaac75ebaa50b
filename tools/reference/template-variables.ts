import type { Json } from "./subject.ts";

/** Variables of generated templates. */
export const templateVariables: { readonly [name: string]: Json } = {
  s: "Hello, World",
  t: "a-b_c",
  wide: "naïve 𝄞 ǅ ß Ω",
  padded: "  \n x\t ",
  lines: "one\n  two\r\nthree\n",
  n: 3,
  f: 0.5,
  zero: 0,
  flag: true,
  xs: [3, 1, 2, 1],
  d: { name: "Ann", n: 4, "a b": "<&>", items: [1], none: null, deep: { k: [true, 1.5, "'"] } },
  m: { role: "user", content: "Hi  there\n" },
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "What is 2 < 3?\n" },
    { role: "assistant", content: null, tool_calls: [{ id: "1", function: { name: "f" } }] },
    { role: "tool", content: "é\"'\\" },
    { role: "Assistant", content: "" },
  ],
  tools: [
    {
      type: "function",
      function: { name: "f", description: "Says \"é\"", parameters: { type: "object", required: [] } },
    },
  ],
};
