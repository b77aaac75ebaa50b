import { Template } from "../../src/tokenizers/templates/template.ts";
import type { Prng } from "../../src/util/prng.ts";
import type { Json, Subject } from "./subject.ts";
import { makeSnippet } from "./template-grammar.ts";
import { templateVariables } from "./template-variables.ts";
const limits = { steps: 1e6, bytes: 64e6, milliseconds: 5000, depth: 500 };
import { TemplateFailure } from "../../src/tokenizers/templates/failure.ts";
import { FormatError } from "../../src/util/errors.ts";

const now = new Date(2024, 6, 26, 15, 4, 5);

function makeCase(_index: number, random: Prng): Json {
  return { template: makeSnippet(random), variables: templateVariables };
}

function answer(input: Json): Json {
  const { template, variables } = input as any;
  try {
  return new Template(template, limits).render(variables, limits, now);
  } catch (e) { if (e instanceof TemplateFailure) throw new FormatError(e.message); return "CRASH " + (e as Error).stack; }
}

/** Templates, generated from Jinja's grammar and written after public models. */
export const templates: Subject = {
  name: "templates",
  packages: ["transformers", "jinja2"],
  goldenCases: 400,
  makeCase,
  answer,
  agree: (ours, theirs) => ours === theirs || (ours as any)?.refused && (theirs as any)?.refused || / at 0x/i.test(String(theirs)),
  describe: (input) => JSON.stringify((input as { template: string }).template),
};
