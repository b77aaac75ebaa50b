import type { Prng } from "../../src/util/prng.ts";
import { hostileNumbers, hostileTexts } from "./hostile-values.ts";

/** A changed text, and what was changed. */
export interface ChangedText {
  readonly result: string;
  readonly what: string;
}

/** Changes a text at one place; `words` are those that mean something in it. */
export function changeText(text: string, words: readonly string[], prng: Prng): ChangedText {
  const at = prng.below(text.length + 1);
  const length = 1 + prng.below(draw([1, 4, 20, 200], prng));
  const span = text.slice(at, at + length);
  const put = (middle: string, skip: number, what: string): ChangedText => ({
    result: text.slice(0, at) + middle + text.slice(at + skip),
    what: `${what} at ${at}`,
  });
  switch (prng.below(9)) {
    case 0:
      return put("", length, `${length} characters left out`);
    case 1:
      return { result: text.slice(0, at), what: `cut off at ${at}` };
    case 2: {
      const count = draw([2, 10, 1000, 20_000], prng);
      return put(repeated(span, count), length, `${show(span)} many times`);
    }
    case 3: {
      const word = draw(hostileTexts, prng);
      return put(word, 0, show(word));
    }
    case 4: {
      const from = prng.below(text.length + 1);
      return put(text.slice(from, from + length), length, `what stands at ${from}`);
    }
    case 5:
      return changeNumber(text, prng);
    case 6: {
      const word = draw(words, prng);
      const count = draw([100, 5000, 30_000], prng);
      return put(repeated(word, count), 0, `${show(word)} up to ${count} times`);
    }
    default: {
      const word = draw(words, prng);
      return put(prng.below(2) === 0 ? ` ${word} ` : word, prng.below(2) * length, show(word));
    }
  }
}

/** Puts another number in the place of one. */
function changeNumber(text: string, prng: Prng): ChangedText {
  const numbers = [...text.matchAll(/\d+(\.\d+)?/g)];
  const value = String(draw(hostileNumbers, prng));
  const found = numbers.length === 0 ? null : draw(numbers, prng);
  if (!found) return { result: text + value, what: `${value} at the end` };
  const { index } = found;
  const result = text.slice(0, index) + value + text.slice(index + found[0].length);
  return { result, what: `${found[0]} = ${value} at ${index}` };
}

/** A text many times, up to a million characters. */
function repeated(text: string, count: number): string {
  return text.repeat(Math.min(count, Math.max(1, Math.floor(1_000_000 / (text.length + 1)))));
}

function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 37)}...` : text);
}

function draw<T>(list: readonly T[], prng: Prng): T {
  return list[prng.below(list.length)];
}
