import type { Backend } from "../../backend/backend.ts";
import type { Checkpoint } from "../../formats/checkpoint.ts";
import { readQTensor } from "../../formats/fewbit-format.ts";
import type { QuantizedModule } from "../../formats/quantization-config.ts";
import { readFloatTensor } from "../../formats/read-float-tensor.ts";
import { fromStoredForm, turnedShape } from "../../formats/tensor-forms.ts";
import type { TensorForm, WeightSource } from "../../nn/weight-source.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { isMoreThanWeights } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";

/** What of a run is finished. */
export interface FinishedTensors {
  /** The output under way. */
  readonly output: Checkpoint;
  readonly modules: ReadonlyMap<string, QuantizedModule>;
  /** Names of the tensors that are written. */
  readonly tensors: ReadonlySet<string>;
  /** How those are stored that are not stored as they are computed with. */
  readonly forms: ReadonlyMap<string, TensorForm>;
}

/**
 * The weights as a run has them in memory after it quantized a part: decoded values of packed
 * modules (packed ones where the layer is more than a weight) and changed tensors from the output,
 * everything else from the original.
 */
export class FinishedWeights implements WeightSource {
  private readonly backend: Backend;
  private readonly original: WeightSource;
  private readonly finished: FinishedTensors;

  constructor(backend: Backend, original: WeightSource, finished: FinishedTensors) {
    this.backend = backend;
    this.original = original;
    this.finished = finished;
  }

  has(name: string): boolean {
    return this.original.has(name);
  }

  shape(name: string): readonly number[] {
    return this.original.shape(name);
  }

  async tensor(name: string): Promise<Tensor<"f32">> {
    if (!this.finished.tensors.has(name)) return this.original.tensor(name);
    const { output, forms } = this.finished;
    const { shape, values } = await readFloatTensor(output, name);
    const form = forms.get(name);
    const computed = fromStoredForm(values, shape, form);
    return Tensor.from(this.backend, "f32", turnedShape(shape, form), computed);
  }

  async matrix(module: string): Promise<Tensor | QTensor> {
    const packed = this.finished.modules.get(module);
    if (packed) {
      const weight = await readQTensor(this.finished.output, module, packed);
      if (isMoreThanWeights(weight.scheme)) return weight;
      const shape = [weight.outFeatures, weight.inFeatures];
      return Tensor.fill(this.backend, "f32", shape, (out) => void weight.dequantize(out));
    }
    const name = `${module}.weight`;
    return this.finished.tensors.has(name) ? this.tensor(name) : this.original.matrix(module);
  }

  async storedMatrix(module: string): Promise<Tensor | QTensor> {
    const packed = this.finished.modules.get(module);
    if (packed) return readQTensor(this.finished.output, module, packed);
    return this.original.storedMatrix(module);
  }
}
