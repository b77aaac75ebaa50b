import type { TextSource } from "./io.ts";

/** Reads a stream to its end, as UTF-8. */
export async function readAll(source: TextSource): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of source) {
    text += typeof piece === "string" ? piece : decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}
