import { UnsupportedError } from "../../util/errors.ts";
import type { BpeOptions } from "../bpe-model.ts";
import { tokenTypes } from "./tokenizer-metadata.ts";

/** Scores that llama.cpp's converter gives to tokens that nothing is merged to. */
const [addedScore, holeScore] = [-1000, -10000];

/** The pairs of a model's merges, by rank. */
export function mergePairs({ merges }: BpeOptions): (readonly [string, string])[] {
  return merges.flatMap((merge) => {
    if (typeof merge !== "string") return [merge];
    if (merge.startsWith("#version")) return [];
    const space = merge.indexOf(" ");
    return [[merge.slice(0, space), merge.slice(space + 1)] as const];
  });
}

/** Writes merges as GGUF files have them: a space within a token becomes U+0120. */
export function writeMerges(pairs: readonly (readonly [string, string])[]): string[] {
  return pairs.map((pair) => pair.map((part) => part.replaceAll(" ", "\u0120")).join(" "));
}

/**
 * Finds scores of tokens, from which SentencePiece's rule (the highest score of what two neighbours
 * make, of several the leftmost) gives what the merges give: the earlier the first merge of a token
 * stands, the higher.
 * @throws UnsupportedError when no scores do: merges of one token apart in the list, or a way to put a
 *   token together that is no merge
 */
export function scoreTokens(
  model: BpeOptions,
  tokens: readonly string[],
  types: Int32Array,
): Float32Array {
  const pairs = mergePairs(model);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const scores = new Float32Array(tokens.length);
  let last = 0;
  let lastRank = -1;
  const made = new Map<number, number>();
  for (const [index, [left, right]] of pairs.entries()) {
    const id = ids.get(left + right) ?? -1;
    const rank = model.merge_ranks?.[index] ?? id;
    if (rank !== lastRank) last -= lastRank < 0 ? 0 : 1;
    lastRank = rank;
    if ((made.get(id) ?? last) !== last) throw notScored(left + right);
    made.set(id, last);
  }
  expectAllMerges(pairs, ids, types);
  for (let id = 0; id < tokens.length; id++) {
    const score = made.get(id);
    if (types[id] === tokenTypes.unused) scores[id] = holeScore;
    else if (score !== undefined) scores[id] = score;
    else if (types[id] === tokenTypes.userDefined) scores[id] = addedScore;
    else if (types[id] === tokenTypes.normal) {
      last -= 1;
      scores[id] = last;
    } else scores[id] = 0;
  }
  return scores;
}

/** Every way to put a token together must be a merge; special tokens are found before any is made. */
function expectAllMerges(
  pairs: readonly (readonly [string, string])[],
  ids: ReadonlyMap<string, number>,
  types: Int32Array,
): void {
  const isNormal = (id: number): boolean => types[id] === tokenTypes.normal;
  let ways = 0;
  for (const [token, id] of ids) {
    for (let at = 1; isNormal(id) && at < token.length; at++) {
      if (ids.has(token.slice(0, at)) && ids.has(token.slice(at))) ways++;
    }
  }
  const merges = pairs.filter(([left, right]) => isNormal(ids.get(left + right) ?? -1)).length;
  if (ways === merges) return;
  throw new UnsupportedError(
    `the tokenizer has ${merges} merges, its tokens can be put together in ${ways} ways: llama.cpp ` +
      "would use them all",
    { hint: "llama.cpp reads tokenizers with tokens for bytes only where SentencePiece made them" },
  );
}

function notScored(token: string): UnsupportedError {
  return new UnsupportedError(
    `the merges that make ${JSON.stringify(token.slice(0, 40))} stand apart: no scores of tokens, which ` +
      "is what llama.cpp goes by, have that order",
  );
}
