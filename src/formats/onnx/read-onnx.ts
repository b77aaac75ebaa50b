import { FormatError } from "../../util/errors.ts";
import { quoteName } from "../wording.ts";
import { type OnnxPlace, type OnnxTensor, onnxTypeNumbered } from "./onnx-types.ts";
import { intOf, intsOf, messageOf, readProtobuf, textOf } from "./protobuf-reader.ts";

/**
 * Reads the weights of a model, by their names: what they are and where their data is.
 * @throws FormatError when the bytes are no such model, or a type or place is not one that is known
 */
export function readOnnxTensors(bytes: Uint8Array): Map<string, OnnxTensor> {
  const tensors = new Map<string, OnnxTensor>();
  for (const part of readProtobuf(bytes)) {
    if (part.field !== 7) continue;
    for (const each of readProtobuf(messageOf(part))) {
      if (each.field !== 5) continue;
      const tensor = readTensor(messageOf(each));
      if (tensors.has(tensor.name)) {
        throw new FormatError(`the ONNX model has two tensors ${quoteName(tensor.name)}`);
      }
      tensors.set(tensor.name, tensor);
    }
  }
  if (tensors.size === 0) throw new FormatError("the ONNX model has no graph with weights");
  return tensors;
}

function readTensor(bytes: Uint8Array): OnnxTensor {
  const shape: number[] = [];
  const entries = new Map<string, string>();
  let [name, number] = ["", 0];
  let raw: Uint8Array | null = null;
  for (const part of readProtobuf(bytes)) {
    if (part.field === 1) shape.push(...intsOf(part));
    else if (part.field === 2) number = intOf(part);
    else if (part.field === 8) name = textOf(part);
    else if (part.field === 9) raw = messageOf(part);
    else if (part.field === 13) entries.set(...readEntry(messageOf(part)));
  }
  const type = onnxTypeNumbered(number);
  if (!type) throw new FormatError(`tensor ${quoteName(name)} has the unknown type ${number}`);
  return { name, type, shape, data: raw ?? readPlace(name, entries) };
}

function readEntry(bytes: Uint8Array): [key: string, value: string] {
  let [key, value] = ["", ""];
  for (const part of readProtobuf(bytes)) {
    if (part.field === 1) key = textOf(part);
    else if (part.field === 2) value = textOf(part);
  }
  return [key, value];
}

function readPlace(name: string, entries: ReadonlyMap<string, string>): OnnxPlace {
  const location = entries.get("location");
  const [offset, length] = [Number(entries.get("offset") ?? 0), Number(entries.get("length"))];
  const isPlace = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && length >= 0;
  if (location && isPlace && offset >= 0 && !/[/\\]/.test(location)) {
    return { location, offset, length };
  }
  throw new FormatError(`tensor ${quoteName(name)} has neither data nor a place beside the model`);
}
