import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { applyChatTemplate, renderChatTemplate } from "./chat-template.ts";
import { createTokenizer } from "./hub-tokenizer.ts";

const tokens = { bosToken: "<s>", eosToken: "</s>" };
const messages = [
  { role: "user", content: "Hi\nthere" },
  { role: "assistant", content: "Hello." },
  { role: "user", content: "{{ 7 * 7 }}" },
];

const chatMl =
  "{{ bos_token }}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + " +
  "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const refusing =
  "{% if messages[0]['role'] != 'user' %}{{ raise_exception('start with the user') }}{% endif %}" +
  "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}[{{ m.content | trim }}]" +
  "{% if loop.last and not add_generation_prompt %}{{ eos_token }}{% endif %}{% endfor %}";

test("a template writes the turns, the tokens and the place of the answer", () => {
  expect(renderChatTemplate(chatMl, messages, tokens)).toBe(
    "<s><|im_start|>user\nHi\nthere<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n" +
      "<|im_start|>user\n{{ 7 * 7 }}<|im_end|>\n<|im_start|>assistant\n",
  );
  expect(renderChatTemplate(refusing, messages, tokens, { addGenerationPrompt: false })).toBe(
    "<s>[Hi\nthere][Hello.][{{ 7 * 7 }}]</s>",
  );
});

test("a template's own refusal says what it said", () => {
  const render = () => renderChatTemplate(refusing, [{ role: "system", content: "x" }], tokens);
  expect(render).toThrow(UnsupportedError);
  expect(render).toThrow("start with the user");
});

test("the date is the one that is given, in English", () => {
  const now = new Date(2024, 6, 26);
  const text = renderChatTemplate("{{ strftime_now('%d %b %Y, %B') }}", [], tokens, { now });
  expect(text).toBe("26 Jul 2024, July");
});

test("more variables reach the template", () => {
  const variables = { enable_thinking: false };
  const template = "{% if enable_thinking is false %}no{% endif %}";
  expect(renderChatTemplate(template, [], tokens, { variables })).toBe("no");
});

test.each([
  ["a broken template", "{% if %}"],
  ["a range without end", "{% for i in range(1000000000) %}x{% endfor %}"],
  [
    "loops in loops",
    "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
  ],
  [
    "a text that doubles",
    "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
  ],
  ["an attribute of JavaScript", "{{ messages.constructor.constructor('return process')() }}"],
])("%s is a FormatError", (_, template) => {
  expect(() => renderChatTemplate(template, messages, tokens)).toThrow(FormatError);
});

test("a model without a template is refused with what to do instead", () => {
  const definition = { model: { type: "BPE", vocab: { a: 0 }, merges: [] } };
  const tokenizer = createTokenizer({ definition });
  expect(() => applyChatTemplate(tokenizer, messages)).toThrow(/no chat template/);
});
