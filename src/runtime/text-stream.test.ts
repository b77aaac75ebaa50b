import { describe, expect, test } from "vitest";
import { GeneratedText } from "./generated-text.ts";
import { type Decode, StopStrings, TextStream } from "./text-stream.ts";

/** A tokenizer whose tokens are bytes. */
const decodeBytes: Decode = (ids) => new TextDecoder().decode(Uint8Array.from(ids));

/**
 * A tokenizer that, as SentencePiece does, marks words by a space and drops the first of a text.
 */
const words = ["▁the", "▁cat", "s", "▁sat", "."];
const decodeWords: Decode = (ids) =>
  ids
    .map((id) => words[id])
    .join("")
    .replaceAll("▁", " ")
    .replace(/^ /, "");

describe("a text stream", () => {
  const text = "Grüße, 世界! 👩‍👩‍👧 done";
  const bytes = [...new TextEncoder().encode(text)];

  test("never breaks a character of several tokens", () => {
    const stream = new TextStream(decodeBytes, []);
    const pieces = bytes.map((byte) => stream.push(byte));
    expect(pieces.join("") + stream.flush()).toBe(text);
    expect(pieces.join("")).not.toContain("\ufffd");
    expect(pieces[2]).toBe("");
    expect(pieces[3]).toBe("ü");
  });

  test("continues a character that the prompt left open", () => {
    const stream = new TextStream(decodeBytes, bytes.slice(0, 3));
    const pieces = bytes.slice(3, 6).map((byte) => stream.push(byte));
    expect(pieces).toEqual(["ü", "", "ß"]);
  });

  test("gives bytes out as they are when they never become a character", () => {
    const stream = new TextStream(decodeBytes, []);
    const pieces = [0x61, 0xff, 0xfe, 0x62].map((byte) => stream.push(byte));
    expect(pieces).toEqual(["a", "", "", "\ufffd\ufffdb"]);
  });

  test("holds no more than a character's worth back", () => {
    const stream = new TextStream(decodeBytes, []);
    let given = "";
    for (let i = 0; i < 40; i++) given += stream.push(0xff);
    expect(given.length).toBeGreaterThan(15);
    expect(given + stream.flush()).toBe("\ufffd".repeat(40));
  });

  test("gives an unfinished character out at the end", () => {
    const stream = new TextStream(decodeBytes, []);
    expect(stream.push(0xe4)).toBe("");
    expect(stream.flush()).toBe("\ufffd");
  });

  test("keeps the spaces between words", () => {
    const stream = new TextStream(decodeWords, [0]);
    const pieces = [1, 2, 3, 0, 1, 4].map((id) => stream.push(id));
    expect(pieces).toEqual([" cat", "s", " sat", " the", " cat", "."]);
  });
});

describe("stop strings", () => {
  test("are found across pieces and never shown in part", () => {
    const stops = new StopStrings(["\n\nUser:"]);
    expect(stops.push("Hello\n")).toEqual({ text: "Hello", stopped: false });
    expect(stops.push("\nUs")).toEqual({ text: "", stopped: false });
    expect(stops.push("er: hi")).toEqual({ text: "", stopped: true });
  });

  test("what only looked like one is shown", () => {
    const stops = new StopStrings(["END"]);
    expect(stops.push("EN").text).toBe("");
    expect(stops.push("EMY E").text).toBe("ENEMY ");
    expect(stops.flush()).toBe("E");
  });

  test("the first in the text wins, not the first in the list", () => {
    const stops = new StopStrings(["b", "a"]);
    expect(stops.push("xxaxb")).toEqual({ text: "xx", stopped: true });
  });

  test("empty ones are ignored", () => {
    expect(new StopStrings([""]).push("abc")).toEqual({ text: "abc", stopped: false });
  });
});

describe("a generated text", () => {
  const base = { decode: decodeBytes, prompt: [], eosIds: [0], maxTokens: 5, stop: [] as string[] };
  const feed = (options: typeof base, text: string) => {
    const output = new GeneratedText(options);
    let shown = "";
    for (const byte of new TextEncoder().encode(text)) {
      const { text: piece, finishReason } = output.push(byte);
      shown += piece;
      if (finishReason) return [shown, finishReason];
    }
    return [shown, null];
  };

  test("ends at its token limit with all that was held back", () => {
    expect(feed({ ...base, stop: ["e!"] }, "abcdefg")).toEqual(["abcde", "length"]);
  });

  test("ends at a token that ends texts, which is not shown", () => {
    expect(feed(base, "ab\0c")).toEqual(["ab", "eos"]);
  });

  test("ends at a stop string", () => {
    expect(feed({ ...base, stop: ["cd"] }, "abcd")).toEqual(["ab", "stop"]);
  });
});
