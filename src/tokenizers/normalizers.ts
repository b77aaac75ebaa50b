import * as z from "zod";
import { toByteCharacters } from "./byte-characters.ts";
import { type ComponentFamily, component, makeComponent, makeSequence } from "./components.ts";
import { Pattern, patternSchema } from "./pattern.ts";
import { precompiledCharsmap } from "./precompiled-charsmap.ts";

/**
 * A text on its way, and how many of its first units come from the first character of what is
 * encoded: `Metaspace` with the scheme `first` asks where a piece began.
 */
export interface Text {
  readonly text: string;
  readonly lead: number;
}

/** Rewrites a text before it is cut. */
export interface Normalizer {
  readonly apply: (input: Text) => Text;
  /** Whether it has a pattern of which nobody knows how long it takes. */
  readonly needsWatch: boolean;
}

/** A normalizer that sees characters, or characters with the marks behind them. */
function mapping(change: (text: string) => string): Normalizer {
  const apply = ({ text, lead }: Text): Text => {
    const changed = change(text);
    if (lead === 0 || changed === text) return { text: changed, lead };
    return { text: changed, lead: Math.min(changed.length, change(text.slice(0, lead)).length) };
  };
  return { apply, needsWatch: false };
}

/** Lowers each character by itself: a sigma at the end of a word becomes no other one. */
function lowercase(text: string): string {
  if (!text.includes("Σ")) return text.toLowerCase();
  return text
    .split("Σ")
    .map((part) => part.toLowerCase())
    .join("σ");
}

const controls = /[[\p{Cc}\p{Cf}\p{Co}\0\ufffd]--[\t\n\r]]/gv;
const ideographs =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

const bertOptions = z.looseObject({
  clean_text: z.boolean().default(true),
  handle_chinese_chars: z.boolean().default(true),
  strip_accents: z.boolean().nullish(),
  lowercase: z.boolean().default(true),
});

function bert(options: z.output<typeof bertOptions>): Normalizer {
  return mapping((text) => {
    let changed = text;
    if (options.clean_text)
      changed = changed.replace(controls, "").replace(/\p{White_Space}/gu, " ");
    if (options.handle_chinese_chars) changed = changed.replace(ideographs, " $& ");
    if (options.strip_accents ?? options.lowercase) {
      changed = changed.normalize("NFD").replace(/\p{Mn}/gu, "");
    }
    return options.lowercase ? lowercase(changed) : changed;
  });
}

/** The characters that sentencepiece's `nmt` rules take out, and those they make spaces. */
const nmtRemoved = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g;
const nmtSpaces = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

function strip(left: boolean, right: boolean): Normalizer {
  const apply = ({ text, lead }: Text): Text => {
    const begin = left ? (/^\p{White_Space}*/u.exec(text)?.[0].length ?? 0) : 0;
    let end = text.length;
    if (right) while (end > begin && /\p{White_Space}/u.test(text[end - 1])) end--;
    const kept = text.slice(begin, end);
    return { text: kept, lead: Math.max(0, Math.min(lead, end) - begin) };
  };
  return { apply, needsWatch: false };
}

const replaceOptions = z.looseObject({ pattern: patternSchema, content: z.string() });

function replace(options: z.output<typeof replaceOptions>, place: string): Normalizer {
  const { content } = options;
  const pattern = Pattern.of(options.pattern, place);
  const literal = "String" in options.pattern ? options.pattern.String : "";
  const change = (text: string): string =>
    literal === "" ? pattern.replace(text, content) : text.replaceAll(literal, () => content);
  const apply = ({ text, lead }: Text): Text => {
    const changed = change(text);
    if (lead === 0) return { text: changed, lead };
    // What replaces a match stands where the match ended.
    const match = pattern.findFrom(text, 0, -1);
    if (!match || match[0] >= lead) return { text: changed, lead };
    const [start, end] = match;
    return { text: changed, lead: end <= lead ? start + content.length : start };
  };
  return { apply, needsWatch: pattern.needsWatch };
}

function prepend(prefix: string): Normalizer {
  const apply = ({ text, lead }: Text): Text =>
    text === "" ? { text, lead } : { text: prefix + text, lead: lead && lead + prefix.length };
  return { apply, needsWatch: false };
}

function inSequence(parts: readonly Normalizer[]): Normalizer {
  return {
    apply: (input) => parts.reduce((text, part) => part.apply(text), input),
    needsWatch: parts.some((part) => part.needsWatch),
  };
}

const none = z.looseObject({});
const form = (name: "NFC" | "NFD" | "NFKC" | "NFKD") =>
  component(none, () => mapping((text) => text.normalize(name)));

const family: ComponentFamily<Normalizer> = new Map([
  ["BertNormalizer", component(bertOptions, bert)],
  ["NFC", form("NFC")],
  ["NFD", form("NFD")],
  ["NFKC", form("NFKC")],
  ["NFKD", form("NFKD")],
  ["Lowercase", component(none, () => mapping(lowercase))],
  ["StripAccents", component(none, () => mapping((text) => text.replace(/\p{M}/gu, "")))],
  [
    "Nmt",
    component(none, () => mapping((text) => text.replace(nmtRemoved, "").replace(nmtSpaces, " "))),
  ],
  [
    "Strip",
    component(
      z.looseObject({
        strip_left: z.boolean().default(true),
        strip_right: z.boolean().default(true),
      }),
      (options) => strip(options.strip_left, options.strip_right),
    ),
  ],
  [
    "Precompiled",
    component(z.looseObject({ precompiled_charsmap: z.string() }), (options, place) =>
      mapping(precompiledCharsmap(options.precompiled_charsmap, place)),
    ),
  ],
  ["Replace", component(replaceOptions, replace)],
  [
    "Prepend",
    component(z.looseObject({ prepend: z.string() }), (options) => prepend(options.prepend)),
  ],
  ["ByteLevel", component(none, () => mapping((text) => toByteCharacters(text)))],
  [
    "Sequence",
    component(z.looseObject({ normalizers: z.array(z.unknown()) }), ({ normalizers }, place) =>
      inSequence(makeSequence(family, "normalizer", normalizers, `${place}.normalizers`)),
    ),
  ],
]);

/**
 * Makes the normalizer of `tokenizer.json`.
 * @throws UnsupportedError for unknown types and patterns
 * @throws FormatError for wrong options
 */
export function makeNormalizer(config: unknown, place: string): Normalizer {
  return makeComponent(family, "normalizer", config, place);
}
