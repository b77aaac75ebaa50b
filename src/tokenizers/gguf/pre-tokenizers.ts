import {
  bailingWords,
  bloomWords,
  casedLetters,
  deepSeekWords,
  digitsFromRight,
  eastAsian,
  exaoneMoeWords,
  gpt2Words,
  gpt4oWords,
  gpt4Words,
  graniteWords,
  jais2Words,
  kimiWords,
  lines,
  miniCpm5Words,
  qwen2Words,
  qwen35Words,
  seedCoderWords,
  someSigns,
  tekkenWords,
  tinyAyaWords,
  ufakzekaWords,
  youtuWords,
} from "./splitting-patterns.ts";

/** How llama.cpp treats text before byte-pair merging, under one name of `tokenizer.ggml.pre`. */
export interface PreTokenizer {
  /** Patterns, one after the other: each cuts out its matches from the pieces that it is given. */
  readonly splits: readonly string[];
  /** Whether a piece that is a token as a whole is not merged from its parts. */
  readonly ignoreMerges: boolean;
  /** Whether a start token is put in front of a text, where the file does not say. */
  readonly addBos: boolean;
  /** Whether decoded text loses spaces before punctuation (llama.cpp's own decoding; not fewbit's). */
  readonly cleanSpaces: boolean;
  /** How tokens are spelled: `bytes` as in GPT-2, or `text` with U+2581 for spaces and byte tokens. */
  readonly spelling: "bytes" | "text";
}

const plain = {
  ignoreMerges: false,
  addBos: false,
  cleanSpaces: false,
  spelling: "bytes",
} as const;
const cleaning = { ...plain, cleanSpaces: true } as const;

/** What a pre-tokenizer does, and the names that it goes by. */
const table: readonly (readonly [PreTokenizer, ...names: string[]])[] = [
  [
    { ...cleaning, splits: [gpt4Words], ignoreMerges: true, addBos: true },
    ..."llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2".split(" "),
    "jina-v5-nano",
  ],
  [{ ...cleaning, splits: [gpt4Words] }, "dbrx", "smaug-bpe", "glm4", "chatglm-bpe"],
  [{ ...cleaning, splits: ["\\p{N}{1,3}", miniCpm5Words], ignoreMerges: true }, "minicpm5"],
  [{ ...cleaning, splits: [jais2Words] }, "jais-2"],
  [
    {
      ...plain,
      splits: [
        "[\\r\\n]",
        casedLetters,
        // U+3000 counts as a space, not as one of these.
        "\\s?[!-/:-~！-／：-～‘-‟、。]+",
        "\\s+\\z",
        eastAsian,
        "\\p{N}+",
      ],
    },
    "deepseek-llm",
  ],
  [{ ...plain, splits: [ufakzekaWords] }, "ufakzeka"],
  [
    { ...plain, splits: ["\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", deepSeekWords] },
    ..."deepseek-v3 hunyuan-dense joyai-llm".split(" "),
  ],
  [
    {
      ...plain,
      splits: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", eastAsian, "\\p{N}"],
    },
    "deepseek-coder",
  ],
  [
    {
      ...plain,
      splits: ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+", youtuWords],
      ignoreMerges: true,
    },
    "youtu",
  ],
  [{ ...cleaning, splits: [someSigns("`"), gpt2Words, "[0-9][0-9][0-9]"] }, "falcon"],
  [
    { ...cleaning, splits: ["\\p{N}", gpt2Words] },
    ..."starcoder refact codeshell exaone minerva-7b mellum2".split(" "),
  ],
  [{ ...plain, splits: ["\\p{N}", gpt2Words] }, "smollm", "command-r"],
  [
    { ...cleaning, splits: [gpt2Words] },
    ..."gpt-2 phi-2 mpt olmo jais exaone4 gigachat a.x-4.0 mellum".split(" "),
    ..."modern-bert roberta-bpe jina-es jina-de jina-v2-es jina-v2-de".split(" "),
    ..."jina-v1-en jina-v2-code".split(" "),
  ],
  [{ ...plain, splits: [gpt2Words] }, "trillion", "granite-docling"],
  [{ ...cleaning, splits: [qwen2Words] }, "stablelm2", "megrez"],
  [
    { ...plain, splits: [qwen2Words] },
    ..."qwen2 deepseek-r1-qwen kormo f2llmv2 hunyuan solar-open grok-2".split(" "),
  ],
  [{ ...plain, splits: [lines, qwen2Words] }, "laguna"],
  [{ ...plain, splits: [qwen35Words] }, "qwen35"],
  [{ ...plain, splits: [bloomWords] }, "poro-chat"],
  [{ ...cleaning, splits: [bloomWords] }, "bloom", "gpt3-finnish"],
  [{ ...plain, splits: [bloomWords, "\\p{N}"] }, "viking"],
  [{ ...plain, splits: [tekkenWords], ignoreMerges: true, addBos: true }, "tekken"],
  [
    {
      ...plain,
      splits: [
        "<sentinel:[0-9]+>",
        "IMGIMG[A-I]{1,4}Z",
        "[\\t\\n]|    |  ",
        "\\p{N}",
        "[\\p{P}!-/:-@\\[-`{-~]",
        gpt2Words,
      ],
      addBos: true,
    },
    "chameleon",
  ],
  [{ ...plain, splits: [gpt4oWords] }, "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
  [{ ...plain, splits: [graniteWords], ignoreMerges: true }, "granite-embed-multi-97m"],
  [{ ...plain, splits: [digitsFromRight, tinyAyaWords] }, "tiny_aya", "cohere2moe"],
  [{ ...plain, splits: [kimiWords] }, "kimi-k2"],
  [{ ...plain, splits: ["\\p{N}+", "(?=([0-9]{3})+(?![0-9]))"] }, "superbpe"],
  [{ ...plain, splits: [bailingWords] }, "bailingmoe", "bailingmoe2", "llada-moe"],
  [{ ...plain, splits: [seedCoderWords] }, "seed-coder"],
  [
    {
      ...plain,
      splits: [
        digitsFromRight,
        "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+",
        deepSeekWords,
      ],
    },
    "afmoe",
  ],
  [{ ...cleaning, splits: [exaoneMoeWords] }, "exaone-moe"],
  [
    { ...cleaning, splits: [lines], spelling: "text", addBos: true },
    "gemma4",
    "granite-embed-multi-311m",
  ],
  [{ ...plain, splits: [lines], spelling: "text" }, "sarvam-moe"],
  [{ ...cleaning, splits: [someSigns(""), gpt2Words, "\\p{N}+", "[0-9][0-9][0-9]"] }, "default"],
];

/** The pre-tokenizers of llama.cpp by their names, as of August 2026. */
export const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map(
  table.flatMap(([preTokenizer, ...names]) => names.map((name) => [name, preTokenizer] as const)),
);
