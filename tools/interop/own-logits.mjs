// Logits of fewbit's exact evaluation and a greedy continuation, for `read_containers.py`.
//
//     node tools/interop/own-logits.mjs MODEL > own.json
//
// Prints JSON: the ids of the prompt, float32 logits `[ids, vocabulary]` in base64, the tokens that follow.

import { fileURLToPath } from "node:url";
import { load } from "../../src/index.ts";

const prompt =
  "The lighthouse keeper climbed the narrow stairs every evening, lit the great lamp, and wrote " +
  "in his book how the wind had turned and which ships had passed the rocks before dark.";
const promptTokens = 32;
const continuedTokens = 8;

/** What fewbit says of a model: see above. */
export async function ownLogits(path) {
  const model = await load(path);
  try {
    const ids = model.tokenizer.encode(prompt).slice(0, promptTokens);
    if (ids.length < promptTokens) throw new Error(`the prompt has ${ids.length} tokens only`);
    const logitsOf = (given) => model.logits(model.hiddenStates(model.tokens([given]))).read();
    const logits = await logitsOf(ids);
    const vocabulary = logits.length / promptTokens;
    const tokens = [];
    for (let last = logits.subarray(-vocabulary); tokens.length < continuedTokens; ) {
      tokens.push(last.indexOf(last.reduce((most, value) => Math.max(most, value))));
      last = (await logitsOf([...ids, ...tokens])).subarray(-vocabulary);
    }
    const bytes = Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength);
    return { ids: [...ids], tokens, logits: bytes.toString("base64") };
  } finally {
    model.release();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await ownLogits(process.argv[2])));
}
