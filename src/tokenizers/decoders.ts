import * as z from "zod";
import { fromByteCharacters } from "./byte-characters.ts";
import {
  type ComponentFamily,
  characterSchema,
  component,
  makeComponent,
  makeSequence,
} from "./components.ts";
import { Pattern, patternSchema } from "./pattern.ts";
import { metaspaceOptions } from "./pre-tokenization.ts";

/** Turns tokens into text, piece by piece; the pieces together are the text. */
export interface TokenDecoder {
  readonly decode: (tokens: readonly string[]) => readonly string[];
  /** Whether it has a pattern of which nobody knows how long it takes. */
  readonly needsWatch: boolean;
}

const always = (decode: TokenDecoder["decode"]): TokenDecoder => ({ decode, needsWatch: false });
const eachToken = (change: (token: string, index: number) => string): TokenDecoder =>
  always((tokens) => tokens.map(change));

const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

function byteLevel(tokens: readonly string[]): string[] {
  return [lossy.decode(fromByteCharacters(tokens))];
}

/** Joins tokens such as `<0xC3>` to text; bytes that are none become one U+FFFD each. */
function byteFallback(tokens: readonly string[]): string[] {
  const decoded: string[] = [];
  let bytes: number[] = [];
  const endBytes = (): void => {
    if (bytes.length === 0) return;
    try {
      decoded.push(strict.decode(Uint8Array.from(bytes)));
    } catch {
      decoded.push(...bytes.map(() => "\ufffd"));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const digits = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/.exec(token)?.[1];
    if (digits !== undefined) bytes.push(Number.parseInt(digits, 16));
    else {
      endBytes();
      decoded.push(token);
    }
  }
  endBytes();
  return decoded;
}

/** What English text has no space before, in the order in which the library mends it. */
const tidied: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

const tidy = (text: string): string =>
  tidied.reduce((changed, [from, to]) => changed.replaceAll(from, to), text);

const wordPieceOptions = z.looseObject({
  prefix: z.string().default("##"),
  cleanup: z.boolean().default(true),
});

function wordPiece({ prefix, cleanup }: z.output<typeof wordPieceOptions>): TokenDecoder {
  return eachToken((token, index) => {
    const continued = token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    const text = index === 0 ? token : continued;
    return cleanup ? tidy(text) : text;
  });
}

const ctcOptions = z.looseObject({
  pad_token: z.string().default("<pad>"),
  word_delimiter_token: z.string().default("|"),
  cleanup: z.boolean().default(true),
});

/** Connectionist temporal classification: a token that comes again counts once. */
function ctc(options: z.output<typeof ctcOptions>): TokenDecoder {
  return always((tokens) =>
    tokens
      .filter((token, i) => i === 0 || token !== tokens[i - 1])
      .map((token) => {
        const kept = replaceAll(token, options.pad_token, "");
        return options.cleanup ? replaceAll(tidy(kept), options.word_delimiter_token, " ") : kept;
      })
      .filter((token) => token !== ""),
  );
}

/** Replaces a string; an empty one stands between all characters, and at both ends. */
function replaceAll(text: string, from: string, to: string): string {
  if (from !== "") return text.replaceAll(from, () => to);
  return to + [...text].map((character) => character + to).join("");
}

const stripOptions = z.looseObject({
  content: characterSchema,
  start: z.int().nonnegative(),
  stop: z.int().nonnegative(),
});

function strip({ content, start, stop }: z.output<typeof stripOptions>): TokenDecoder {
  return eachToken((token) => {
    const characters = [...token];
    let [first, last] = [0, characters.length];
    while (first < start && characters[first] === content) first++;
    while (characters.length - last < stop && characters[last - 1] === content) last--;
    return characters.slice(first, last).join("");
  });
}

function metaspace({ replacement, scheme }: z.output<typeof metaspaceOptions>): TokenDecoder {
  return eachToken((token, index) =>
    token.replaceAll(replacement, index === 0 && scheme !== "never" ? "" : " "),
  );
}

const none = z.looseObject({});

const family: ComponentFamily<TokenDecoder> = new Map([
  ["ByteLevel", component(none, () => always(byteLevel))],
  ["ByteFallback", component(none, () => always(byteFallback))],
  ["Fuse", component(none, () => always((tokens) => [tokens.join("")]))],
  ["Metaspace", component(metaspaceOptions, metaspace)],
  ["WordPiece", component(wordPieceOptions, wordPiece)],
  ["CTC", component(ctcOptions, ctc)],
  ["Strip", component(stripOptions, strip)],
  [
    "BPEDecoder",
    component(z.looseObject({ suffix: z.string().default("</w>") }), ({ suffix }) =>
      always((tokens) =>
        tokens.map((token, i) => replaceAll(token, suffix, i === tokens.length - 1 ? "" : " ")),
      ),
    ),
  ],
  [
    "Replace",
    component(z.looseObject({ pattern: patternSchema, content: z.string() }), (options, place) => {
      const pattern = Pattern.of(options.pattern, place);
      const decode = (tokens: readonly string[]) =>
        tokens.map((token) => pattern.replace(token, options.content));
      return { decode, needsWatch: pattern.needsWatch };
    }),
  ],
  [
    "Sequence",
    component(z.looseObject({ decoders: z.array(z.unknown()) }), ({ decoders }, place) => {
      const parts = makeSequence(family, "decoder", decoders, `${place}.decoders`);
      return {
        decode: (tokens: readonly string[]) =>
          parts.reduce((all, part) => part.decode(all), tokens),
        needsWatch: parts.some((part) => part.needsWatch),
      };
    }),
  ],
]);

/**
 * Makes the decoder of `tokenizer.json`.
 * @throws UnsupportedError for unknown types and patterns
 * @throws FormatError for wrong options
 */
export function makeDecoder(config: unknown, place: string): TokenDecoder {
  return makeComponent(family, "decoder", config, place);
}
