/**
 * What `tokenizer.json` calls the pre-tokenizer, as a chain of stages over a section of text: each
 * cuts it lazily, or rewrites a piece.
 */
import * as z from "zod";
import { toByteCharacters } from "./byte-characters.ts";
import {
  type ComponentFamily,
  characterSchema,
  component,
  makeComponent,
  makeSequence,
} from "./components.ts";
import type { Text } from "./normalizers.ts";
import { escapePattern, Pattern, patternSchema } from "./pattern.ts";
import { type Part, type SplitBehavior, splitBehaviors, splitText } from "./split-text.ts";
import { wordCharacters } from "./unicode-names.ts";
import { splitByScript } from "./unicode-scripts.ts";

/** One step of the chain. */
export type Stage = {
  /** Whether it has a pattern of which nobody knows how long it takes. */
  readonly needsWatch: boolean;
} & (
  | { readonly kind: "split"; readonly split: (text: string) => Iterable<Part> }
  | {
      readonly kind: "map";
      readonly map: (piece: Text) => Text;
      /** Whether the result depends on where the piece stands. */
      readonly seesPlace: boolean;
    }
);

/** GPT-2's pattern, which `ByteLevel` applies unless told not to (Radford et al. 2019). */
const gpt2Pattern =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|" +
  "\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+";
const punctuation = "[\\p{P}!-\\/:-@\\[-`\\{-~]";
const rustWord = `${wordCharacters}\\p{Join_Control}`;

function splitStage(pattern: Pattern, behavior: SplitBehavior, invert = false): Stage {
  const rule = { pattern, behavior, invert };
  return {
    kind: "split",
    split: (text) => splitText(text, rule),
    needsWatch: pattern.needsWatch,
  };
}

const ownSplit = (expression: string, behavior: SplitBehavior, invert = false): Stage =>
  splitStage(Pattern.own(expression), behavior, invert);

function mapStage(map: (piece: Text) => Text, seesPlace = false): Stage {
  return { kind: "map", map, seesPlace, needsWatch: false };
}

const withPrefix = ({ text, lead }: Text, prefix: string): Text => ({
  text: prefix + text,
  lead: lead && lead + prefix.length,
});

const byteLevelOptions = z.looseObject({
  add_prefix_space: z.boolean().default(true),
  use_regex: z.boolean().default(true),
});

function byteLevel(options: z.output<typeof byteLevelOptions>): Stage[] {
  const stages: Stage[] = [];
  if (options.add_prefix_space) {
    stages.push(mapStage((piece) => (piece.text.startsWith(" ") ? piece : withPrefix(piece, " "))));
  }
  if (options.use_regex) stages.push(ownSplit(gpt2Pattern, "Isolated"));
  stages.push(
    mapStage(({ text, lead }) => ({
      text: toByteCharacters(text),
      lead: lead && toByteCharacters(text.slice(0, lead)).length,
    })),
  );
  return stages;
}

/** Options of `Metaspace`, as pre-tokenizer and as decoder. */
export const metaspaceOptions = z
  .looseObject({
    replacement: characterSchema.default("▁"),
    prepend_scheme: z.enum(["first", "never", "always"]).optional(),
    add_prefix_space: z.boolean().nullish(),
    split: z.boolean().nullish(),
  })
  .transform(({ replacement, prepend_scheme: scheme, add_prefix_space: prefix, split }) => ({
    replacement,
    split: split ?? true,
    scheme: scheme ?? (prefix === false ? "never" : "always"),
  }));

function metaspace({ replacement, scheme, split }: z.output<typeof metaspaceOptions>): Stage[] {
  const map = (piece: Text): Text => {
    const growth = replacement.length - 1;
    const text = piece.text.replaceAll(" ", replacement);
    const spaces = growth && piece.text.slice(0, piece.lead).split(" ").length - 1;
    const replaced = { text, lead: piece.lead + growth * spaces };
    const prepends = scheme === "always" || (scheme === "first" && piece.lead > 0);
    return prepends && !text.startsWith(replacement) ? withPrefix(replaced, replacement) : replaced;
  };
  const stages = [mapStage(map, scheme === "first")];
  if (split) stages.push(ownSplit(escapePattern(replacement), "MergedWithNext"));
  return stages;
}

/** `removed`, `merged_with_previous` and `Removed`, `MergedWithPrevious` are all in use. */
const behaviorSchema = z.preprocess(
  (value) =>
    typeof value !== "string"
      ? value
      : (splitBehaviors.find(
          (known) => known.toLowerCase() === value.replaceAll("_", "").toLowerCase(),
        ) ?? value),
  z.enum(splitBehaviors),
);

const splitOptions = z.looseObject({
  pattern: patternSchema,
  behavior: behaviorSchema,
  invert: z.boolean().default(false),
});

const whiteSpace = "\\p{White_Space}";
const none = z.looseObject({});

const family: ComponentFamily<Stage[]> = new Map([
  [
    "Sequence",
    component(z.looseObject({ pretokenizers: z.array(z.unknown()) }), (options, place) =>
      makeSequence(family, "pre-tokenizer", options.pretokenizers, `${place}.pretokenizers`).flat(),
    ),
  ],
  [
    "Split",
    component(splitOptions, ({ pattern, behavior, invert }, place) => [
      splitStage(Pattern.of(pattern, place), behavior, invert),
    ]),
  ],
  ["ByteLevel", component(byteLevelOptions, byteLevel)],
  ["Metaspace", component(metaspaceOptions, metaspace)],
  [
    "Digits",
    component(z.looseObject({ individual_digits: z.boolean().default(false) }), (options) => [
      ownSplit("\\p{N}", options.individual_digits ? "Isolated" : "Contiguous"),
    ]),
  ],
  [
    "Punctuation",
    component(z.looseObject({ behavior: behaviorSchema.default("Isolated") }), ({ behavior }) => [
      ownSplit(punctuation, behavior),
    ]),
  ],
  [
    "Whitespace",
    component(none, () => [
      ownSplit(`[${rustWord}]+|[^${rustWord}${whiteSpace}]+`, "Removed", true),
    ]),
  ],
  ["WhitespaceSplit", component(none, () => [ownSplit(whiteSpace, "Removed")])],
  [
    "CharDelimiterSplit",
    component(z.looseObject({ delimiter: characterSchema }), ({ delimiter }) => [
      ownSplit(escapePattern(delimiter), "Removed"),
    ]),
  ],
  [
    "BertPreTokenizer",
    component(none, () => [ownSplit(whiteSpace, "Removed"), ownSplit(punctuation, "Isolated")]),
  ],
  [
    "UnicodeScripts",
    component(none, (): Stage[] => [{ kind: "split", split: splitByScript, needsWatch: false }]),
  ],
  [
    "FixedLength",
    component(z.looseObject({ length: z.int().min(1).max(1e9).default(5) }), ({ length }) => [
      ownSplit(`[^]{1,${length}}`, "Isolated"),
    ]),
  ],
]);

/**
 * Makes the stages of the `pre_tokenizer` of `tokenizer.json`; none for null.
 * @throws UnsupportedError for unknown types and patterns
 * @throws FormatError for wrong options
 */
export function preTokenizationStages(config: unknown, place = "pre_tokenizer"): Stage[] {
  return config === null ? [] : makeComponent(family, "pre-tokenizer", config, place);
}

/** Takes a text through one stage. */
function* applyStage(pieces: Iterable<Text>, stage: Stage): Generator<Text> {
  for (const piece of pieces) {
    if (stage.kind === "map") yield stage.map(piece);
    else {
      const { text, lead } = piece;
      for (const { start, end } of stage.split(text)) {
        const left = lead > start ? Math.min(lead, end) - start : 0;
        yield {
          text: start === 0 && end === text.length ? text : text.slice(start, end),
          lead: left,
        };
      }
    }
  }
}

/** Takes pieces through stages, lazily. */
export function applyStages(pieces: Iterable<Text>, stages: readonly Stage[]): Iterable<Text> {
  return stages.reduce(applyStage, pieces);
}
