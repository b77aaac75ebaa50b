import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load, type LanguageModel } from "../../index.ts";
import type { Grammar } from "./grammar.ts";
import type { GrammarConstraint } from "./grammar-constraint.ts";
import { ModelGrammars } from "./model-grammars.ts";

let model: LanguageModel;
beforeAll(async () => {
  const builtin = fileURLToPath(new URL("../../../builtin/model", import.meta.url));
  model = await load(builtin, { threads: 1 });
});
afterAll(() => model.release());

const schema = (value: object): Grammar => ({
  text: JSON.stringify(value),
  kind: "schema",
  strict: true,
  param: "response_format",
});

const allows = (mask: Int32Array, id: number): boolean => ((mask[id >> 5] >>> (id & 31)) & 1) === 1;

/** Takes a text token by token; whether all of it was allowed. */
function takes(constraint: GrammarConstraint, text: string): boolean {
  return [...model.tokenizer.encode(text)].every((id) => {
    const allowed = allows(constraint.mask(), id);
    if (allowed) constraint.accept(id);
    return allowed;
  });
}

const place = schema({
  type: "object",
  properties: { city: { enum: ["Paris", "Zürich"] } },
  required: ["city"],
});

describe("a constraint", () => {
  test.each([
    ['{"city": "Paris"}', true],
    ['{\n  "city": "Zürich"\n}', true],
    ['{"city": "Rome"}', false],
    ['{"town": "Paris"}', false],
    ["Paris", false],
    [`{${" ".repeat(14)}"city": "Paris"}`, true],
    [`{${" ".repeat(40)}"city": "Paris"}`, false],
  ])("%j: %s", async (text, expected) => {
    const constraint = await new ModelGrammars(model, 5000).constraint(place);
    expect(takes(constraint, text)).toBe(expected);
    constraint.dispose();
  });

  test("allows the end when the text is whole, and only then", async () => {
    const constraint = await new ModelGrammars(model, 5000).constraint(place);
    const [eos] = model.tokenizer.eosIds;
    expect(allows(constraint.mask(), eos)).toBe(false);
    takes(constraint, '{"city": "Paris"}');
    expect(constraint.isFinished()).toBe(false);
    expect(allows(constraint.mask(), eos)).toBe(true);
    constraint.accept(eos);
    expect(constraint.isFinished()).toBe(true);
    constraint.dispose();
  });

  test("is the same read ahead and read when it is asked for", async () => {
    const grammars = new ModelGrammars(model, 5000);
    const [ahead, now] = [await grammars.constraint(place), await grammars.constraint(place)];
    const [first] = model.tokenizer.encode("{");
    ahead.accept(first);
    now.accept(first);
    const asked = now.mask();
    await new Promise((resolve) => setImmediate(resolve));
    expect(ahead.mask()).toEqual(asked);
    ahead.dispose();
    now.dispose();
  });
});

describe("a schema that cannot be followed", () => {
  test.each([
    [{ type: "strin" }, /Unsupported type/],
    [{ $ref: "#/nowhere" }, /nowhere/],
    [{ type: "string", pattern: "^(?=a)b" }, /Lookahead/],
    [{ $ref: "#" }, /no text that it allows/],
  ])("%j is refused with the reason, and the next one is followed", async (value, reason) => {
    const grammars = new ModelGrammars(model, 5000);
    await expect(grammars.constraint(schema(value))).rejects.toMatchObject({
      status: 400,
      apiCode: "invalid_schema",
      message: expect.stringMatching(reason) as string,
    });
    const constraint = await grammars.constraint(place);
    expect(takes(constraint, '{"city": "Paris"}')).toBe(true);
    constraint.dispose();
  });

  test("one that takes for ever is stopped, and a text that is under way goes on", async () => {
    const grammars = new ModelGrammars(model, 300);
    const constraint = await grammars.constraint(place);
    const pattern = (length: number): object => ({
      type: "string",
      pattern: `[a-z]{1,${length}}x`,
    });
    const names = Array.from({ length: 300 }, (_, i): [string, object] => [
      `p${i}`,
      pattern(i + 5),
    ]);
    const endless = schema({ type: "object", properties: Object.fromEntries(names) });
    await expect(grammars.constraint(endless)).rejects.toThrow(/takes more than 0.3 s/);
    expect(takes(constraint, '{"city": "Paris"}')).toBe(true);
    constraint.dispose();
  });
});
