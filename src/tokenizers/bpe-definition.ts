/**
 * What tokenizer.json says of a byte-pair encoding that has none of the peculiarities which the
 * format knows; vocabulary and merges go behind it.
 */
export const plainBpe = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
} as const;
