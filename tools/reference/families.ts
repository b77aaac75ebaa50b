import { isDeepStrictEqual } from "node:util";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import type { Prng } from "../../src/util/prng.ts";
import { hashedValues } from "../../test/golden/formula-weights.ts";
import { loadCase, windowLogits } from "../../test/golden/model-cases.ts";
import { type Fields, vocabulary } from "./draw-fields.ts";
import { mixtureFamilies } from "./mixture-families.ts";
import type { Json, Subject } from "./subject.ts";
import { textFamilies } from "./text-families.ts";
import { towerFamilies } from "./tower-families.ts";

const backend = createReferenceBackend();
const length = 12;

const families = { ...textFamilies, ...mixtureFamilies, ...towerFamilies };

function makeCase(index: number, random: Prng): Json {
  const names = Object.keys(families);
  const model_type = names[index % names.length];
  const ids = [...hashedValues(`ids ${index}`, length)].map((v) =>
    Math.floor(((v + 1) / 2) * vocabulary),
  );
  return { config: { model_type, ...families[model_type](random) }, ids };
}

/** Every third logit of the last token. */
async function answer(input: Json): Promise<Json> {
  const { config, ids } = input as { config: Fields; ids: number[] };
  const loaded = await loadCase(backend, { config, dtype: "float32" });
  const logits = await windowLogits(loaded, [ids]).read();
  const last = logits.subarray(-vocabulary).filter((_, i) => i % 3 === 0);
  return [...last].map((x) => Math.round(x * 1e4) / 1e4);
}

function agree(ours: Json, theirs: Json): boolean {
  if (!Array.isArray(ours) || !Array.isArray(theirs)) return isDeepStrictEqual(ours, theirs);
  const largest = theirs.reduce((most: number, x) => Math.max(most, Math.abs(Number(x))), 1);
  return ours.every((x, i) => Math.abs(Number(x) - Number(theirs[i])) <= 1e-4 + 2e-5 * largest);
}

/** Logits of families whose fields are drawn: tiny models with weights by formula. */
export const familyLogits: Subject = {
  name: "families",
  packages: ["torch", "transformers"],
  goldenCases: 290,
  makeCase,
  answer,
  agree,
};
