import { readQTensor } from "../../../formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../../formats/quantization-config.ts";
import { openAnyCheckpoint } from "../../../runtime/open-checkpoint.ts";
import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { FormatError } from "../../../util/errors.ts";
import type { ContainerPlan } from "./plan-container.ts";

/** What was compared with the source. */
export interface ContainerVerification {
  readonly tensors: number;
  /** Weights that are the same to the bit. */
  readonly sameWeights: number;
}

/**
 * Reads what was written as a checkpoint of its container and compares it with the source.
 * @throws FormatError where a weight is another one
 */
export async function verifyContainer(planned: ContainerPlan): Promise<ContainerVerification> {
  const { source, parts, options } = planned;
  const written = await openAnyCheckpoint(options.out);
  try {
    let sameWeights = 0;
    for (const name of planned.forms.keys()) {
      const [before, after] = [await decode(source.checkpoint, name), await decode(written, name)];
      for (let i = 0; i < before.length; i++) {
        if (planned.rounded > 0 || before[i] === after[i]) continue;
        throw new FormatError(
          `${options.out}: weight ${i} of ${name} is ${after[i]}, expected ${before[i]}`,
          { hint: "the disk or the program is at fault; export it again" },
        );
      }
      sameWeights += before.length;
    }
    for (const { name, module } of parts) {
      if (module === null) await expectSame(source.checkpoint, written, name);
    }
    return { tensors: parts.length, sameWeights };
  } finally {
    await written.close();
  }
}

async function decode(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const module = readQuantizationConfig(checkpoint.config)?.modules.get(name);
  if (!module) throw new FormatError(`${checkpoint.path}: ${name} is not packed`);
  return (await readQTensor(checkpoint, name, module)).dequantize();
}

const pieceBytes = 2 ** 22;

async function expectSame(before: Checkpoint, after: Checkpoint, name: string): Promise<void> {
  const { begin, end } = before.info(name);
  for (let at = 0; at < end - begin; at += pieceBytes) {
    const size = Math.min(pieceBytes, end - begin - at);
    const pieces = [new Uint8Array(size), new Uint8Array(size)];
    await before.readInto(name, pieces[0], at);
    await after.readInto(name, pieces[1], at);
    if (pieces[0].every((byte, i) => byte === pieces[1][i])) continue;
    throw new FormatError(`${after.path}: tensor ${name} is not that of the source`);
  }
}
