import { version } from "../../util/version.ts";
import {
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxNode,
  type OnnxPlace,
  type OnnxTensor,
  onnxTypeNumber,
  type OnnxValue,
} from "./onnx-types.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** Version of the file format, and of ONNX's own operators: what runtimes since 2024 read. */
const irVersion = 10;
const operatorSet = 21;

/**
 * Encodes a model; what its tensors have in other files is not in it. Numbers of fields are those
 * of `onnx.proto`, version 1.16.
 */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  return new ProtobufWriter()
    .int(1, irVersion)
    .text(2, "fewbit")
    .text(3, version)
    .message(7, (message) => writeGraph(message, graph))
    .message(8, (message) => message.text(1, "").int(2, operatorSet))
    .message(8, (message) => message.text(1, "com.microsoft").int(2, 1))
    .finish();
}

function writeGraph(message: ProtobufWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) message.message(1, (each) => writeNode(each, node));
  message.text(2, graph.name);
  for (const tensor of graph.initializers) message.message(5, (each) => writeTensor(each, tensor));
  for (const value of graph.inputs) message.message(11, (each) => writeValue(each, value));
  for (const value of graph.outputs) message.message(12, (each) => writeValue(each, value));
}

function writeNode(message: ProtobufWriter, node: OnnxNode): void {
  for (const input of node.inputs) message.text(1, input);
  for (const output of node.outputs) message.text(2, output);
  message.text(3, node.name).text(4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) {
    message.message(5, (each) => writeAttribute(each, name, value));
  }
  if (node.domain !== "") message.text(7, node.domain);
}

function writeAttribute(message: ProtobufWriter, name: string, value: OnnxAttribute): void {
  message.text(1, name);
  if (typeof value === "number") message.int(3, value).int(20, 2);
  else if (typeof value === "string") message.text(4, value).int(20, 3);
  else if ("float" in value) message.float(2, value.float).int(20, 1);
  else {
    for (const each of value) message.int(8, each);
    message.int(20, 7);
  }
}

function writeTensor(message: ProtobufWriter, { name, type, shape, data }: OnnxTensor): void {
  message.packedInts(1, shape).int(2, onnxTypeNumber(type)).text(8, name);
  if (data instanceof Uint8Array) message.data(9, data);
  else writePlace(message, data);
}

function writePlace(message: ProtobufWriter, { location, offset, length }: OnnxPlace): void {
  const entries = [
    ["location", location],
    ["offset", String(offset)],
    ["length", String(length)],
  ];
  for (const [key, value] of entries) {
    message.message(13, (entry) => entry.text(1, key).text(2, value));
  }
  message.int(14, 1);
}

function writeValue(message: ProtobufWriter, { name, type, shape }: OnnxValue): void {
  const writeShape = (each: ProtobufWriter): void => {
    for (const dimension of shape) {
      each.message(1, (dim) =>
        typeof dimension === "number" ? dim.int(1, dimension) : dim.text(2, dimension),
      );
    }
  };
  message
    .text(1, name)
    .message(2, (kind) =>
      kind.message(1, (tensor) => tensor.int(1, onnxTypeNumber(type)).message(2, writeShape)),
    );
}
