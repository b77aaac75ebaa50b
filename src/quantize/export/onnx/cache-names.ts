/** Names of the cache's inputs and outputs, as transformers.js and onnxruntime-genai know them. */
export const cacheNames = {
  past: (block: number | "%d", what: "key" | "value") => `past_key_values.${block}.${what}`,
  present: (block: number | "%d", what: "key" | "value") => `present.${block}.${what}`,
};
