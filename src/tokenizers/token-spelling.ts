import { fromByteCharacters } from "./byte-characters.ts";

/**
 * How the names of tokens spell text: `byte-level` with a character for each byte, `metaspace` with
 * U+2581 for spaces and `<0x0A>` for bytes, `plain` as they are.
 */
export type TokenSpelling = "byte-level" | "metaspace" | "plain";

/** Tells how names spell text by the decoder of a `tokenizer.json`. */
export function spellingOf(decoder: unknown): TokenSpelling {
  const kinds = JSON.stringify(decoder ?? null);
  if (kinds.includes('"ByteLevel"')) return "byte-level";
  return /"ByteFallback"|"Metaspace"|\u2581/.test(kinds) ? "metaspace" : "plain";
}

const encoder = new TextEncoder();

/** The part of a tokenizer that says what its tokens are. */
interface NamedTokens {
  readonly spelling: TokenSpelling;
  readonly specialIds: ReadonlySet<number>;
  idToToken(id: number): string | null;
}

/** Returns the bytes that a token writes within a text; none for ids without a token. */
export function tokenBytes(tokenizer: NamedTokens, id: number): Uint8Array {
  const name = tokenizer.idToToken(id);
  if (name === null) return new Uint8Array();
  if (tokenizer.specialIds.has(id)) return encoder.encode(name);
  if (tokenizer.spelling === "byte-level") return fromByteCharacters([name]);
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(name)?.[1];
  if (tokenizer.spelling === "metaspace") {
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return encoder.encode(name.replaceAll("\u2581", " "));
  }
  return encoder.encode(name);
}
