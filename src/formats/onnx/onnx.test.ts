import { describe, expect, test } from "vitest";
import { FormatError } from "../../util/errors.ts";
import { encodeOnnx } from "./encode-onnx.ts";
import { layOutOnnxData } from "./onnx-data.ts";
import type { OnnxGraph, OnnxTensor } from "./onnx-types.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { readOnnxTensors } from "./read-onnx.ts";

const inner: OnnxTensor = {
  name: "constant",
  type: "i64",
  shape: [],
  data: Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255),
};
const outer: OnnxTensor = {
  name: "weight",
  type: "f16",
  shape: [300, 2 ** 31],
  data: { location: "model.onnx_data", offset: 64, length: 2 ** 40 },
};

function graphOf(...initializers: OnnxTensor[]): OnnxGraph {
  return { name: "g", nodes: [], inputs: [], outputs: [], initializers };
}

/** A model with one tensor, as a message. */
function modelOf(write: (tensor: ProtobufWriter) => void): Uint8Array {
  return new ProtobufWriter().message(7, (graph) => graph.message(5, write)).finish();
}

describe("ONNX files", () => {
  test("weights are read as they were written", () => {
    const read = readOnnxTensors(encodeOnnx(graphOf(inner, outer)));
    expect([...read.values()]).toEqual([inner, outer]);
  });

  test("bytes of a message are those of the wire format", () => {
    const bytes = new ProtobufWriter().int(1, -1).text(2, "é").float(3, 1).packedInts(4, [300]);
    const negative = [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    const rest = [18, 2, 0xc3, 0xa9, 29, 0, 0, 128, 63, 34, 2, 0xac, 2];
    expect([...bytes.finish()]).toEqual([...negative, ...rest]);
  });

  test("every cut and every changed byte is read or refused", () => {
    const whole = encodeOnnx(graphOf(inner, outer));
    for (let at = 0; at < whole.length; at++) {
      for (const bytes of [whole.slice(0, at), whole.with(at, 255), whole.with(at, 0)]) {
        try {
          readOnnxTensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }
    }
  });

  test.each<[string, Uint8Array, string]>([
    ["no graph", new ProtobufWriter().text(2, "fewbit").finish(), "no graph with weights"],
    [
      "an unknown type",
      modelOf((t) => t.int(2, 9).text(8, "w").data(9, new Uint8Array(1))),
      "type 9",
    ],
    ["no data", modelOf((t) => t.int(2, 1).text(8, "w")), "neither data nor a place"],
    [
      "data in another folder",
      modelOf((t) =>
        t
          .int(2, 1)
          .text(8, "w")
          .message(13, (entry) => entry.text(1, "location").text(2, "../secret"))
          .message(13, (entry) => entry.text(1, "length").text(2, "4")),
      ),
      "neither data nor a place",
    ],
    ["two of a name", encodeOnnx(graphOf(inner, inner)), "two tensors"],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => readOnnxTensors(bytes)).toThrow(FormatError);
    expect(() => readOnnxTensors(bytes)).toThrow(message);
  });

  test("data begins at multiples of 64 and goes on in further files", () => {
    const entries = [100, 30, 200, 10].map((sizeBytes, i) => ({ name: `${i}`, sizeBytes }));
    const { files, places } = layOutOnnxData("model.onnx", entries, 160);
    expect(files).toEqual([
      { name: "model.onnx_data", sizeBytes: 158 },
      { name: "model.onnx_data_1", sizeBytes: 200 },
      { name: "model.onnx_data_2", sizeBytes: 10 },
    ]);
    expect(places.get("1")).toEqual({ location: "model.onnx_data", offset: 128, length: 30 });
  });
});
