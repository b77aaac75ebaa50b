import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { Pattern, watchPatterns } from "./pattern.ts";

const of = (expression: string): Pattern => Pattern.of({ Regex: expression }, "tokenizer.json");

/** All matches, as the tokenizers library finds them one after the other. */
function matches(expression: string, text: string): string[] {
  const found: string[] = [];
  const pattern = of(expression);
  for (let match = pattern.findFrom(text, 0, -1); match; ) {
    found.push(text.slice(match[0], match[1]));
    match = pattern.findFrom(text, match[1], match[1]);
  }
  return found;
}

// Answers of Oniguruma 6.9.10 (tokenizers 0.23.3).
test.each([
  ["[[:punct:]]", "a$!€", ["$", "!", "€"]],
  ["[a-z&&[^aeiou]]+", "hello", ["h", "ll"]],
  ["\\h+", "fade x9", ["fade", "9"]],
  ["(?>a|ab)c", "abc ac", ["ac"]],
  ["a++b", "aaab ab", ["aaab", "ab"]],
  ["a{,2}", "aaaa", ["aa", "aa"]],
  ["a{2}+", "aaaaa", ["aaaa"]],
  ["(?i)ab|CD", "aB cd", ["aB", "cd"]],
  ["x(?i)ab|CD", "xaB cd xcd", ["xaB", "xcd"]],
  ["(?i:'s)", "'ſ 's", ["'ſ", "'s"]],
  ["(?x: a b )", "ab a b", ["ab"]],
  ["(?m:.)", "a\nb", ["a", "\n", "b"]],
  ["[]a]", "]ab", ["]", "a"]],
  ["\\p{^L}", "a1", ["1"]],
  ["\\p{han}", "中a", ["中"]],
  ["\\x{41}|\\u0062", "Ab", ["A", "b"]],
  ["\\w", "a²", ["a", "²"]],
  ["[\\w]", "a²", ["a"]],
  ["^", "ab\ncd\n", ["", ""]],
  ["$", "ab\ncd\n", ["", "", ""]],
  ["a*", "baac", ["", "aa", ""]],
])("%s in %j is what Oniguruma finds", (expression, text, expected) => {
  expect(matches(expression, text)).toEqual(expected);
});

test.each([
  ["(a)\\1", "\\1"],
  ["\\Ga", "\\G"],
  ["a\\Kb", "\\K"],
  ["\\X", "\\X"],
  ["(?~ab)", "(?~"],
  ["[[:foo:]]", "[:foo:]"],
  ["\\p{Klingon}", "\\p{Klingon}"],
  ["(?i:ss)", '"ss" without regard to case'],
  ["[a-\\d]", "a range that ends with a class"],
  ["(a", 'a "(" without its ")"'],
  ["*a", '"*" behind nothing'],
])("%s is refused for %s", (expression, construct) => {
  expect(() => of(expression)).toThrow(UnsupportedError);
  expect(() => of(expression)).toThrow(construct);
});

test("a pattern that backtracks without end is stopped and named", () => {
  const pattern = of("(a|a)*$");
  expect(pattern.needsWatch).toBe(true);
  const find = () => pattern.findFrom(`${"a".repeat(60)}b`, 0, -1);
  const watched = () => watchPatterns("model/tokenizer.json", 61, find, 50);
  expect(watched).toThrow(FormatError);
  expect(watched).toThrow('model/tokenizer.json: the pattern "(a|a)*$" did not come to an end');
});

test("what is watched gives its result, and its own errors", () => {
  expect(watchPatterns("f", 1, () => 7)).toBe(7);
  const fails = () =>
    watchPatterns("f", 1, () => {
      throw new UnsupportedError("of its own");
    });
  expect(fails).toThrow("of its own");
});

test("patterns of well-known models run unwatched, strings too", () => {
  expect(of("\\p{N}{1,3}").needsWatch).toBe(false);
  expect(Pattern.of({ String: "(a|a)*$" }, "f").needsWatch).toBe(false);
});
