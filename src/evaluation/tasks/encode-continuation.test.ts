import { describe, expect, it } from "vitest";
import { createTokenizer } from "../../tokenizers/hub-tokenizer.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { type Continuation, encodeContinuation } from "./encode-continuation.ts";

const vocab = { a: 0, b: 1, c: 2, " ": 3, "\n": 4, bc: 5, " c": 6, "<s>": 7, "</s>": 8 };
const merges = [
  ["b", "c"],
  [" ", "c"],
];
const special = [
  { id: 7, content: "<s>", special: true },
  { id: 8, content: "</s>", special: true },
];

/** `<s>` in front, only both tokens known, one of them, or none. */
const opened = { bos_token: "<s>", eos_token: "</s>" };
const known = { ...opened };
const ended = { eos_token: "</s>" };
const bare = {};

function tokenizerWith(settings: object): Tokenizer {
  const model = { type: "BPE", vocab, merges };
  const isOpened = settings === opened;
  const startTemplate = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }],
    special_tokens: { "<s>": { ids: [7] } },
  };
  const definition = {
    added_tokens: special,
    model,
    post_processor: isOpened ? startTemplate : null,
  };
  return createTokenizer({ definition, settings });
}

/** The tokens in front and those that are scored, as texts. */
function shown(
  texts: Continuation,
  settings: object = opened,
  contextLength = 100,
): { front: string; scored: string } {
  const tokenizer = tokenizerWith(settings);
  const { ids, from, to } = encodeContinuation(tokenizer, texts, contextLength);
  expect(to).toBe(ids.length - 1);
  const text = (part: Int32Array): string =>
    [...part].map((id) => tokenizer.idToToken(id)).join("|");
  return { front: text(ids.subarray(0, from + 1)), scored: text(ids.subarray(from + 1)) };
}

describe("encodeContinuation", () => {
  it("puts the start token in front and scores the continuation's tokens", () => {
    const texts = { context: "ab", continuation: " ca" };
    expect(shown(texts)).toEqual({ front: "<s>|a|b", scored: " c|a" });
    expect(shown(texts, known)).toEqual({ front: "a|b", scored: " c|a" });
  });

  it("moves spaces at the end of the context to the continuation", () => {
    expect(shown({ context: "a ", continuation: "c" })).toEqual({ front: "<s>|a", scored: " c" });
    expect(shown({ context: "a\n", continuation: "b" })).toEqual({
      front: "<s>|a",
      scored: "\n|b",
    });
  });

  it("scores the last token where context and continuation merge into one", () => {
    expect(shown({ context: "b", continuation: "c" })).toEqual({ front: "<s>", scored: "bc" });
  });

  it("keeps the context's own tokens where the whole has others there", () => {
    // The whole is a|bc|a: behind as many tokens as the context has stands the last one.
    expect(shown({ context: "ab", continuation: "ca" })).toEqual({ front: "<s>|a|b", scored: "a" });
  });

  it("lets the token that opens or ends a text stand in for a context", () => {
    const texts = { context: "", continuation: "ab" };
    expect(shown(texts)).toEqual({ front: "<s>", scored: "a|b" });
    expect(shown(texts, known)).toEqual({ front: "<s>", scored: "a|b" });
    expect(shown(texts, ended)).toEqual({ front: "</s>", scored: "a|b" });
    expect(shown(texts, bare)).toEqual({ front: "a", scored: "b" });
    const marked = { context: "", continuation: "<s>ab" };
    expect(shown(marked, known)).toEqual({ front: "<s>", scored: "a|b" });
  });

  it("cuts a text that is too long at its front, and refuses what cannot be scored", () => {
    const texts = { context: "ab", continuation: " c" };
    expect(shown(texts, opened, 2)).toEqual({ front: "a|b", scored: " c" });
    expect(shown(texts, opened, 1)).toEqual({ front: "b", scored: " c" });
    const long = { context: "a", continuation: " ca" };
    expect(() => shown(long, opened, 1)).toThrow(/has 2 tokens, too many to be scored: .* is 1$/);
    expect(() => shown({ context: "", continuation: "" })).toThrow(
      /has no tokens that can be scored/,
    );
  });
});
