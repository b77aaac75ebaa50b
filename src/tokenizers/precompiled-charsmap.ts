import { FormatError } from "../util/errors.ts";

/**
 * Reads the table of replacements that sentencepiece compiles for its normalizer: a double-array
 * trie over the UTF-8 bytes of what is replaced, and behind it the replacements, each ended by a
 * zero. Returns the function that rewrites a text: each grapheme of up to five bytes by the first
 * entry that begins it, or else each character. Source: `Precompiled` of the tokenizers library;
 * the array's layout is that of Darts-clone.
 * @throws FormatError for a table that is none
 */
export function precompiledCharsmap(base64: string, place: string): (text: string) => string {
  const bytes = decodeBase64(base64, place);
  const trieBytes = bytes.length >= 4 ? new DataView(bytes.buffer).getUint32(0, true) : 0;
  if (bytes.length < 4 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) {
    throw new FormatError(`${place}: the precompiled_charsmap is no table of replacements`);
  }
  const units = new Uint32Array(bytes.buffer.slice(4, 4 + trieBytes));
  const replacements = bytes.subarray(4 + trieBytes);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const known = new Map<string, string | null>();

  const lookUp = (part: string): string | null => {
    const found = known.get(part);
    if (found !== undefined) return found;
    const at = firstPrefix(units, encoder.encode(part));
    const replacement =
      at === null || at > replacements.length
        ? null
        : decoder.decode(replacements.subarray(at, endOf(replacements, at)));
    if (known.size > 1 << 16) known.clear();
    known.set(part, replacement);
    return replacement;
  };
  const rewriteGrapheme = (grapheme: string): string => {
    if (encoder.encode(grapheme).length < 6) {
      const whole = lookUp(grapheme);
      if (whole !== null) return whole;
    }
    let rewritten = "";
    for (const character of grapheme) rewritten += lookUp(character) ?? character;
    return rewritten;
  };
  return (text) => {
    let rewritten = "";
    for (const grapheme of graphemes(text)) rewritten += rewriteGrapheme(grapheme);
    return rewritten;
  };
}

function decodeBase64(base64: string, place: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new FormatError(`${place}: the precompiled_charsmap is not in base64`, { cause });
  }
}

/** Value of the shortest entry that begins `key`. A unit has a label, a leaf's mark, an offset. */
function firstPrefix(units: Uint32Array, key: Uint8Array): number | null {
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  if (units.length === 0) return null;
  let node = offset(units[0]);
  for (const byte of key) {
    if (byte === 0) return null;
    node ^= byte;
    const unit = units[node];
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return null;
    node ^= offset(unit);
    if (unit & 0x100) {
      const leaf = units[node];
      return leaf === undefined ? null : leaf & 0x7fffffff;
    }
  }
  return null;
}

function endOf(replacements: Uint8Array, at: number): number {
  const end = replacements.indexOf(0, at);
  return end < 0 ? replacements.length : end;
}

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
/** Characters of which two in a row are two graphemes. */
const alone =
  /[\0-\x0c\x0e-\u02ff\u2010-\u2027\u2030-\u205e\u3001-\u3029\u3030-\u3098\u309b-\ua4cf\uac00-\ud7a3]/;
const notAlone = new RegExp(alone.source.replace("[", "[^"), "g");

/** Cuts a text into graphemes; the slow segmenter sees only where several may come together. */
function* graphemes(text: string): Generator<string> {
  let at = 0;
  while (at < text.length) {
    notAlone.lastIndex = at;
    const joining = notAlone.exec(text)?.index ?? text.length;
    // The character before one that may join belongs to its grapheme.
    const plainEnd = joining === text.length ? joining : joining - 1;
    while (at < plainEnd) yield text[at++];
    let end = joining;
    while (end < text.length && !(alone.test(text[end]) && alone.test(text[end + 1] ?? " "))) end++;
    end = Math.min(end + 1, text.length);
    if (at < end) for (const { segment } of segmenter.segment(text.slice(at, end))) yield segment;
    at = end;
  }
}
