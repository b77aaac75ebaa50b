import { expect, test } from "vitest";
import { createTokenizer } from "./hub-tokenizer.ts";
import { TextStream } from "./text-stream.ts";
import type { Tokenizer } from "./tokenizer.ts";

const byteName = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/** A Llama-like tokenizer: letters, a mark for spaces, and bytes for all the rest. */
function byteFallbackTokenizer(): Tokenizer {
  const tokens = ["<unk>", "<s>", ...Array.from({ length: 256 }, (_, i) => byteName(i)), "▁", "a"];
  return createTokenizer({
    definition: {
      added_tokens: [{ id: 1, content: "<s>", special: true }],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
        ],
      },
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
      model: {
        type: "BPE",
        unk_token: "<unk>",
        byte_fallback: true,
        fuse_unk: true,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: [],
      },
    },
  });
}

test("the pieces together are the decoded text, and none ends within a character", () => {
  const tokenizer = byteFallbackTokenizer();
  const text = "a  é\u{1f999}a \ufeff日本 a";
  const stream = new TextStream(tokenizer);
  const pieces = [...tokenizer.encode(text)].map((id) => stream.push(id));
  expect(pieces.join("") + stream.finish()).toBe(text);
  for (const piece of pieces) expect(piece).not.toContain("\ufffd");
});

test("the first token after a prompt keeps its space", () => {
  const tokenizer = byteFallbackTokenizer();
  const [space, a] = tokenizer.encode("a");
  const stream = new TextStream(tokenizer);
  stream.start([1, space, a]);
  expect(stream.push(space) + stream.push(a)).toBe(" a");
});

test("special tokens are left out, or not", () => {
  const tokenizer = byteFallbackTokenizer();
  const a = tokenizer.tokenToId("a") as number;
  const silent = new TextStream(tokenizer);
  const loud = new TextStream(tokenizer, { skipSpecial: false });
  expect(silent.push(a) + silent.push(1) + silent.push(a)).toBe("aa");
  expect(loud.push(a) + loud.push(1) + loud.push(a)).toBe("a<s>a");
});

test("bytes that are not UTF-8 come out at the end, or when the wait is over", () => {
  const tokenizer = byteFallbackTokenizer();
  const lead = tokenizer.tokenToId(byteName(0xf0)) as number;
  const stream = new TextStream(tokenizer);
  expect(stream.push(lead)).toBe("");
  expect(stream.finish()).toBe("\ufffd");
  const endless = new TextStream(tokenizer);
  const given = Array.from({ length: 20 }, () => endless.push(lead)).join("");
  expect(given.length).toBeGreaterThan(8);
});
