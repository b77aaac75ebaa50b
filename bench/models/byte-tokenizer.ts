import { Prng } from "../../src/util/prng.ts";

const letters = [..."abcdefghijklmnopqrstuvwxyz"];
/** How byte-level vocabularies write a space. */
const space = "Ġ";
const longestToken = 12;

/**
 * Makes the contents of a byte-level `tokenizer.json`: the 256 bytes, `<s>` (256), `</s>` (257),
 * and up to `vocabularySize` made-up words with the merges that build them.
 */
export function byteTokenizer(vocabularySize: number = 258): Record<string, unknown> {
  const names = byteNames();
  const special = (id: number, content: string) => ({ id, content, special: true });
  names.push("<s>", "</s>");
  const merges = makeMerges(names, vocabularySize);
  return {
    version: "1.0",
    added_tokens: [special(256, "<s>"), special(257, "</s>")],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab: Object.fromEntries(names.map((name, id) => [name, id])),
      merges,
    },
  };
}

/** Names of the 256 bytes in byte-level vocabularies. */
function byteNames(): string[] {
  const names: string[] = [];
  let extra = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    names.push(String.fromCodePoint(printable ? byte : extra++));
  }
  return names;
}

/** Extends `names` to the size of the vocabulary by joining two earlier ones at a time. */
function makeMerges(names: string[], vocabularySize: number): [string, string][] {
  const merges: [string, string][] = [];
  const parts = [...letters];
  const taken = new Set(names);
  const random = new Prng(3);
  const draw = (from: readonly string[]): string => from[random.below(from.length)];
  while (names.length < vocabularySize) {
    const left = random.below(4) === 0 ? space : draw(parts);
    const right = draw(parts);
    const joined = left + right;
    if (right.startsWith(space) || joined.length > longestToken || taken.has(joined)) continue;
    taken.add(joined);
    names.push(joined);
    parts.push(joined);
    merges.push([left, right]);
  }
  return merges;
}
