/*
 * The regular expressions of llama.cpp's byte-pair tokenizers (`src/llama-vocab.cpp`, August 2026), in
 * Oniguruma's syntax. They say what llama.cpp does, which is not always what they were taken from: its
 * classes for letters of one case know the case of ASCII letters only.
 */

export const contraction = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const spaces = "\\s+(?!\\S)|\\s+";
const lineEnds = "\\s*[\\r\\n]+";
const signs = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
const notSmall = "[\\p{L}&&[^a-z]]";
const notCapital = "[\\p{L}&&[^A-Z]]";

/** GPT-2 (Radford et al. 2019). */
export const gpt2Words = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|${spaces}`;

/** GPT-4 (cl100k), with digits taken as `digits` says. */
const gpt4 = (digits: string): string =>
  `${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|${signs}|${lineEnds}|${spaces}`;

export const gpt4Words = gpt4("\\p{N}{1,3}");
export const qwen2Words = gpt4("\\p{N}");
export const miniCpm5Words = gpt4("\\p{N}+");

/** Qwen 2's without contractions. */
export const ufakzekaWords = `[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|${signs}|${lineEnds}|${spaces}`;

export const qwen35Words =
  `${contraction}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|` +
  `${lineEnds}|${spaces}`;

export const seedCoderWords = `${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${lineEnds}|${spaces}`;

export const bailingWords =
  "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" +
  `${signs}|\\s*[\\r\\n]|${spaces}`;

export const exaoneMoeWords =
  `${contraction}|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|` +
  ` ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|${spaces}`;

/** Runs of spaces are taken in powers of two. */
export const jais2Words =
  `${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|${signs}|${lineEnds}|` +
  `${[512, 256, 128, 64, 32, 16, 8, 4].map((n) => `\\s{${n}}(?!\\S)`).join("|")}|` +
  "\\s{1,2}(?!\\S)|\\s{1}";

/** Words that may begin with capitals and end with small letters, GPT-4o's kind. */
const cased = (letters: readonly [string, string], ending: string, digits: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${letters[0]}*${letters[1]}+${ending}|` +
  `[^\\r\\n\\p{L}\\p{N}]?${letters[0]}+${letters[1]}*${ending}|` +
  `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${lineEnds}|${spaces}`;

const withMarks = "[\\p{L}\\p{M}]";
export const tekkenWords = cased([notSmall, notCapital], "", "\\p{N}");
export const gpt4oWords = cased([notSmall, notCapital], `${contraction}?`, "\\p{N}{1,3}");
export const graniteWords = cased(
  ["[[\\p{L}\\p{M}]&&[^a-z]]", "[[\\p{L}\\p{M}]&&[^A-Z]]"],
  `${contraction}?`,
  "\\p{N}{1,3}",
);
export const tinyAyaWords = cased([withMarks, withMarks], `${contraction}?`, "\\p{N}{1,3}");
export const youtuWords = cased([withMarks, withMarks], `${contraction}?`, "\\p{N}");

/** DeepSeek's third step, and that of Trinity (afmoe). */
export const deepSeekWords =
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" +
  `[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${lineEnds}|${spaces}`;

/** Letters of alphabets that have capitals: DeepSeek LLM. */
export const casedLetters =
  "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅ" +
  "Ὀ-Ὅὐ-ὗὙὛὝὟ-\\x{1F7D}ᾀ-ᾴᾶ-ᾼ\\x{1FBE}ῂ-ῄῆ-ῌῐ-\\x{1FD3}ῖ-\\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\\x{2126}ℨ" +
  "\\x{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

/** From U+0800 to U+4E00 and what CJK and Hangul have above: DeepSeek. Its spaces are not among them. */
export const eastAsian = "[[一-龥ࠀ-一가-퟿]&&[^\\s]]+";

const han =
  "\\x{4E00}-\\x{9FFF}\\x{3400}-\\x{4DBF}\\x{20000}-\\x{2A6DF}\\x{2A700}-\\x{2B73F}" +
  "\\x{2B740}-\\x{2B81F}\\x{2B820}-\\x{2CEAF}\\x{2CEB0}-\\x{2EBEF}\\x{F900}-\\x{FAFF}" +
  "\\x{2F800}-\\x{2FA1F}";
export const kimiWords =
  `[${han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}&&[^${han}]]+${contraction}?|\\p{N}{1,3}|${signs}|` +
  `${lineEnds}|${spaces}`;

/**
 * Digits in threes from the right. llama.cpp leaves what stands before a number with its first digits:
 * the next step cuts there, but spaces before it are cut otherwise than alone.
 */
export const digitsFromRight = "\\P{N}*\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))";

/** Everything but spaces and some signs: BLOOM. */
export const bloomWords = " ?[^(\\s|.,!?…。，、।۔،)]+";
export const lines = "[^\\n]+|[\\n]+";
export const someSigns = (more: string): string => `[\\p{P}\\$\\+<=>\\^~\\|${more}]+`;
