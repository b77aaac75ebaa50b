import { expect, test } from "vitest";
import { sha256 } from "../../platform/node.ts";
import { promptSet, promptSetId } from "./prompt-set.ts";

test("the prompts are those of the set's id: figures of other prompts cannot be compared", () => {
  const hash = sha256(JSON.stringify(promptSet)).slice(0, 16);
  expect(`${promptSetId} ${hash}`).toBe("fewbit-1 65f7d78a2ffc9171");
});

test("has beginnings and questions by turns, each once", () => {
  expect(promptSet.map(({ kind }) => kind)).toEqual(
    promptSet.map((_, index) => (index % 2 === 0 ? "beginning" : "question")),
  );
  expect(new Set(promptSet.map(({ text }) => text)).size).toBe(20);
});
