import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { writeCorpus } from "./corpus.ts";
import { Draw, isHeldOut } from "./draw.ts";
import { numberWord } from "./grammar.ts";
import type { Item } from "./item.ts";
import { tasks, writeTask } from "./tasks.ts";
import {
  actions,
  animals,
  days,
  folk,
  people,
  properties,
  qualities,
  spots,
  things,
} from "./vocabulary.ts";

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const training = [
  writeCorpus(1, "training", 500_000, "early"),
  writeCorpus(4, "training", 500_000, "full"),
].join("<|doc|>\n");
const taskNames = Object.keys(tasks);
const goldOf = ({ choices, gold }: Item): string => choices[gold] ?? "";
/** What was told last about a thing in a query of the tasks `where` and `who`. */
const lastOf = (matches: Iterable<RegExpMatchArray>): string => [...matches].at(-1)?.[1] ?? "";

describe("the texts", () => {
  it("are the same bytes for the same seed", () => {
    const hashes = {
      early: hashOf(writeCorpus(1, "training", 20_000, "early")),
      training: hashOf(writeCorpus(1, "training", 20_000)),
      heldOut: hashOf(writeCorpus(3, "held-out", 20_000)),
      tasks: hashOf(JSON.stringify(taskNames.map((name) => writeTask(name, 100, 20)))),
    };
    expect(hashes).toMatchInlineSnapshot(`
      {
        "early": "b7e098b48f4cb355c3b1f597cab54357317c535baf9533146c8526a49e3b24fc",
        "heldOut": "f87e5036218a4a304c47113091af24d3a0b0ff2c1422f6b176c51f48984d3717",
        "tasks": "bb71f7471d5ecf892ad39a7a5aa9a9edfc7a70b84cd910737ade296c01cd34ea",
        "training": "8cd357639a481a338efeccd31aaab3c44f0592d75e5dedc4dd353e58b0facc95",
      }
    `);
  });

  it("have several hundred words and documents of different kinds", () => {
    const vocabulary = new Set(training.toLowerCase().match(/[a-z]+/g));
    expect(vocabulary.size).toBeGreaterThan(500);
    const passages = training.split(/\n(?:<[|]doc[|]>)?\n+/);
    expect(passages.length).toBeGreaterThan(1500);
    expect(passages.every((text) => /^["A-Z].*[.!"]\s*$/.test(text))).toBe(true);
  });

  it("put verbs in the form of their subject", () => {
    const nouns = [...animals, ...folk];
    const ones = new Set(nouns.map(({ one }) => one));
    const manys = new Set(nouns.map(({ many }) => many));
    let checked = 0;
    for (const { base, third } of actions) {
      for (const [, noun = "", verb] of training.matchAll(
        new RegExp(`[.] The (\\w+) (${base}|${third}) `, "g"),
      )) {
        checked++;
        expect(verb === third ? ones : manys).toContain(noun);
      }
    }
    expect(checked).toBeGreaterThan(50);
  });

  it("say sums that are right", () => {
    const numbers = new Map(Array.from({ length: 21 }, (_, value) => [numberWord(value), value]));
    const sums = [...training.toLowerCase().matchAll(/(\w+) (plus|minus) (\w+) is (\w+)\./g)];
    expect(sums.length).toBeGreaterThan(200);
    for (const [, a = "", sign, b = "", result = ""] of sums) {
      const right = (numbers.get(a) ?? NaN) + (sign === "plus" ? 1 : -1) * (numbers.get(b) ?? NaN);
      expect(numbers.get(result)).toBe(right);
    }
  });
});

describe("held-out combinations", () => {
  it("are one in five of every word's", () => {
    for (const [row] of things.entries()) {
      const held = spots.filter((_, column) => isHeldOut(row, column));
      expect(held).toHaveLength(spots.length / 5);
    }
  });

  it("stand in the held-out text and never in the training text", () => {
    const heldOut = writeCorpus(3, "held-out", 100_000);
    let found = 0;
    for (const [row, { one }] of things.entries()) {
      for (const [column, spot] of spots.entries()) {
        const says = `The ${one} is ${spot}.`;
        if (!isHeldOut(row, column)) continue;
        expect(training).not.toContain(says);
        if (heldOut.includes(says)) found++;
      }
    }
    expect(found).toBeGreaterThan(50);
  });

  it("are drawn for every first word", () => {
    const draw = new Draw(5, "held-out");
    for (let i = 0; i < 500; i++) {
      const [thing, spot] = draw.pair(things, spots);
      expect(isHeldOut(things.indexOf(thing), spots.indexOf(spot))).toBe(true);
    }
  });
});

describe.each(taskNames)("task %s", (name) => {
  const items = writeTask(name, 100, 60);
  const choiceCount = tasks[name]?.choices ?? 0;

  it("has different choices, as often right at each place", () => {
    const golds = new Array<number>(choiceCount).fill(0);
    for (const { choices, gold } of items) {
      expect(new Set(choices).size).toBe(choiceCount);
      golds[gold]++;
    }
    expect(new Set(golds).size).toBe(1);
  });

  it("has no item that the training text answers", () => {
    expect(new Set(items.map(({ query }) => query)).size).toBe(items.length);
    for (const item of items) expect(training).not.toContain(`${item.query} ${goldOf(item)}`);
  });
});

describe("the right answers", () => {
  it("of `where` are the spots named last for the thing", () => {
    for (const item of writeTask("where", 100, 60)) {
      const thing = /The (\w+) is$/.exec(item.query)?.[1] ?? "";
      const told = item.query.matchAll(
        new RegExp(`(?:${thing}) (?:is )?((?:in|on|under|behind) the \\w+)\\.`, "g"),
      );
      expect(goldOf(item)).toBe(`${lastOf(told)}.`);
    }
  });

  it("of `who` are those who took or got the thing last", () => {
    const names = people.map((person) => person.name).join("|");
    for (const item of writeTask("who", 100, 60)) {
      const thing = /The (\w+) is with$/.exec(item.query)?.[1] ?? "";
      let subject = "";
      let holder = "";
      for (const told of item.query.split(". ")) {
        subject = new RegExp(`^(${names}) `).exec(told)?.[1] ?? subject;
        if (new RegExp(`(takes|finds|picks up) the ${thing}$`).test(told)) holder = subject;
        holder = new RegExp(`the ${thing} to (\\w+)$`).exec(told)?.[1] ?? holder;
      }
      expect(goldOf(item)).toBe(`${holder}.`);
    }
  });

  it("of `counting` add and take away", () => {
    const words = Array.from({ length: 21 }, (_, value) => numberWord(value));
    for (const item of writeTask("counting", 100, 60)) {
      const [start = "", ...changes] = item.query.split(". ");
      let has = words.indexOf(start.split(" ")[2] ?? "");
      for (const change of changes) {
        const by = words.indexOf(/ (\w+) (?:more|of them)/.exec(change)?.[1] ?? "");
        if (by < 0) continue;
        has += change.includes("more") ? by : -by;
      }
      expect(goldOf(item)).toMatch(new RegExp(`^${numberWord(has)} `));
    }
  });

  it("of `comparing` come first or last in every comparison", () => {
    for (const item of writeTask("comparing", 100, 60)) {
      const step = /The (\w+) is$/.exec(item.query)?.[1] ?? "";
      const quality = qualities.find(({ most, least }) => most === step || least === step);
      const name = goldOf(item).slice(0, -1);
      const better = step === quality?.most ? quality.more : quality?.less;
      for (const [, left, comparative, right] of item.query.matchAll(
        /(\w+) is (\w+) than (\w+)\./g,
      )) {
        const winner = comparative === better ? left : right;
        if (left === name || right === name) expect(winner).toBe(name);
      }
    }
  });

  it("of `calendar` are the neighbouring days", () => {
    for (const item of writeTask("calendar", 100, 60)) {
      const [, phrase = "", day = "", ahead] =
        /(Today is|After|Before|Two days after) (\w+)(?:\. (Tomorrow|Yesterday))?/.exec(
          item.query,
        ) ?? [];
      const offsets = { "Two days after": 2, After: 1, Before: -1, "Today is": 1 };
      const offset = ahead === "Yesterday" ? -1 : offsets[phrase as keyof typeof offsets];
      expect(goldOf(item)).toBe(`${days[(days.indexOf(day) + offset + 7) % 7]}.`);
    }
  });

  it("of `together` are sums", () => {
    const words = Array.from({ length: 21 }, (_, value) => numberWord(value));
    for (const item of writeTask("together", 100, 60)) {
      const [a = "", b = ""] = [...item.query.matchAll(/ has (\w+) /g)].map(([, word]) => word);
      expect(goldOf(item).split(" ")[0]).toBe(words[words.indexOf(a) + words.indexOf(b)]);
    }
  });

  it("of `recall` stand at that place, of `pronouns` fit the name", () => {
    for (const item of writeTask("recall", 100, 60)) {
      const again = /\. \w+ calls (.*),$/.exec(item.query)?.[1] ?? "";
      expect(item.query).toMatch(new RegExp(`calls ${again}(,| and) ${goldOf(item)}`));
    }
    for (const item of writeTask("pronouns", 100, 60)) {
      const [name = ""] = item.query.split(" ");
      expect(people.find((person) => person.name === name)?.she).toBe(
        goldOf(item).startsWith("She"),
      );
    }
  });

  it("of `opposites` are the contrary", () => {
    for (const item of writeTask("opposites", 100, 60)) {
      const said = /is not (\w+)\./.exec(item.query)?.[1] ?? "";
      const pair = properties.find((entry) => entry.includes(said)) ?? [];
      expect(pair).toContain(goldOf(item).slice(0, -1));
      expect(goldOf(item)).not.toBe(`${said}.`);
    }
  });

  it("of `agreement` have the number of the subject", () => {
    const nouns = [...animals, ...folk];
    for (const item of writeTask("agreement", 100, 60)) {
      const subject = item.query.split(" ").slice(1, 3);
      const plural = nouns.some(({ many }) => subject.includes(many));
      const verb = goldOf(item).split(" ")[0] ?? "";
      expect(actions.some(({ base, third }) => verb === (plural ? base : third))).toBe(true);
    }
  });
});
