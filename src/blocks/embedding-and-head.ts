import type { Backend } from "../backend/backend.ts";
import type { Checkpoint } from "../formats/checkpoint.ts";
import { readFloatRows } from "../formats/read-float-tensor.ts";
import rtn from "../methods/ptq/rtn.ts";
import type { VocabularyTable } from "../nn/quantizable-model.ts";
import { monotonicMs } from "../platform/node.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { parseScheme, type Scheme } from "../quant/scheme.ts";
import { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import type { QuantizedOutput } from "../run/output/quantized-output.ts";
import { embeddingAndHeadWeights, type PlannedVocabularyTable } from "../run/plan.ts";
import type { Quantization } from "../run/quantization.ts";
import type { CheckpointJob } from "../run/quantization-job.ts";
import type { FinishedBlocks } from "./finished-blocks.ts";
import type { MixtureSchemes } from "../recipe/mixture-schemes.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { VocabularyTableRecord } from "../run/run-record.ts";

/** Rows at which pieces begin: there the packed zero points of every scheme are whole words. */
const rowStep = 32;
const usualPieceWeights = 2 ** 20;

/**
 * Decides what happens to embedding and output head. One table that serves as both takes the one
 * scheme that is given; where none is, a mixture says what it takes.
 * @throws UsageError when a tied table is given two schemes
 */
export function selectEmbeddingAndHead(
  tables: readonly VocabularyTable[],
  { embedding, head }: Pick<Recipe, "embedding" | "head">,
  mixed: MixtureSchemes | null = null,
): PlannedVocabularyTable[] {
  const asked = {
    embedding: embedding === null ? null : parseScheme(embedding),
    head: head === null ? null : parseScheme(head),
  };
  return tables.map((table) => {
    const schemes = table.roles.flatMap((role) => asked[role] ?? []);
    const [scheme = mixed?.of(table.module, table.inFeatures) ?? null, other] = schemes;
    if (scheme && other && other.id !== scheme.id) {
      throw new UsageError(
        `this model has one table for embedding and output head: it cannot be ${scheme.id} and ` +
          `${other.id}`,
        { hint: `give one of them: \`head: ${other.id}\``, field: "embedding", value: embedding },
      );
    }
    return { ...table, scheme };
  });
}

/** Quantizes and writes embedding and output head, as far as planned and not done earlier. */
export async function quantizeEmbeddingAndHead(
  { job, meter }: Quantization<CheckpointJob>,
  output: QuantizedOutput,
  finished: FinishedBlocks,
): Promise<void> {
  const { opened, plan, options } = job;
  const { backend, signal } = options;
  if (finished.records.ends.length > 0 || embeddingAndHeadWeights(plan.ends) === 0) return;
  const records: VocabularyTableRecord[] = [];
  for (const table of plan.ends) {
    const { module, scheme, outFeatures, inFeatures } = table;
    if (!scheme) continue;
    const stored = { kind: "linear", scheme, outFeatures, inFeatures } as const;
    const report = (): void => meter.report(0, table.roles.join(", "));
    report();
    const record = await quantizeVocabularyTable(table, scheme, {
      backend,
      checkpoint: opened.checkpoint,
      signal,
      onRows: async (firstRow, rows) => {
        await output.writeRows(module, stored, firstRow, rows);
        meter.advance(rows.outFeatures * inFeatures);
        report();
      },
    });
    records.push(record);
  }
  await finished.addEmbeddingAndHead(records);
  options.emit({ type: "tables", tables: records });
}

/** What quantizing a table needs of the run. */
export interface VocabularyTableJob {
  readonly backend: Backend;
  readonly checkpoint: Checkpoint;
  readonly signal?: AbortSignal | undefined;
  /** Weights at a time; a million by default. */
  readonly pieceWeights?: number;
  /** Takes the packed rows from `firstRow` on, in order. */
  readonly onRows: (firstRow: number, rows: QTensor) => Promise<void>;
}

/**
 * Quantizes a table `[vocabulary, d]` to the nearest values of its grid, with a search for each
 * group's scale, some rows at a time: rows do not depend on each other, and no data is needed.
 * @throws NumericError when it holds NaN or infinite values
 */
export async function quantizeVocabularyTable(
  { module, roles, outFeatures, inFeatures }: PlannedVocabularyTable,
  scheme: Scheme,
  job: VocabularyTableJob,
): Promise<VocabularyTableRecord> {
  const startedMs = monotonicMs();
  const { pieceWeights = usualPieceWeights } = job;
  const steps = Math.max(1, Math.floor(pieceWeights / inFeatures / rowStep));
  const sums = { error: 0, weight: 0 };
  for (let first = 0; first < outFeatures; first += steps * rowStep) {
    throwIfCancelled(job.signal);
    const end = Math.min(outFeatures, first + steps * rowStep);
    const values = await readFloatRows(job.checkpoint, `${module}.weight`, first, end);
    const rows = await quantizeRows(job.backend, module, scheme, [end - first, inFeatures], values);
    addErrors(sums, values, rows.dequantize());
    await job.onRows(first, rows);
  }
  const weights = outFeatures * inFeatures;
  const { all } = QTensor.sizes(scheme, outFeatures, inFeatures);
  return {
    module,
    roles,
    scheme: scheme.id,
    bitsPerWeight: (8 * all) / weights,
    weights,
    relativeError: sums.weight === 0 ? 0 : sums.error / sums.weight,
    elapsedMs: monotonicMs() - startedMs,
  };
}

async function quantizeRows(
  backend: Backend,
  name: string,
  scheme: Scheme,
  shape: readonly [number, number],
  values: Float32Array,
): Promise<QTensor> {
  // The method overwrites its weight; the values are compared with what it makes of them.
  const weight = Tensor.from(backend, "f32", shape, values.slice());
  const options = rtn.options.parse({ mse: true });
  const made = await rtn.quantizeLinear?.({ name, weight, scheme, hessian: null, options });
  weight.release();
  if (!made) throw new UsageError(`${rtn.title} does not quantize`);
  return made.weight;
}

function addErrors(
  sums: { error: number; weight: number },
  values: Float32Array,
  decoded: Float32Array,
): void {
  for (let i = 0; i < values.length; i++) {
    sums.error += (values[i] - decoded[i]) ** 2;
    sums.weight += values[i] ** 2;
  }
}
