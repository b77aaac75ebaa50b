import { expect, test } from "vitest";
import { BlockPool, noTokens } from "./block-pool.ts";
import { lookUpGuesses } from "./guess-tokens.ts";
import { PagedText } from "./paged-text.ts";
import { planStep } from "./plan-step.ts";

test("blocks with one content are held by several, and found until they are needed", () => {
  const pool = new BlockPool(3, 2);
  const [a, b] = [pool.take(), pool.take()] as [number, number];
  const chain = pool.publish(a, noTokens, [1, 2]);
  pool.publish(b, chain, [3, 4]);
  expect(pool.find(noTokens, [1, 2])).toEqual({ block: a, chain });
  // The same tokens behind others are something else.
  expect(pool.find(noTokens, [3, 4])).toBeNull();
  pool.giveBack([a, b]);
  expect([pool.used, pool.cached, pool.available]).toEqual([1, 1, 2]);
  pool.giveBack([a]);
  expect([pool.used, pool.cached, pool.available]).toEqual([0, 2, 3]);
  // The empty one goes first, then the end of the text, then its beginning.
  expect(pool.take()).not.toBe(a);
  expect(pool.take()).toBe(b);
  expect(pool.find(chain, [3, 4])).toBeNull();
  expect(pool.take()).toBe(a);
  expect(pool.take()).toBeNull();
});

test("a text that began with an evicted block does not find what followed it", () => {
  const pool = new BlockPool(4, 2);
  const text = new PagedText(pool, [1, 2, 3, 4, 5]);
  text.reserve(5);
  text.advance(5);
  text.publish();
  text.drop();
  expect(pool.cached).toBe(2);
  const again = new PagedText(pool, [1, 2, 3, 4, 5]);
  expect(again.adoptPrefix()).toBe(4);
  expect(again.pending).toBe(1);
  again.drop();
  const other = new PagedText(pool, [9, 9, 9, 9, 9, 9, 9, 9]);
  expect(other.reserve(8)).toBe(true);
  expect(other.reserve(9)).toBe(false);
  expect(new PagedText(pool, [1, 2, 3, 4, 5]).adoptPrefix()).toBe(0);
  other.drop();
  expect(pool.used).toBe(0);
});

test("the last token of a text is always computed, also where all of it is known", () => {
  const pool = new BlockPool(4, 2);
  const text = new PagedText(pool, [1, 2, 3, 4]);
  text.reserve(4);
  text.advance(4);
  text.publish();
  expect(new PagedText(pool, [1, 2, 3, 4]).adoptPrefix()).toBe(2);
  expect(new PagedText(pool, [1, 2, 3, 4, 5]).adoptPrefix()).toBe(4);
});

test("a step reads one token of all that are decoded, and equal parts of prompts beside them", () => {
  const limits = { stepTokens: 100, prefillBeside: 12 };
  const demand = (pending: number, longestChunk = Infinity) => ({ pending, longestChunk });
  const plan = (...pending: number[]) =>
    planStep(
      pending.map((each) => demand(each)),
      limits,
    );
  expect(plan(1, 500, 1)).toEqual([1, 12, 1]);
  expect(plan(500)).toEqual([100]);
  expect(plan(500, 3, 500)).toEqual([48, 3, 49]);
  expect(plan(1, 500, 2, 500)).toEqual([1, 5, 2, 5]);
  expect(planStep([demand(500, 7), demand(500)], limits)).toEqual([7, 93]);
  // More prompts than tokens: the first ones get one each.
  expect(planStep([demand(9), demand(9), demand(9)], { stepTokens: 2, prefillBeside: 1 })).toEqual([
    1, 1, 0,
  ]);
});

test("guesses are what followed the longest end of a text where it came last", () => {
  expect(lookUpGuesses([1, 2, 3, 9, 1, 2, 3, 4, 5, 1, 2, 3], 2)).toEqual([4, 5]);
  expect(lookUpGuesses([5, 1, 2, 7, 8, 1, 2], 9)).toEqual([7, 8, 1, 2]);
  expect(lookUpGuesses([1, 1, 1], 3)).toEqual([1]);
  expect(lookUpGuesses([1, 2, 3, 4], 3)).toEqual([]);
  expect(lookUpGuesses([], 3)).toEqual([]);
});
