/** The characters that stand for the 256 bytes, by code point: GPT-2's `bytes_to_unicode`. */
export function byteCharacters(): string[] {
  const others = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !isPlain(byte));
  const plain = Array.from({ length: 256 }, (_, byte) => byte).filter(isPlain);
  return [...plain, ...others.map((_, i) => 256 + i)].map((code) => String.fromCharCode(code));
}

function isPlain(code: number): boolean {
  return (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || code >= 174;
}

/** The character of each byte, by the byte. */
const characterOfByte: readonly string[] = (() => {
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(isPlain(byte) ? byte : 256 + others++),
  );
})();
const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  characterOfByte.map((character, byte) => [character, byte]),
);
const encoder = new TextEncoder();

/** Writes a text as the characters that stand for its bytes in UTF-8. */
export function toByteCharacters(text: string): string {
  if (/^[!-~]*$/.test(text)) return text;
  let written = "";
  for (const byte of encoder.encode(text)) written += characterOfByte[byte];
  return written;
}

/** The bytes that a token's characters stand for; of a token with others its own bytes. */
export function fromByteCharacters(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = byteOfCharacter.get(character);
    if (byte === undefined) return encoder.encode(token);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
