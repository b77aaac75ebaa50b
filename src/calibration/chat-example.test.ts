import { describe, expect, test } from "vitest";
import { createTokenizer } from "../tokenizers/hub-tokenizer.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { UnsupportedError } from "../util/errors.ts";
import { chatExample } from "./chat-example.ts";

const characters = [..."abcdefgh ?.:\n"];
const specials = ["<s>", "<end>", "<user>", "<bot>"];

/** A tokenizer of one token a character, and four special ones, with a chat template. */
function withTemplate(template: string | null): Tokenizer {
  const vocab = Object.fromEntries(characters.map((character, id) => [character, id]));
  const added = specials.map((content, i) => ({
    id: characters.length + i,
    content,
    special: true,
  }));
  const definition = {
    added_tokens: added,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }],
      special_tokens: { "<s>": { ids: [characters.length] } },
    },
    model: { type: "BPE", vocab, merges: [] },
  };
  const settings = {
    bos_token: "<s>",
    eos_token: "<end>",
    ...(template !== null && { chat_template: template }),
  };
  return createTokenizer({ definition, settings });
}

const turns =
  "{% for m in messages %}{{ '<bot>' if m['role'] == 'assistant' else '<user>' }}" +
  "{{ m['content'] }}<end>{% endfor %}{% if add_generation_prompt %}<bot>{% endif %}";

const conversation = [
  { role: "user", content: "a?" },
  { role: "assistant", content: "bc" },
  { role: "user", content: "d?" },
  { role: "assistant", content: "e" },
];

/** The text, and below it the targets; `_` where nothing is predicted. */
function shown(tokenizer: Tokenizer, messages: typeof conversation): [string[], string[]] {
  const name = (id: number): string => (id < 0 ? "_" : tokenizer.decode([id]));
  const { ids, targets } = chatExample(tokenizer, messages);
  return [[...ids].map(name), [...targets].map(name)];
}

describe("a conversation to learn from", () => {
  test("only what the assistant says is predicted, the end of its turns included", () => {
    const [ids, targets] = shown(withTemplate(turns), conversation);
    const text = ["<s>", "<user>", "a", "?", "<end>", "<bot>", "b", "c", "<end>"];
    const more = ["<user>", "d", "?", "<end>", "<bot>", "e", "<end>"];
    expect(ids).toEqual([...text, ...more]);
    const first = ["_", "_", "_", "_", "_", "b", "c", "<end>", "_"];
    expect(targets).toEqual([...first, "_", "_", "_", "_", "e", "<end>", "_"]);
  });

  test("a start token that the template writes does not come twice", () => {
    const [ids] = shown(withTemplate(`{{ bos_token }}${turns}`), conversation.slice(0, 2));
    expect(ids.slice(0, 3)).toEqual(["<s>", "<user>", "a"]);
  });

  test("a template that ends only the last turn", () => {
    const last =
      "{% for m in messages %}{{ m['content'] }}{% if loop.last and not add_generation_prompt %}" +
      "<end>{% endif %}{% endfor %}";
    const [ids, targets] = shown(withTemplate(last), conversation);
    expect(ids).toEqual(["<s>", "a", "?", "b", "c", "d", "?", "e", "<end>"]);
    expect(targets).toEqual(["_", "_", "b", "c", "_", "_", "e", "<end>", "_"]);
  });

  test("a template that rewrites earlier messages is refused", () => {
    const hiding = "{% for m in messages %}{{ loop.length }}{{ m['content'] }}{% endfor %}";
    expect(() => chatExample(withTemplate(hiding), conversation)).toThrow(UnsupportedError);
  });

  test("a model without a template is refused", () => {
    expect(() => chatExample(withTemplate(null), conversation)).toThrow(/no chat template/);
  });
});
