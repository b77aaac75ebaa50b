import { openUnfinishedCheckpoint } from "../formats/checkpoint.ts";
import type { PartEntry } from "../run/journal.ts";
import type { FinishedTensors } from "../run/output/finished-weights.ts";
import type { QuantizedOutput } from "../run/output/quantized-output.ts";
import type { Quantization } from "../run/quantization.ts";
import type { CheckpointJob } from "../run/quantization-job.ts";
import type {
  BlockRecord,
  LinearRecord,
  TransformRecord,
  VocabularyTableRecord,
} from "../run/run-record.ts";

/** What was done to a block. */
export type FinishedBlock = Pick<PartEntry, "transforms" | "linears" | "blocks" | "outputs">;

/** The tensors of an output that are written, in `folder`. */
export type Written = Omit<FinishedTensors, "output"> & { readonly folder: string };

/** Name of embedding and output head in the journal. */
const embeddingAndHeadPart = "embedding and output head";

/** Name of a block in the journal. */
const blockPart = (index: number): string => `block ${index}`;

/** What of a model is quantized, written and durable, by this run or by an interrupted one. */
export class FinishedBlocks {
  readonly records = {
    transforms: [] as TransformRecord[],
    linears: [] as LinearRecord[],
    blocks: [] as BlockRecord[],
    ends: [] as VocabularyTableRecord[],
  };
  /** Fingerprints of what the blocks of an interrupted run gave to the next, in order. */
  readonly outputs: (string | null)[] = [];
  private readonly quantization: Quantization<CheckpointJob>;
  private readonly output: QuantizedOutput;

  private constructor(quantization: Quantization<CheckpointJob>, output: QuantizedOutput) {
    this.quantization = quantization;
    this.output = output;
  }

  /** Takes over what an interrupted run had finished, as far as it is intact. */
  static async takeOver(
    quantization: Quantization<CheckpointJob>,
    output: QuantizedOutput,
  ): Promise<FinishedBlocks> {
    const finished = new FinishedBlocks(quantization, output);
    await finished.takeOver();
    return finished;
  }

  /** Number of blocks that an interrupted run had finished. */
  get count(): number {
    return this.outputs.length;
  }

  /** What is written so far. */
  get written(): Written {
    return { folder: this.quantization.run.folder.workPath, ...this.output.written };
  }

  /** Makes a block durable, and notes it in the journal. */
  async add(index: number, done: FinishedBlock): Promise<void> {
    await this.finishPart(blockPart(index), { ...done, ends: [] });
    this.keep(done);
  }

  /** Makes embedding and output head durable, and notes them in the journal. */
  async addEmbeddingAndHead(ends: readonly VocabularyTableRecord[]): Promise<void> {
    const nothing = { transforms: [], linears: [], blocks: [], outputs: null };
    await this.finishPart(embeddingAndHeadPart, { ...nothing, ends });
    this.records.ends.push(...ends);
  }

  private async finishPart(
    name: string,
    done: FinishedBlock & Pick<PartEntry, "ends">,
  ): Promise<void> {
    const written = await this.output.finishPart();
    await this.quantization.run.finished({ type: "part", name, ...done, ...written });
  }

  private async takeOver(): Promise<void> {
    const { earlier, folder } = this.quantization.run;
    if (!earlier) return;
    const { blocks } = this.quantization.job.plan;
    const written = await openUnfinishedCheckpoint(folder.workPath);
    try {
      const tables = earlier.parts.get(embeddingAndHeadPart);
      if (tables && (await this.output.keepPart(written, tables))) {
        this.records.ends.push(...tables.ends);
      }
      while (this.count < blocks) {
        const part = earlier.parts.get(blockPart(this.count));
        if (!part || !(await this.output.keepPart(written, part))) break;
        this.keep(part);
        this.outputs.push(part.outputs);
      }
    } finally {
      await written.close();
    }
    const { ends, linears } = this.records;
    const weights = [...ends, ...linears].reduce((sum, done) => sum + done.weights, 0);
    await this.quantization.resumeAfter({ blocks: this.count }, weights);
  }

  private keep({ transforms, linears, blocks }: FinishedBlock): void {
    this.records.transforms.push(...transforms);
    this.records.linears.push(...linears);
    this.records.blocks.push(...blocks);
  }
}
