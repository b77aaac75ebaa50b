/** Parts of names that training programs put around modules; none of them is part of the model. */
const wrappers = /(?<=^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;

/**
 * Returns the name that a tensor has in checkpoints of causal language models: base models are saved
 * without `model.` in front, others with two of them, compiled and distributed ones with the names
 * of their wrappers.
 */
export function standardName(name: string): string {
  const bare = name.replaceAll(wrappers, "").replace(/^(?:module\.)+/, "");
  if (/^(?:embed_tokens|layers|norm)\./.test(bare)) return `model.${bare}`;
  return bare.replace(/^model\.(?=(?:model|lm_head)\.)/, "");
}
