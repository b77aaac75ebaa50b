/**
 * A text in which tokenizers go different ways: digits, contractions, spaces and line ends, code,
 * accents, many scripts, emoji with joiners, and what looks like special tokens. Accents are composed,
 * where they can be: llama.cpp composes none, which is told of tokenizers that do.
 */
export const probingText = [
  "It's 3 o'clock; we'll pay $1,234,567.89 by 2026-11-30, won't we? THEY'RE LATE",
  "  two spaces,\ttabs\t\tand trailing   \n\n\nlines\r\nends",
  "for (let i = 0; i < n; i++) { a[i] += 0x1F ** 2; } // café naïve e\u0301 Å\u030a",
  "Grüße, señor! Привет, мир. Γειά σου. שלום עולם. مرحبا بالعالم ١٢٣. नमस्ते दुनिया १२३",
  "你好,世界!一二三 こんにちは、世界 안녕하세요 สวัสดีชาวโลก ជំរាបសួរ Xin chào các bạn",
  "🙂 👩‍👩‍👧‍👦 🇪🇺 👍🏽 ½ ² ™ “quotes” — … \u00a0 \u200b <s> </s> <|endoftext|> [INST]",
]
  .join("\n")
  .normalize("NFC");
