import type { Part } from "./split-text.ts";
import { scripts } from "./unicode-names.ts";

const any = -1;
const patterns: RegExp[] = [];
const known = new Map<string, number>();

function scriptOf(character: string): number {
  const found = known.get(character);
  if (found !== undefined) return found;
  if (patterns.length === 0) {
    for (const name of scripts) patterns.push(new RegExp(`\\p{Script=${name}}`, "u"));
  }
  const han = scripts.indexOf("Han");
  const joined = ["Hiragana", "Katakana"].map((name) => scripts.indexOf(name));
  // Sentencepiece takes the three scripts of Japanese, and the mark of long vowels, for one.
  let script = patterns.findIndex((pattern) => pattern.test(character));
  if (character === "ー" || joined.includes(script)) script = han;
  if (character === " ") script = any;
  if (known.size > 1 << 16) known.clear();
  known.set(character, script);
  return script;
}

/**
 * Cuts where the script changes; spaces, and characters without a script, belong to what is before
 * them, and at the start of a text to nothing. Source: `UnicodeScripts` of the tokenizers library.
 */
export function* splitByScript(text: string): Generator<Part> {
  let start = -1;
  let last: number | null = null;
  let at = 0;
  for (const character of text) {
    const script = scriptOf(character);
    if (script !== any && script !== last) {
      if (start >= 0) yield { start, end: at };
      start = at;
      last = script;
    }
    at += character.length;
  }
  if (start >= 0) yield { start, end: text.length };
}
