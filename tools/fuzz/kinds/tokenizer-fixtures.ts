/** Small good tokenizers and templates, which together have every component. */

const letters = [..."abcdefghijklmnopqrstuvwxyz ,.▁Ġ"];
const names = ["<unk>", "<s>", "</s>", ...letters, "on", "ce", "##n", "##e", "<0x41>"];
const vocab = Object.fromEntries(names.map((name, id) => [name, id]));
const added = ["<unk>", "<s>", "</s>"].map((content, id) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
}));
const bert = { type: "BertNormalizer", clean_text: true, lowercase: true, strip_accents: null };
const roberta = {
  type: "RobertaProcessing",
  sep: ["</s>", 2],
  cls: ["<s>", 1],
  trim_offsets: true,
  add_prefix_space: true,
};
const template = {
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
};
const split = {
  type: "Split",
  pattern: { Regex: "\\s+(?!\\S)|\\s+|\\p{L}+|[^\\s\\p{L}]+" },
  behavior: "Isolated",
  invert: false,
};

const common = { version: "1.0", truncation: null, padding: null, added_tokens: added };
const bpe = {
  type: "BPE",
  dropout: null,
  unk_token: "<unk>",
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: true,
  byte_fallback: true,
  ignore_merges: false,
  vocab,
  merges: ["o n", ["c", "e"]],
};

/** Good `tokenizer.json` documents. */
export const tokenizerDefinitions: readonly unknown[] = [
  {
    ...common,
    normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Lowercase" }] },
    pre_tokenizer: { type: "Sequence", pretokenizers: [split, { type: "Digits" }] },
    post_processor: template,
    decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
    model: bpe,
  },
  {
    ...common,
    normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    post_processor: roberta,
    decoder: { type: "Metaspace", replacement: "▁", add_prefix_space: true },
    model: {
      type: "Unigram",
      unk_id: 0,
      byte_fallback: true,
      vocab: names.map((name, id) => [name, -id / 10]),
    },
  },
  {
    ...common,
    normalizer: bert,
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "BertProcessing", sep: ["</s>", 2], cls: ["<s>", 1] },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "<unk>",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  },
  {
    ...common,
    normalizer: { type: "Prepend", prepend: "▁" },
    pre_tokenizer: {
      type: "ByteLevel",
      add_prefix_space: true,
      trim_offsets: true,
      use_regex: true,
    },
    post_processor: { type: "ByteLevel", trim_offsets: true },
    decoder: { type: "ByteLevel" },
    model: { type: "WordLevel", unk_token: "<unk>", vocab },
  },
  {
    ...common,
    normalizer: { type: "Strip", strip_left: true, strip_right: true },
    pre_tokenizer: { type: "Punctuation", behavior: "Isolated" },
    post_processor: { type: "Sequence", processors: [template] },
    decoder: { type: "Strip", content: " ", start: 1, stop: 0 },
    model: bpe,
  },
];

/** A conversation. */
export const messages = [
  { role: "system", content: "Be kind." },
  { role: "user", content: "Hello " },
  { role: "assistant", content: "Hi!" },
  { role: "user", content: "What is 2 + 2?" },
];

/** Good chat templates, in the manners of public models. */
export const chatTemplates: readonly string[] = [
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + " +
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}" +
    "{% endif %}",
  "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
    "{{ raise_exception('Roles must alternate') }}{% endif %}{% if m.role == 'user' %}" +
    "{{ '[INST] ' + m.content | trim + ' [/INST]' }}{% else %}{{ m.content + eos_token }}{% endif %}" +
    "{% endfor %}",
  "{%- set ns = namespace(last='', n=0) -%}{%- for m in messages -%}{%- set ns.n = ns.n + 1 -%}" +
    "{%- set ns.last = m.content.strip().split(' ')[-1] | upper -%}{%- endfor -%}" +
    "{{ ns.last }}{{ messages | length }}{{ messages[:2] | map(attribute='role') | list | join(',') }}" +
    "{%- macro line(x, y=1) -%}{{ x ~ y }}{%- endmacro -%}{{ line('a') }}{{ strftime_now('%d %b %Y') }}" +
    "{{ {'a': [1, 2, none]} | tojson(indent=2) }}{{ range(3) | list }}",
];

/** Words that mean something in a template. */
export const templateWords: readonly string[] = [
  "{{",
  "}}",
  "{%",
  "%}",
  "{#",
  "#}",
  "{%-",
  "-%}",
  "|",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
  ".",
  ":",
  ",",
  "for",
  "in",
  "if",
  "else",
  "endfor",
  "endif",
  "set",
  "macro",
  "endmacro",
  "not ",
  "-",
  "~",
  "+",
  "range(9)",
  "namespace()",
  "messages",
  "messages * 9",
  "loop",
  "none",
  "true",
  "is defined",
  "{% for i in range(9999) %}",
  "{% set x = x + x %}",
  "{{ x }}",
  "| length",
  "| tojson",
  "| list",
  "| join('')",
  "__proto__",
  "constructor",
  ".constructor('return 1')()",
  "strftime_now('%Y')",
  "raise_exception('no')",
  "(((((((((((((((((((((",
  "not not not not ",
  "a if b else ",
];
