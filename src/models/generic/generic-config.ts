import { isJsonRecord, type JsonRecord } from "../../util/json.ts";

/** What of a `config.json` counts where its architecture is not known. */
export interface GenericConfig {
  /** `model_type`; `unknown` where there is none. */
  readonly modelType: string;
  /** What people call it: the first of `architectures`, or `model_type`. */
  readonly title: string;
  /** Width of the residual stream; null where no field says it. */
  readonly hiddenSize: number | null;
  /** Number of tokens; null where no field says it. */
  readonly vocabularySize: number | null;
  /** Numbers of experts that fields state. */
  readonly experts: readonly number[];
}

const hiddenNames = ["hidden_size", "n_embd", "d_model", "dim", "model_dim", "n_embed"];
const expertField = /expert/;

/** Reads the fields that most families have, of the language model where there are several parts. */
export function readGenericConfig(json: JsonRecord): GenericConfig {
  const parts = [json, ...["text_config", "llm_config", "language_config"].map((n) => json[n])];
  const records = parts.filter(isJsonRecord);
  const modelType = typeof json.model_type === "string" ? json.model_type : "unknown";
  const [named] = Array.isArray(json.architectures) ? (json.architectures as unknown[]) : [];
  const experts = records.flatMap((record) =>
    Object.entries(record).flatMap(([name, value]) =>
      expertField.test(name) && isCount(value) ? [value] : [],
    ),
  );
  return {
    modelType,
    title: typeof named === "string" ? named : modelType,
    hiddenSize: firstCount(records, hiddenNames),
    vocabularySize: firstCount(records, ["vocab_size", "padded_vocab_size", "n_vocab"]),
    experts,
  };
}

/** The last record that states one of the fields is the innermost: that of the language model. */
function firstCount(records: readonly JsonRecord[], names: readonly string[]): number | null {
  const stated = records
    .toReversed()
    .flatMap((record) => names.map((name) => record[name]).filter(isCount));
  return stated[0] ?? null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
