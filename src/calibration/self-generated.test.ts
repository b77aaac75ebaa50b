import { describe, expect, test } from "vitest";
import { alphabet, eos, lettersTokenizer } from "../../test/fixtures/letters-tokenizer.ts";
import { UnsupportedError, UsageError } from "../util/errors.ts";
import { generateCalibration, type SelfGeneratedOptions } from "./self-generated.ts";
import { chatPieces, writeChat } from "./self-written-chat.ts";
import type { WriteWindows } from "./window-plan.ts";

const tokenizer = lettersTokenizer();

/** A model that writes `a` when it is to take the most likely token, and `b` when it draws one. */
const write: WriteWindows = async (plans, length) =>
  plans.map(({ next }) => {
    const ids: number[] = [];
    while (ids.length < length) {
      const token = next(ids);
      ids.push(typeof token === "number" ? token : alphabet.indexOf(token === "drawn" ? "b" : "a"));
    }
    return Int32Array.from(ids);
  });
const options: SelfGeneratedOptions = {
  write,
  tokenizer,
  form: "text",
  samples: alphabet.length,
  window: 10,
  seed: 3,
};

describe("text that the model writes itself", () => {
  test("start tokens sweep the vocabulary, then 3 to 5 greedy tokens", async () => {
    const windows = await generateCalibration(options);
    expect(windows).toHaveLength(alphabet.length);
    expect(windows.every((ids) => ids.length === 10 && ids[0] === tokenizer.bosId)).toBe(true);
    expect(new Set(windows.map((ids) => ids[1])).size).toBe(alphabet.length);
    const rests = windows.slice(0, 4).map((ids) => tokenizer.decode(ids.subarray(2)));
    expect(rests).toEqual(["aaabbbbb", "aaaabbbb", "aaaaabbb", "aaabbbbb"]);
    expect(await generateCalibration(options)).toEqual(windows);
    expect(await generateCalibration({ ...options, seed: 4 })).not.toEqual(windows);
  });

  test.each([0, 1, 31, 32, 35, 41])(
    "with %i windows that were there, the rest is the same",
    async (count) => {
      const all = await generateCalibration(options);
      const groups: number[] = [];
      const found: Int32Array[] = [];
      const again = await generateCalibration({
        ...options,
        write: (plans, length) => {
          groups.push(plans.length);
          return write(plans, length);
        },
        earlier: all.slice(0, count),
        onWindow: (window, done) => {
          found.push(window);
          expect(done).toBe(count + found.length);
        },
      });
      expect(again).toEqual(all);
      expect(found).toEqual(all.slice(count));
      // A group that is begun is written as a whole: its windows may depend on one another's number.
      expect(groups).toEqual(
        count === all.length ? [] : count < 32 ? [32, all.length - 32] : [all.length - 32],
      );
    },
  );

  test("windows without room for a token are refused", async () => {
    await expect(generateCalibration({ ...options, window: 2 })).rejects.toThrow(UsageError);
  });
});

const turns =
  "{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content }}{{ eos_token }}{% endfor %}" +
  "{% if add_generation_prompt %}assistant {% endif %}";

/** What a plan makes of a model that says these characters, `.` for the token that ends a turn. */
function written(said: string, window: number): string {
  const words = [...said];
  const next = writeChat(chatPieces(lettersTokenizer(turns)), window);
  const ids: number[] = [];
  while (ids.length < window) {
    const token = next(ids);
    const spoken = words.length > 1 ? words.shift() : words[0];
    if (typeof token === "number") words.unshift(spoken as string);
    ids.push(
      typeof token === "number" ? token : spoken === "." ? eos : alphabet.indexOf(spoken ?? ""),
    );
  }
  return lettersTokenizer(turns).decode(Int32Array.from(ids));
}

describe("conversations that the model writes itself", () => {
  test("the template stands around what the model says, which ends its own turns", () => {
    expect(written("ab.cde.f.ggg", 60)).toMatch(
      /^<s>user ab<\/s>assistant cde<\/s>user f<\/s>assistant g+$/,
    );
  });

  test("a user who does not end is ended after a quarter of the window", () => {
    expect(written("x", 60)).toMatch(/^<s>user x{15}<\/s>assistant x+$/);
  });

  test("each window begins a conversation", async () => {
    const chat = {
      ...options,
      form: "chat",
      tokenizer: lettersTokenizer(turns),
      samples: 3,
      window: 40,
    };
    const windows = await generateCalibration(chat as SelfGeneratedOptions);
    for (const ids of windows) expect(tokenizer.decode(ids)).toMatch(/^<s>user b{10}<\/s>assis/);
  });

  test.each([
    ["no template", undefined, "no chat template"],
    ["what is said twice", `${turns}{{ messages[0].content }}`, "once and as it is"],
    ["nothing of what is said", "{{ bos_token }}hello", "once and as it is"],
  ])("a template is refused that writes %s", (_, template, message) => {
    expect(() => chatPieces(lettersTokenizer(template))).toThrow(UnsupportedError);
    expect(() => chatPieces(lettersTokenizer(template))).toThrow(message);
  });
});
