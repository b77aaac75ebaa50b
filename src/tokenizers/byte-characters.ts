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
const utf16 = new TextDecoder("utf-16le");
/** Bytes from which on a text counts as long. */
const longText = 1000;

/** Writes a text as the characters that stand for its bytes in UTF-8. */
export function toByteCharacters(text: string): string {
  if (/^[!-~]*$/.test(text)) return text;
  const bytes = encoder.encode(text);
  // A text that is put together character by character takes some 40 bytes for each in V8.
  if (bytes.length > longText) return utf16.decode(codesOf(bytes));
  let written = "";
  for (const byte of bytes) written += characterOfByte[byte];
  return written;
}

function codesOf(bytes: Uint8Array): Uint16Array {
  const codes = new Uint16Array(bytes.length);
  for (let i = 0; i < codes.length; i++) codes[i] = characterOfByte[bytes[i]].charCodeAt(0);
  return codes;
}

/** The bytes that tokens' characters stand for; of a token with other characters its own bytes. */
export function fromByteCharacters(tokens: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(3 * tokens.reduce((length, token) => length + token.length, 0));
  let end = 0;
  for (const token of tokens) {
    const start = end;
    for (const character of token) {
      const byte = byteOfCharacter.get(character);
      if (byte === undefined) {
        end = start + encoder.encodeInto(token, bytes.subarray(start)).written;
        break;
      }
      bytes[end++] = byte;
    }
  }
  return bytes.subarray(0, end);
}
