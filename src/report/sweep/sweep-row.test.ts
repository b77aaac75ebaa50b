import { expect, test } from "vitest";
import { shortenNames } from "./sweep-row.ts";

test("what all models are called is left out, but never a part of a number", () => {
  expect([...shortenNames(["tiny-0.3m", "tiny-0.8m"]).values()]).toEqual(["0.3m", "0.8m"]);
  expect([...shortenNames(["0.3m", "0.8m"]).values()]).toEqual(["0.3m", "0.8m"]);
});
