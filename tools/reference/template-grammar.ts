import { readFileSync } from "node:fs";
import type { Prng } from "../../src/util/prng.ts";
import { choose } from "./subject.ts";

/**
 * What templates are made of, by kind. In `«kind»` stands something of that kind; names are the
 * variables of template-variables.json.
 */
const grammar: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL("template-grammar.json", import.meta.url), "utf8"),
);

/** Deepest nesting of what is generated. */
const deepest = 7;

function expand(kind: string, random: Prng, depth: number): string {
  const all = grammar[kind];
  const plain = all.filter((production) => !production.includes("«"));
  const usable = depth >= deepest && plain.length > 0 ? plain : all;
  return choose(random, usable).replace(/«(\w+)»/g, (_, inner: string) => {
    const text = expand(inner, random, depth + 1);
    // In parentheses an expression is one operand, without them the precedence decides.
    const isOperand =
      /[-+*/%~<>=! ]/.test(text) && !["statement", "text", "body", "loop"].includes(inner);
    return isOperand && random.below(4) > 0 && !/^['"(]/.test(text) ? `(${text})` : text;
  });
}

/** Puts white space control and white space at some of the tags. */
function varyTags(template: string, random: Prng): string {
  return template.replace(/\{[%{#]|[%}#]\}/g, (mark) => {
    const sign = choose(random, ["", "", "", "", "-", mark.includes("%") ? "+" : ""]);
    const before = choose(random, ["", "", "", "\n", " ", "\n  "]);
    const isBegin = mark.startsWith("{");
    if (isBegin) return before + mark + sign;
    return sign + mark + before;
  });
}

/** Draws a template of one to three statements. */
export function makeSnippet(random: Prng): string {
  const statements = Array.from({ length: 1 + random.below(3) }, () => {
    return expand("statement", random, 2);
  });
  const template = statements.join(choose(random, ["", "", "\n", " "]));
  return random.below(3) === 0 ? varyTags(template, random) : template;
}
