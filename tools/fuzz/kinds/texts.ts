import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadCalibration } from "../../../src/calibration/dataset.ts";
import { loadTrainingText } from "../../../src/calibration/training-text.ts";
import { openTask, taskDefinitions } from "../../../src/index.ts";
import { DirectoryFiles } from "../../../src/formats/directory-files.ts";
import { loadTokenizer } from "../../../src/tokenizers/load-tokenizer.ts";
import type { Kind } from "../kind.ts";
import { builtinFolder, readBuiltin } from "./fixtures.ts";

const documents: readonly unknown[] = [
  "a text",
  { text: "another text, longer than the first one of this file" },
  { text: "a third", meta: { source: "x", list: [1, 2] } },
  {
    messages: [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hi!" },
    ],
  },
  { messages: [{ role: "user", content: [{ type: "text", text: "parts" }] }] },
];

/** Texts for calibration, training and evaluation. */
export const documentFiles: Kind = {
  id: "documents",
  title: "texts, .jsonl, .json and .txt",
  open: async (folder) => {
    const tokenizer = await loadTokenizer(new DirectoryFiles(join(builtinFolder, "model")));
    const plain = `${readBuiltin("text/held-out.txt").slice(0, 1500)}\n<|doc|>\nmore`;
    return async (mutator) => {
      const ending = mutator.pick(["jsonl", "json", "txt", "ndjson"]);
      const path = join(folder, `documents.${ending}`);
      const lines = documents.map((each) => JSON.stringify(each));
      const at = mutator.prng.below(lines.length);
      if (ending === "txt") writeFileSync(path, mutator.bytes(new TextEncoder().encode(plain)));
      else {
        lines[at] = mutator.json(documents[at]);
        const some = mutator.prng.below(3) === 0 ? lines.slice(at, at + 1) : lines;
        writeFileSync(path, some.join(mutator.pick(["\n", "\r\n", "\n\n"])));
      }
      const options = {
        samples: 2,
        window: 8,
        allowFewer: true,
        order: mutator.pick(["first", "random"] as const),
      };
      if (mutator.prng.below(2) === 0) await loadCalibration([{ path }], tokenizer, options);
      else await loadTrainingText([{ path }], tokenizer, options);
    };
  },
};

/** Data files of tasks. */
export const taskFiles: Kind = {
  id: "tasks",
  title: "data files of every task",
  open: async (folder) => {
    const definitions = Object.values(taskDefinitions);
    const own = readFileSync(join(builtinFolder, "tasks/who.jsonl"), "utf8").split("\n", 3);
    const good = [
      ...own.map((line) => ({ id: null, line })),
      ...definitions.map(({ id, example }) => ({ id, line: example })),
    ];
    return async (mutator) => {
      const { id, line } = mutator.pick(good);
      const path = join(folder, "task.jsonl");
      let json: unknown = line;
      try {
        json = JSON.parse(line);
      } catch {
        // Examples for people may leave something out.
      }
      writeFileSync(path, `${mutator.json(json)}\n${line}\n`);
      await openTask(id === null ? path : `${id}=${path}`, { shots: mutator.prng.below(2) });
    };
  },
};
