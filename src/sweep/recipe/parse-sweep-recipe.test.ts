import { describe, expect, it } from "vitest";
import { UsageError } from "../../util/errors.ts";
import { parseSweepRecipe } from "./parse-sweep-recipe.ts";
import { parseSource } from "./parse-source.ts";
import { placingFaults, sourceOfValue } from "./recipe-source.ts";

const recipe = `name: test
models:
  - { id: small, path: ./small }
variants:
  - method: [rtn, gptq]
    scheme: w4g32
    options:
      damping: 0.1
evaluation:
  texts: [text.txt]
`;

async function parse(name: string, text: string): Promise<unknown> {
  const source = parseSource(name, text);
  return placingFaults(source, async () => parseSweepRecipe(source.value));
}

/** What is said of a recipe in which one text stands in the place of another. */
async function complaint(before: string, after: string): Promise<string> {
  try {
    await parse("sweep.yaml", recipe.replace(before, after));
    return "";
  } catch (error) {
    const { message, hint } = error as { message: string; hint?: string };
    return hint === undefined ? message : `${message} | ${hint}`;
  }
}

/** Ten lists, each of eight times the one before. */
const doubled = Array.from({ length: 10 }, (_, i) => {
  const inner = i === 0 ? "1" : `*a${i - 1}`;
  return `a${i}: &a${i} [${new Array(8).fill(inner).join(", ")}]`;
}).join("\n");

describe("parseSweepRecipe", () => {
  it("reads YAML, and the same recipe as JSON or as a value", () => {
    const source = parseSource("sweep.yaml", recipe);
    const parsed = parseSweepRecipe(source.value);
    expect(parsed.retries).toBe(1);
    expect(parsed.evaluation.speedTokens).toBe(64);
    const json = parseSource("sweep.json", JSON.stringify(source.value, null, "\t"));
    expect(parseSweepRecipe(json.value)).toEqual(parsed);
    expect(parseSweepRecipe(sourceOfValue(source.value).value)).toEqual(parsed);
  });

  it.each([
    [
      "    scheme",
      "    shceme",
      "sweep.yaml:6:5: variants[0].shceme: there is no such field | did you mean scheme?",
    ],
    ["rtn, gptq", "rtn, gtpq", 'sweep.yaml:5:19: variants[0].method[1]: "gtpq" is none of'],
    ["id: small, ", "", "sweep.yaml:3:5: models[0].id: is missing"],
    [
      "  texts: [text.txt]",
      "  texts: [{ file: a, window: 1 }]",
      "sweep.yaml:10:22: evaluation.texts[0].window: expected a whole number of at least 2, got 1",
    ],
    [
      "  texts: [text.txt]",
      "  shots: -1",
      "sweep.yaml:10:3: evaluation.shots: expected a whole number of at least 0, got -1",
    ],
    [
      "scheme: w4g32",
      "scheme: 4",
      "sweep.yaml:6:5: variants[0].scheme: expected a text or a list, got 4",
    ],
    ["name: test", "name: [", "sweep.yaml:2:1: "],
    ["name: test", "name: test\nname: again", "sweep.yaml:2:1: "],
    ["name: test\n", "", "sweep.yaml:1:1: name: is missing"],
  ])("says of %j in place of %j where and what is wrong", async (before, after, said) => {
    expect(await complaint(before, after)).toContain(said);
  });

  it("refuses what is no recipe at all", async () => {
    for (const text of ["", "42", "- a", "text", "null"]) {
      await expect(parse("x.yaml", text)).rejects.toThrow(/^x\.yaml:1:1: /);
    }
  });

  it("does not let aliases blow up", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (let i = 0; i < 9; i++) {
      const [one, two] = ["abcdefghijk"[i], "abcdefghijk"[i + 1]];
      bomb.push(`${two}: &${two} [${Array.from({ length: 9 }, () => `*${one}`).join(", ")}]`);
    }
    expect(() => parseSource("bomb.yaml", bomb.join("\n"))).toThrow(/alias/i);
  });

  it.each([
    [
      "a text that stands in many places",
      `a: &a ${"x".repeat(60_000)}\nb: [${"*a, ".repeat(90)}1]`,
    ],
    ["lists that double", doubled],
    ["a list in itself", "&a [*a]"],
    ["an object in itself", "a: &a\n  b: { c: *a }"],
    ["what is too deep", "[".repeat(50_000)],
    ["what is too deep, and ends", "[".repeat(300) + "]".repeat(300)],
  ])("says in a sentence that it does not read %s", async (_, text) => {
    const read = parse("x.yaml", text);
    await expect(read).rejects.toBeInstanceOf(UsageError);
    await expect(read).rejects.toThrow(/^x\.yaml/);
  });
});
