import { existsSync, readFileSync } from "node:fs";
import { createTokenizer } from "../../src/tokenizers/hub-tokenizer.ts";
import type { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import type { Prng } from "../../src/util/prng.ts";
import { awkwardText } from "./awkward-texts.ts";
import type { Json, Subject } from "./subject.ts";
import { answerTexts } from "./tokenizers.ts";

interface Case {
  readonly file: string;
  readonly texts: readonly string[];
  readonly ids: readonly number[];
}

const data = new URL("../../../shared/data/", import.meta.url);
const files = [
  "models/stories260K",
  "models/babyllama-tok105",
  "models/prose-6m",
  "models/smollm2-135m-instruct",
  "tokenizers/gpt-neox-20b",
  "tokenizers/phi3",
].map((folder) => `${folder}/tokenizer.json`);
const textsPerCase = 4;
const opened = new Map<string, Tokenizer>();

function open(file: string): Tokenizer {
  const known = opened.get(file);
  if (known) return known;
  const definition: unknown = JSON.parse(readFileSync(new URL(file, data), "utf8"));
  const tokenizer = createTokenizer({ definition, path: file });
  opened.set(file, tokenizer);
  return tokenizer;
}

function makeCase(index: number, random: Prng): Json {
  const texts = Array.from({ length: textsPerCase }, () => awkwardText(random));
  const ids = Array.from({ length: 12 }, () => random.below(60_000));
  return { file: files[index % files.length], texts, ids };
}

/** Tokenizers of models in ../shared/data, on awkward texts. */
export const tokenizerFiles: Subject = {
  name: "tokenizer-files",
  packages: ["tokenizers"],
  goldenCases: 48,
  makeCase,
  answer(input) {
    const { file, texts, ids } = input as unknown as Case;
    return answerTexts(open(file), texts, ids);
  },
  missing: () => files.find((file) => !existsSync(new URL(file, data))) ?? null,
};
