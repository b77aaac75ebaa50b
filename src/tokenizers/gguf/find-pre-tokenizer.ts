import * as z from "zod";
import { sha256 } from "../../platform/node.ts";
import { UnsupportedError, UsageError } from "../../util/errors.ts";
import { suggestName } from "../../util/nearest.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { checkText, preTokenizerHashes } from "./pre-hashes.ts";
import { preTokenizers } from "./pre-tokenizers.ts";
import { contraction, gpt2Words } from "./splitting-patterns.ts";

/** What is known of a tokenizer whose pre-tokenizer is sought. */
interface Sought {
  readonly tokenizer: Tokenizer;
  /** `pre_tokenizer` of its `tokenizer.json`. */
  readonly preTokenizer: unknown;
  /** Whether its model takes a piece that is a token as it is (`ignore_merges`). */
  readonly ignoreMerges: boolean;
}

/**
 * Finds the name that llama.cpp has for a tokenizer's way of cutting text: the one that is `given`;
 * else that of its ids of `checkText`, as llama.cpp's own converter does; else that of a pre-tokenizer
 * which is written with the same patterns.
 * @throws UsageError for a given name that llama.cpp does not know
 * @throws UnsupportedError when none is found: a wrong one would give the model other ids silently
 */
export function findPreTokenizer(sought: Sought, given: string | null): string {
  const names = [...preTokenizers]
    .filter(([, { spelling }]) => spelling === "bytes")
    .map(([name]) => name);
  if (given !== null) {
    if (names.includes(given)) return given;
    throw new UsageError(`\`pre\`: llama.cpp has no pre-tokenizer "${given}"`, {
      hint: suggestName(given, names, `it has ${names.join(", ")}`),
      field: "pre",
      value: given,
    });
  }
  const hash = hashOf(sought.tokenizer);
  const name = preTokenizerHashes.get(hash) ?? namedByPatterns(sought);
  if (name !== null) return name;
  throw new UnsupportedError(
    `the tokenizer cuts text in a way that llama.cpp has no name for (its ids of llama.cpp's text for ` +
      `this have the hash ${hash})`,
    { hint: "where you know the name, give it: `pre: llama-bpe`", field: "pre" },
  );
}

/** Hash of the ids of `checkText`, as llama.cpp's converter computes it. */
function hashOf(tokenizer: Tokenizer): string {
  const ids = Array.from(tokenizer.encode(checkText, { addSpecial: true }));
  return sha256(`[${ids.join(", ")}]`);
}

/** The one in most use stands first in the table. */
function namedByPatterns({ preTokenizer, ignoreMerges }: Sought): string | null {
  const patterns = patternsOf(preTokenizer);
  if (patterns === null) return null;
  const wanted = patterns.join("\n");
  for (const [name, { splits, ...pre }] of preTokenizers) {
    const isSame = splits.join("\n") === wanted && pre.ignoreMerges === ignoreMerges;
    if (isSame && pre.spelling === "bytes") return name;
  }
  return null;
}

const part = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("ByteLevel"),
    add_prefix_space: z.literal(false),
    use_regex: z.boolean().default(true),
  }),
  z.looseObject({ type: z.literal("Digits"), individual_digits: z.literal(true) }),
  z.looseObject({
    type: z.literal("Split"),
    pattern: z.strictObject({ Regex: z.string() }),
    behavior: z.literal("Isolated"),
    invert: z.literal(false).default(false),
  }),
]);
const several = z.looseObject({ type: z.literal("Sequence"), pretokenizers: z.array(part) });

/** The patterns that a pre-tokenizer of a `tokenizer.json` cuts by; null for others. */
function patternsOf(preTokenizer: unknown): string[] | null {
  const found = z.union([several, part]).safeParse(preTokenizer);
  if (!found.success) return null;
  const parts = found.data.type === "Sequence" ? found.data.pretokenizers : [found.data];
  return parts.flatMap((each): string[] => {
    if (each.type === "Digits") return ["\\p{N}"];
    if (each.type === "ByteLevel") return each.use_regex ? [gpt2Words] : [];
    return [each.pattern.Regex.replaceAll("(?i:'s|'t|'re|'ve|'m|'ll|'d)", contraction)];
  });
}
