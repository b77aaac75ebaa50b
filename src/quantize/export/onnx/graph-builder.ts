import type {
  OnnxAttribute,
  OnnxNode,
  OnnxPlace,
  OnnxTensor,
  OnnxType,
} from "../../../formats/onnx/onnx-types.ts";
import { onnxTypeNumber } from "../../../formats/onnx/onnx-types.ts";

/** The name of what a node gives, or of a weight. */
export type Value = string;

/** What a node has besides its inputs. */
interface NodeOptions {
  readonly domain?: OnnxNode["domain"];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** A weight whose bytes lie outside of the model's file. */
export interface OuterTensor extends Omit<OnnxTensor, "data"> {
  /** What its bytes are; several tensors of other shapes may have the same. */
  readonly data: string;
}

/** Collects the nodes and weights of a graph; nodes come in the order in which they are added. */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  private readonly inner = new Map<string, OnnxTensor>();
  private readonly outer = new Map<string, OuterTensor>();
  private scope = "";

  /** Names what comes next after a part of the model. */
  within(scope: string): void {
    this.scope = scope;
  }

  /** Adds an operation with one output. */
  add(op: string, inputs: readonly Value[], options: NodeOptions = {}): Value {
    const [output] = this.addMany(op, inputs, 1, options);
    return output;
  }

  /** Adds an operation with several outputs. */
  addMany(
    op: string,
    inputs: readonly Value[],
    count: number,
    { domain = "", attributes = {} }: NodeOptions = {},
  ): [Value, ...Value[]] {
    const name = `${this.scope}/${op}_${this.nodes.length}`;
    const rest = Array.from({ length: count - 1 }, (_, index) => `${name}/output_${index + 1}`);
    const outputs: [Value, ...Value[]] = [`${name}/output_0`, ...rest];
    this.nodes.push({ name, op, domain, inputs, outputs, attributes });
    return outputs;
  }

  /** Gives what a node computes a name that others know, such as that of an output of the graph. */
  rename(value: Value, name: string): void {
    this.nodes.push({
      name: `${name}/Identity`,
      op: "Identity",
      domain: "",
      inputs: [value],
      outputs: [name],
      attributes: {},
    });
  }

  /** Converts elements to another type. */
  cast(value: Value, type: OnnxType): Value {
    return this.add("Cast", [value], { attributes: { to: onnxTypeNumber(type) } });
  }

  /** A constant of whole numbers; without a shape a vector. */
  ints(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    const data = BigInt64Array.from(values, BigInt);
    return this.constant("i64", shape, new Uint8Array(data.buffer));
  }

  /** A constant of floats; without a shape a scalar or a vector. */
  floats(
    values: readonly number[] | Float32Array,
    shape: readonly number[] = values.length === 1 ? [] : [values.length],
  ): Value {
    const data = Float32Array.from(values);
    return this.constant("f32", shape, new Uint8Array(data.buffer));
  }

  /** A weight whose bytes lie outside; one that is there already is not added again. */
  weight(tensor: OuterTensor): Value {
    this.outer.set(tensor.name, tensor);
    return tensor.name;
  }

  /** All weights, given the places of those that lie outside. */
  tensors(places: ReadonlyMap<string, OnnxPlace>): OnnxTensor[] {
    const placed = [...this.outer.values()].flatMap(({ data, ...tensor }) => {
      const place = places.get(data);
      return place ? [{ ...tensor, data: place }] : [];
    });
    return [...this.inner.values(), ...placed];
  }

  private constant(type: OnnxType, shape: readonly number[], data: Uint8Array): Value {
    const name = `constant/${type}/${shape.join("x")}/${hex(data)}`;
    // Small ones are named after what they are, so that each is there once.
    const short = data.length <= 64 ? name : `constant/${type}/${this.inner.size}`;
    this.inner.set(short, { name: short, type, shape, data });
    return short;
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
