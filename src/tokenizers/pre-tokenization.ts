/**
 * What `tokenizer.json` calls the pre-tokenizer, as a chain of stages over a section of text.
 * Cutting by a pattern is done here, lazily and with all five behaviours; what rewrites a piece
 * (byte levels, metaspace) is the tokenizer library's. Patterns are compiled by the library, which
 * translates the Oniguruma syntax of these files to JavaScript.
 *
 * The library's own pre-tokenizers are not used for cutting: they hold all pieces of a text at
 * once, know only some behaviours, and take JavaScript's `\s` and `\d`, which differ from Unicode's
 * white space and numbers.
 */
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { library, type LibraryPattern, type LibraryPreTokenizer } from "./library.ts";
import { type SplitBehavior, type SplitRule, splitText } from "./split-text.ts";
import type { Component } from "./tokenizer-definition.ts";

/** One step of the chain: cuts a text by a rule, or rewrites it. */
export type Stage =
  | { readonly kind: "split"; readonly split: (text: string) => Iterable<string> }
  | {
      readonly kind: "map";
      /** `atStart`: whether the piece stands at the very start of the text. */
      readonly map: (text: string, atStart: boolean) => readonly string[];
    };

/** GPT-2's pattern, which `ByteLevel` applies unless told not to (Radford et al. 2019). */
const gpt2Pattern =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const behaviors: Readonly<Record<string, SplitBehavior>> = {
  removed: "removed",
  isolated: "isolated",
  mergedwithprevious: "mergedWithPrevious",
  mergedwithnext: "mergedWithNext",
  contiguous: "contiguous",
};

/** Compiles a pattern of `tokenizer.json`. @throws UnsupportedError when it cannot be translated */
function compilePattern(pattern: LibraryPattern): RegExp {
  try {
    const { pattern: compiled } = new library.SplitPreTokenizer({ pattern, invert: true });
    if (compiled) return compiled;
  } catch (cause) {
    throw new UnsupportedError(
      `the tokenizer's pattern ${JSON.stringify(pattern)} cannot be translated to JavaScript`,
      { cause },
    );
  }
  throw new FormatError(`expected a pattern with Regex or String, got ${JSON.stringify(pattern)}`);
}

function splitStage(pattern: LibraryPattern, behavior: string, invert = false): Stage {
  const known = behaviors[behavior.replaceAll("_", "").toLowerCase()];
  if (!known)
    throw new UnsupportedError(`the tokenizer splits by "${behavior}", which is not known`);
  const rule: SplitRule = { pattern: compilePattern(pattern), behavior: known, invert };
  return { kind: "split", split: (text) => splitText(text, rule) };
}

function libraryStage(rewrite: LibraryPreTokenizer): Stage {
  return {
    kind: "map",
    map: (text, atStart) => rewrite.pre_tokenize(text, { section_index: atStart ? 0 : 1 }),
  };
}

function byteLevelStages(config: Component): Stage[] {
  const bytes = new library.ByteLevelPreTokenizer({ add_prefix_space: false, use_regex: false });
  const stages: Stage[] = [];
  if (config.add_prefix_space !== false) {
    const map = (text: string) => [text.startsWith(" ") ? text : ` ${text}`];
    stages.push({ kind: "map", map });
  }
  if (config.use_regex !== false) stages.push(splitStage({ Regex: gpt2Pattern }, "isolated"));
  stages.push(libraryStage(bytes));
  return stages;
}

function metaspaceStages(config: Component): Stage[] {
  const replacement = typeof config.replacement === "string" ? config.replacement : "▁";
  const scheme = String(
    config.prepend_scheme ?? (config.add_prefix_space === false ? "never" : "always"),
  );
  const rewrite = new library.MetaspacePreTokenizer({ replacement, prepend_scheme: scheme });
  const stages = [libraryStage(rewrite)];
  if (config.split !== false) stages.push(splitStage({ String: replacement }, "mergedWithNext"));
  return stages;
}

// Rust's word characters; Oniguruma's, into which the library translates \\w, have superscripts
// too.
const wordCharacters = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
const punctuation = "[\\p{P}!-/:-@\\[-`{-~]";

type StageMaker = (config: Component) => Stage[];

const makers: Readonly<Record<string, StageMaker>> = {
  Sequence: (config) =>
    ((config.pretokenizers ?? []) as Component[]).flatMap((part) => preTokenizationStages(part)),
  Split: (config) => [
    splitStage(config.pattern as LibraryPattern, String(config.behavior), config.invert === true),
  ],
  ByteLevel: byteLevelStages,
  Metaspace: metaspaceStages,
  Digits: (config) => [
    splitStage({ Regex: "\\p{N}" }, config.individual_digits ? "isolated" : "contiguous"),
  ],
  Punctuation: (config) => [
    splitStage({ Regex: punctuation }, String(config.behavior ?? "isolated")),
  ],
  Whitespace: () => [
    splitStage({ Regex: `[${wordCharacters}]+|[^${wordCharacters}\\s]+` }, "removed", true),
  ],
  WhitespaceSplit: () => [splitStage({ Regex: "\\s" }, "removed")],
  CharDelimiterSplit: (config) => [splitStage({ String: String(config.delimiter) }, "removed")],
  BertPreTokenizer: () => [
    splitStage({ Regex: "\\s" }, "removed"),
    splitStage({ Regex: punctuation }, "isolated"),
  ],
  FixedLength: (config) => [
    splitStage({ Regex: `[\\s\\S]{1,${Number(config.length)}}` }, "isolated"),
  ],
};

/** Turns a `pre_tokenizer` into stages; none for null. @throws UnsupportedError for other types */
export function preTokenizationStages(config: Component | null): Stage[] {
  if (config === null) return [];
  const maker = makers[config.type];
  if (maker) return maker(config);
  throw new UnsupportedError(`the tokenizer has a pre-tokenizer of unknown type "${config.type}"`, {
    hint: `fewbit knows ${Object.keys(makers).join(", ")}`,
  });
}
