import type { Noun, Person, Verb } from "./vocabulary.ts";

const numbers =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen " +
  "sixteen seventeen eighteen nineteen twenty";
const numberWords = numbers.split(" ");

/** The largest number that has a word here. */
export const largestNumber: number = numberWords.length - 1;

/** Writes a whole number from 0 to 20 as a word. */
export function numberWord(value: number): string {
  const word = numberWords[value];
  if (word === undefined) throw new RangeError(`no word for the number ${value}`);
  return word;
}

/** Writes a number of things: `one apple`, `three apples`, `no apples`. */
export function count(value: number, { one, many }: Noun): string {
  if (value === 0) return `no ${many}`;
  return `${numberWord(value)} ${value === 1 ? one : many}`;
}

/** Puts the indefinite article before a word. */
export function withArticle(word: string): string {
  return `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;
}

/** Returns `she` or `he`. */
export function pronoun({ she }: Person): string {
  return she ? "she" : "he";
}

/** Returns `her` or `his`. */
export function possessive({ she }: Person): string {
  return she ? "her" : "his";
}

/** Returns a verb in the present that agrees with a singular or plural subject. */
export function present(verb: Verb, plural: boolean): string {
  return plural ? verb.base : verb.third;
}

/** Makes the first letter a capital. */
export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Writes a sentence: a capital at its start, a full stop at its end. */
export function sentence(text: string): string {
  return `${capitalize(text)}.`;
}

/** Writes `a, b and c`. */
export function enumerate(parts: readonly string[]): string {
  const last = parts.at(-1) ?? "";
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(", ")} and ${last}`;
}
