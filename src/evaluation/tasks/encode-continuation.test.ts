import { describe, expect, it } from "vitest";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { type Continuation, encodeContinuation } from "./encode-continuation.ts";

const pieces = [
  "<s>",
  "</s>",
  "Snow",
  " is",
  " white",
  "  white",
  "\n",
  "s",
  "Snows",
  " ",
] as const;

/** A tokenizer of few words: at each place the longest piece that fits. */
function tokenizerWith(settings: Partial<Tokenizer>): Tokenizer {
  const encode = (text: string): Int32Array => {
    const ids: number[] = [];
    for (let at = 0; at < text.length; ) {
      const fitting = pieces.filter((piece) => text.startsWith(piece, at));
      const longest = fitting.reduce((best, piece) => (piece.length > best.length ? piece : best));
      ids.push(pieces.indexOf(longest));
      at += longest.length;
    }
    return Int32Array.from(ids);
  };
  const around = { bosId: 0, eosIds: [1], startIds: [0] };
  return { ...around, encode, ...settings } as Tokenizer;
}

/** The tokens in front and those that are scored, as texts. */
function shown(
  texts: Continuation,
  settings: Partial<Tokenizer> = {},
  contextLength = 100,
): { front: string; scored: string } {
  const { ids, from, to } = encodeContinuation(tokenizerWith(settings), texts, contextLength);
  expect(to).toBe(ids.length - 1);
  const text = (part: Int32Array): string => [...part].map((id) => pieces[id]).join("|");
  return { front: text(ids.subarray(0, from + 1)), scored: text(ids.subarray(from + 1)) };
}

describe("encodeContinuation", () => {
  it("puts the start token in front and scores the continuation's tokens", () => {
    const texts = { context: "Snow is", continuation: " white" };
    expect(shown(texts)).toEqual({ front: "<s>|Snow| is", scored: " white" });
  });

  it("moves spaces at the end of the context to the continuation", () => {
    const texts = { context: "Snow is ", continuation: " white" };
    expect(shown(texts)).toEqual({ front: "<s>|Snow| is", scored: "  white" });
    expect(shown({ context: "Snow is\n", continuation: "Snow" }).scored).toBe("\n|Snow");
  });

  it("scores the last token where both texts melt into one", () => {
    const texts = { context: "Snow", continuation: "s" };
    expect(shown(texts)).toEqual({ front: "<s>", scored: "Snows" });
  });

  it("lets the token that opens or ends a text stand in for a context", () => {
    const texts = { context: "", continuation: "Snow is" };
    expect(shown(texts)).toEqual({ front: "<s>", scored: "Snow| is" });
    expect(shown(texts, { startIds: [] })).toEqual({ front: "<s>", scored: "Snow| is" });
    const withoutBos = { startIds: [], bosId: null };
    expect(shown(texts, withoutBos)).toEqual({ front: "</s>", scored: "Snow| is" });
    const without = { ...withoutBos, eosIds: [] };
    expect(shown(texts, without)).toEqual({ front: "Snow", scored: " is" });
    expect(shown({ context: "<s>", continuation: "Snow" }, { startIds: [] }).front).toBe("<s>");
  });

  it("cuts a text that is too long at its front, and refuses what cannot be scored", () => {
    const texts = { context: "Snow is", continuation: " white" };
    expect(shown(texts, {}, 2)).toEqual({ front: "Snow| is", scored: " white" });
    expect(shown(texts, {}, 1)).toEqual({ front: " is", scored: " white" });
    const long = { context: "Snow", continuation: " is white" };
    expect(() => shown(long, {}, 1)).toThrow(/has 2 tokens, and nothing may stand before it/);
    expect(() => shown({ context: "", continuation: "" })).toThrow(/has 0 tokens/);
  });
});
