import { describe, expect, test } from "vitest";
import {
  ask,
  changeAnswer,
  type Conversation,
  cutAt,
  isWriting,
  newConversation,
  titleOf,
  turnsFor,
} from "./conversation.ts";
import { readExported, writeExported } from "./exported.ts";

function answered(): Conversation {
  const begun = newConversation("c", 1, "Be brief.");
  const first = ask(begun, { id: "1", question: "Hi", models: ["a", "b"] });
  const left = changeAnswer(first, { exchange: "1", column: 0 }, (answer) => ({
    ...answer,
    text: "left",
    state: "done",
  }));
  return changeAnswer(left, { exchange: "1", column: 1 }, (answer) => ({
    ...answer,
    text: "right",
    state: "done",
  }));
}

describe("a conversation", () => {
  test("tells each model its own answers, and the first ones to a model that joins", () => {
    const next = ask(answered(), { id: "2", question: "More", models: ["a", "b", "c"] });
    const texts = (column: number) => turnsFor(next, column).map(({ content }) => content);
    expect(texts(0)).toEqual(["Be brief.", "Hi", "left", "More"]);
    expect(texts(1)).toEqual(["Be brief.", "Hi", "right", "More"]);
    expect(texts(2)).toEqual(["Be brief.", "Hi", "left", "More"]);
    expect(turnsFor(next, 0).map(({ role }) => role)).toEqual([
      "system",
      "user",
      "assistant",
      "user",
    ]);
  });

  test("leaves out messages that a model gave no answer to, but not the last one", () => {
    const failed = changeAnswer(
      ask(answered(), { id: "2", question: "Again", models: ["a", "b"] }),
      { exchange: "2", column: 0 },
      (answer) => ({ ...answer, state: "failed", error: "the queue is full" }),
    );
    const partly = changeAnswer(failed, { exchange: "2", column: 1 }, (answer) => ({
      ...answer,
      text: "cut",
      state: "stopped",
    }));
    const next = ask(partly, { id: "3", question: "More", models: ["a", "b"] });
    const texts = (column: number) => turnsFor(next, column).map(({ content }) => content);
    expect(texts(0)).toEqual(["Be brief.", "Hi", "left", "More"]);
    expect(texts(1)).toEqual(["Be brief.", "Hi", "right", "Again", "cut", "More"]);
    expect(turnsFor(partly, 0).at(-1)?.content).toBe("Again");
  });

  test("is being written until all have answered", () => {
    const next = ask(answered(), { id: "2", question: "More", models: ["a"] });
    expect(isWriting(next)).toBe(true);
    expect(isWriting(answered())).toBe(false);
  });

  test("goes back to a message without what is behind it", () => {
    const next = ask(answered(), { id: "2", question: "More", models: ["a"] });
    expect(cutAt(next, "2").exchanges).toEqual(answered().exchanges);
    expect(cutAt(next, "1").exchanges).toEqual([]);
    expect(cutAt(next, "none")).toBe(next);
  });

  test("is called by how it begins, or as it was named", () => {
    expect(titleOf(newConversation("c", 1))).toBe("New conversation");
    expect(titleOf(answered())).toBe("Hi");
    const long = ask(newConversation("c", 1), { id: "1", question: "x".repeat(80), models: [] });
    expect(titleOf(long)).toHaveLength(48);
    expect(titleOf({ ...long, title: "Named" })).toBe("Named");
  });
});

describe("a file of conversations", () => {
  test("gives back what was written, with what it cost", () => {
    const timings = {
      promptTokens: 9,
      cachedTokens: 1,
      promptPerSecond: 3,
      answerTokens: 2,
      answerPerSecond: 4,
    };
    const where = { exchange: "1", column: 0 };
    const timed = changeAnswer(answered(), where, (answer) => ({
      ...answer,
      timings,
      firstMs: 12,
      pieces: 2,
      lastMs: 40,
      reason: "length",
    }));
    expect(readExported(writeExported([timed]))).toEqual([timed]);
  });

  test("has an answer that was being written as one that was stopped", () => {
    const next = ask(answered(), { id: "2", question: "More", models: ["a"] });
    const [read] = readExported(writeExported([next]));
    expect(read?.exchanges[1]?.answers[0]?.state).toBe("stopped");
    expect(read?.exchanges[0]).toEqual(next.exchanges[0]);
  });

  test.each([
    ["no JSON", "nonsense", "no JSON file"],
    ["of something else", "{}", "no file of conversations"],
    [
      "with something else inside",
      JSON.stringify({ format: "fewbit-chat", conversations: [{ id: "x", exchanges: 3 }] }),
      "conversation 1 is not as this page writes it",
    ],
  ])("that is %s is refused", (_, text, message) => {
    expect(() => readExported(text)).toThrow(message);
  });
});
