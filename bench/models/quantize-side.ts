/**
 * A process that quantizes and says what that took: as JSON, a `QuantizeFigures` without the memory
 * that only another process can watch. OPTIONS are those of `quantize` as JSON; the run ends behind
 * the BLOCKS-th block, if that is given.
 *
 *     node quantize-side.ts MODEL OPTIONS [BLOCKS]
 */
import { type BackendOptions, openBackend } from "../../src/backend/registry.ts";
import { type PipelineEvent, quantize, type QuantizeOptions } from "../../src/index.ts";
import type { NativeBackend } from "../../src/kernels/native/native-backend.ts";
import { memoryUsage, monotonicMs, processorMs } from "../../src/platform/node.ts";
import { timeOfOps } from "../methods/work-meter.ts";
import type { Cost, SideFigures } from "./measure-quantize.ts";

/** Ops that carry errors from column to column, and what they need of the Hessian. */
const solvingOps = new Set(["inverse_cholesky", "quantize_columns"]);

const [model, asked, blocks] = process.argv.slice(2);
const options = JSON.parse(asked) as QuantizeOptions & BackendOptions;
// The one that `quantize` opens: the same options give the same backend.
const backend = openBackend(options).backend as NativeBackend;
backend.profile();
const stop = new AbortController();
const marks: Cost[] = [];
let planned = { memoryBytes: 0, parameters: 0 };

function costSoFar(): Cost {
  return { seconds: monotonicMs() / 1000, processorSeconds: processorMs() / 1000 };
}

/** Processor time of native threads, by the share of the executor's time that these ops have. */
function solvingSeconds(): number {
  const { share } = timeOfOps(backend.profile(), solvingOps);
  const { user, system } = process.threadCpuUsage();
  const native = processorMs() / 1000 - (user + system) / 1e6;
  return native * share;
}

function onEvent(event: PipelineEvent): void {
  if (event.type === "plan") {
    const { estimate, parameters } = event.plan;
    planned = { memoryBytes: estimate.memoryBytes, parameters };
  }
  // The first report is of a block's weights, behind embedding and what else comes first.
  const begins = event.type === "progress" && event.activity === "weights" && marks.length === 0;
  if (begins || event.type === "block") marks.push(costSoFar());
  if (event.type === "block" && event.block + 1 === Number(blocks)) stop.abort();
}

try {
  const run = quantize(model, { ...options, signal: stop.signal });
  for await (const event of run.events) onEvent(event);
  await run;
} catch (error) {
  if (!stop.signal.aborted) throw error;
}
const figures: SideFigures = {
  whole: costSoFar(),
  blocks: marks.slice(1).map((mark, i) => ({
    seconds: mark.seconds - marks[i].seconds,
    processorSeconds: mark.processorSeconds - marks[i].processorSeconds,
  })),
  solvingSeconds: solvingSeconds(),
  peakResidentBytes: memoryUsage().peakResidentBytes,
  plannedBytes: planned.memoryBytes,
  parameters: planned.parameters,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
