import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError, UsageError } from "../util/errors.ts";
import { ChatTemplates } from "./chat-template-source.ts";
import { applyChatTemplate, type ChatMessage, renderChatTemplate } from "./chat-template.ts";
import { createTokenizer } from "./hub-tokenizer.ts";

const tokens = { bos_token: "<s>", eos_token: "</s>" };
const messages = [
  { role: "user", content: "Hi\nthere" },
  { role: "assistant", content: "Hello." },
  { role: "user", content: "{{ 7 * 7 }}" },
];
const render = (template: string, chat: readonly ChatMessage[] = messages): string =>
  renderChatTemplate(template, chat, tokens, { addGenerationPrompt: false });

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
  expect(render(refusing)).toBe("<s>[Hi\nthere][Hello.][{{ 7 * 7 }}]</s>");
});

test("a template's own refusal says what it said", () => {
  const refused = () => render(refusing, [{ role: "system", content: "x" }]);
  expect(refused).toThrow(UnsupportedError);
  expect(refused).toThrow("start with the user");
});

test("the date is the one that is given, in every field of strftime", () => {
  const now = new Date(2024, 6, 6, 15, 4, 5);
  const format = "%d %b %Y, %B|%A %e %j %U %W %V %G %I:%M %p|%D %T %y %-d %c %%";
  const text = renderChatTemplate(`{{ strftime_now('${format}') }}`, [], tokens, { now });
  expect(text).toBe(
    "06 Jul 2024, July|Saturday  6 188 26 27 27 2024 03:04 PM|" +
      "07/06/24 15:04:05 24 6 Sat Jul  6 15:04:05 2024 %",
  );
});

test("more variables reach the template; tools and documents are none without them", () => {
  const variables = { enable_thinking: false };
  const template =
    "{% if enable_thinking is false %}no{% endif %}" +
    "{{ tools is none }}{{ documents is none }}{{ other is none }}";
  expect(renderChatTemplate(template, [], tokens, { variables })).toBe("noTrueTrueFalse");
  const tools = [{ type: "function", function: { name: "f" } }];
  const withTools = renderChatTemplate("{{ tools[0]|tojson }}", [], tokens, { tools });
  expect(withTools).toBe('{"type": "function", "function": {"name": "f"}}');
  const notAList = { tools: "f" as unknown as object[] };
  expect(() => renderChatTemplate("", [], tokens, notAList)).toThrow(UsageError);
});

test("fields of messages reach the template: without null, thoughts under each name", () => {
  const call = { function: { name: "add", arguments: { a: 1, b: 2.5 } } };
  const chat = [{ role: "assistant", content: null, tool_calls: [call], reasoning: "hm" }];
  expect(render("{{ messages[0] }}", chat)).toBe(
    "{'thinking': 'hm', 'role': 'assistant', 'tool_calls': [{'function': {'name': 'add', " +
      "'arguments': {'a': 1, 'b': 2.5}}}], 'reasoning': 'hm', 'reasoning_content': 'hm'}",
  );
});

test.each([
  ["strip takes the characters it is given", "{{ '\\n  a b\\n'.strip('\\n') }}|", "  a b|"],
  ["line ends of Windows are one line end", "{% if true %}\r\na\r\n{% endif %}\r\nb\r\n", "a\nb"],
  [
    "values are printed as Python prints them",
    "{{ [true, none, 1.0, 'it\\'s'] }}",
    '[True, None, 1.0, "it\'s"]',
  ],
  [
    "whole numbers are no floats",
    "{{ 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 3 }}",
    "3.5 -4 2 8",
  ],
  ["what is not there is printed as nothing", "[{{ nothing }}{{ messages[0].nothing }}]", "[]"],
  [
    "a loop's variables end with it",
    "{% for i in [1] %}{% set x = i %}{% endfor %}{{ x is defined }}",
    "False",
  ],
  [
    "else runs when no round ends",
    "{% for i in [1] %}{% break %}{% else %}none{% endfor %}",
    "none",
  ],
  ["generation marks what is said, and writes it", "{% generation %}x{% endgeneration %}", "x"],
])("%s", (_, template, text) => {
  expect(render(template)).toBe(text);
});

test.each([
  ["a broken template", "{% if %}"],
  ["a filter that is not there", "{{ 1|nofilter }}"],
  ["an attribute of something undefined", "{{ nothing.more }}"],
  ["a range without end", "{% for i in range(1000000000) %}x{% endfor %}"],
  ["a change of the data", "{{ messages.append(1) }}"],
  ["an attribute of JavaScript", "{{ messages.constructor.constructor('return process')() }}"],
  ["an attribute of Python", "{{ ''.__class__.__mro__ }}"],
  ["parentheses in parentheses", `{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`],
  ["tags in tags", "{% if 1 %}".repeat(20_000)],
  ["a sum without end", `{{ 1${" + 1".repeat(50_000)} }}`],
])("%s is a FormatError", (_, template) => {
  expect(() => render(template)).toThrow(FormatError);
});

const doubling = (first: string, next: string): string =>
  `{% set n = namespace(x=${first}) %}{% for i in range(60) %}{% set n.x = ${next} %}{% endfor %}`;

describe("a template that grows without end is stopped within 64 MB", () => {
  test.each([
    ["a list", doubling("[1, 2, 3, 4]", "n.x + n.x")],
    ["a tuple", doubling("(1, 2)", "n.x * 2")],
    ["a text", doubling("'aaaaaaaa'", "n.x ~ n.x")],
    ["a text, read each time", doubling("'ab'", "(n.x ~ n.x).strip('c')")],
    ["a text that is joined", doubling("'ab'", "[n.x, n.x]|join('é')")],
    ["a text that is replaced", doubling("'ab'", "n.x.replace('a', 'aba')")],
    ["a text that is formatted", doubling("'ab'", "'{0}{0}'.format(n.x)")],
    ["lists in lists, printed", `${doubling("[1]", "[n.x, n.x]")}{{ n.x }}`],
    ["dicts in dicts, as JSON", `${doubling("{}", "{'a': n.x, 'b': n.x}")}{{ n.x|tojson }}`],
    [
      "lists in lists, compared",
      "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}" +
        "{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
    ],
    ["a number", doubling("3", "n.x * n.x")],
    ["a power", "{{ 10 ** 10000000 }}"],
    ["a repeated text", "{{ 'a' * 10 ** 12 }}"],
    ["a repeated list", "{{ ([1] * 10 ** 12)|length }}"],
    ["a wide field", "{{ '%999999999d' % 1 }}"],
    ["a wide text", "{{ 'a'.center(10 ** 11) }}"],
    ["a long fraction", "{{ '%.99999999f' % 1 }}"],
    ["a macro that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"],
    [
      "loops in loops",
      "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    ],
    [
      "a text that is printed again and again",
      "{% set t = 'a' * 100000 %}{% for i in range(99999) %}{{ t }}{% endfor %}",
    ],
    [
      "texts that are kept",
      "{% set n = namespace(l=[]) %}{% for i in range(9999) %}" +
        "{% set n.l = n.l + ['a' * 99999] %}{% endfor %}",
    ],
  ])("%s", (_, template) => {
    const before = process.memoryUsage();
    expect(() => render(template)).toThrow(FormatError);
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.external - before.heapUsed - before.external;
    expect(grown).toBeLessThan(64e6);
  });
});

test("a long conversation is not stopped", () => {
  const chat = Array.from({ length: 3000 }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content: "word ".repeat(200),
  }));
  const template =
    "{% for m in messages %}{% set text = m.content.strip().split(' ')|join(' ') %}" +
    "{% if 'no' in text %}{{ 1 }}{% endif %}{{ m.role }}{{ text|trim }}{% endfor %}";
  expect(render(template, chat).length).toBeGreaterThan(2_900_000);
});

describe("templates by name", () => {
  const named = { tool_use: "T", rag: "{{ messages|length }}" };
  const list = Object.entries(named).map(([name, template]) => ({ name, template }));

  test.each([
    ["an object", named],
    ["a list", list],
  ])("%s without a default names them, and one can be chosen", (_, settings) => {
    const chat = { chatTemplates: new ChatTemplates({ settings }), specialTokens: new Map() };
    expect(() => applyChatTemplate(chat, messages)).toThrow(UsageError);
    expect(() => applyChatTemplate(chat, messages)).toThrow("rag, tool_use");
    expect(() => applyChatTemplate(chat, messages, { template: "no" })).toThrow('"no"');
    expect(applyChatTemplate(chat, messages, { template: "rag" })).toBe("3");
    expect(applyChatTemplate(chat, messages, { template: "{{ 1 + 1 }}" })).toBe("2");
  });

  test("tools take the one for tools", () => {
    const templates = new ChatTemplates({ settings: { ...named, default: "D" } });
    expect(templates.choose(undefined, true)).toBe("T");
    expect(templates.choose()).toBe("D");
  });

  test("the last place to look is chat_template.json", () => {
    expect(new ChatTemplates({ settings: null, processor: "P" }).choose()).toBe("P");
    expect(new ChatTemplates({ settings: "S", processor: "P" }).choose()).toBe("S");
  });

  test.each([[5], [[1]], [{ a: 1 }], [[{ name: "x" }]]])("%j is a FormatError", (settings) => {
    expect(() => new ChatTemplates({ settings }).choose()).toThrow(FormatError);
  });
});

test("a template that cannot be read keeps nothing but chat from working", () => {
  const definition = { model: { type: "BPE", vocab: { a: 0 }, merges: [] } };
  const tokenizer = createTokenizer({ definition, settings: { chat_template: { a: 5 } } });
  expect([...tokenizer.encode("a")]).toEqual([0]);
  expect(() => applyChatTemplate(tokenizer, messages)).toThrow(FormatError);
});

test("a model without a template is refused with what to do instead", () => {
  const definition = { model: { type: "BPE", vocab: { a: 0 }, merges: [] } };
  const tokenizer = createTokenizer({ definition });
  expect(() => applyChatTemplate(tokenizer, messages)).toThrow(/no chat template/);
});

test("every token of the settings with a name has it in the template", () => {
  const definition = { model: { type: "BPE", vocab: { a: 0 }, merges: [] } };
  const settings = {
    bos_token: "<s>",
    pad_token: { content: "<pad>", __type: "AddedToken" },
    image_token: "<image>",
    eos_token: null,
    chat_template: "{{ bos_token }}{{ pad_token }}{{ image_token }}{{ eos_token is defined }}",
  };
  const tokenizer = createTokenizer({ definition, settings });
  expect(applyChatTemplate(tokenizer, messages)).toBe("<s><pad><image>False");
});
