import { createReadStream, existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as Runtime from "onnxruntime-web";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportCheckpoint, load } from "../../src/index.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { findBrowser, noBrowser } from "./browser.ts";
import { temporaryFolder } from "./shared-models.ts";

/* The WebAssembly of onnxruntime-web in a browser, as transformers.js has it there. */

const inFolder = temporaryFolder();
const browserPath = findBrowser();
const library = fileURLToPath(new URL("../../node_modules/onnxruntime-web/dist/", import.meta.url));
const types: Readonly<Record<string, string>> = {
  mjs: "text/javascript",
  wasm: "application/wasm",
};
const page =
  '<!doctype html><script type="module">import * as ort from "/ort.wasm.min.mjs"; globalThis.ort = ort;</script>';
const ids = [5, 9, 3, 20, 7];

let server: Server;
beforeAll(async () => {
  server = createServer(({ url = "/" }, answer) => {
    const name = url.slice(1);
    const path = [join(library, name), inFolder(name)].find((each) => existsSync(each));
    const [, ending = ""] = /\.(\w+)$/.exec(name) ?? [];
    if (name === "") answer.setHeader("content-type", "text/html").end(page);
    else if (!path) answer.writeHead(404).end();
    else {
      answer.setHeader("content-type", types[ending] ?? "application/octet-stream");
      createReadStream(path).pipe(answer);
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterAll(() => new Promise((done) => server.close(done)));

/** Runs in the page: the logits of the model at a path. */
async function runInPage({
  folder,
  given,
}: {
  folder: string;
  given: number[];
}): Promise<number[]> {
  const { ort } = globalThis as unknown as { ort: typeof Runtime };
  ort.env.wasm.numThreads = 1;
  const bytes = async (path: string) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  const name = "model_q4.onnx_data";
  const session = await ort.InferenceSession.create(await bytes(`${folder}/onnx/model_q4.onnx`), {
    externalData: [{ path: name, data: await bytes(`${folder}/onnx/${name}`) }],
  });
  const whole = (values: number[]) =>
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const feeds: Record<string, InstanceType<typeof ort.Tensor>> = {
    input_ids: whole(given),
    attention_mask: whole(given.map(() => 1)),
  };
  for (const input of session.inputMetadata) {
    if (!input.isTensor || !input.name.startsWith("past")) continue;
    const shape = [1, Number(input.shape[1]), 0, Number(input.shape[3])];
    feeds[input.name] = new ort.Tensor("float32", new Float32Array(), shape);
  }
  const { logits } = await session.run(feeds);
  return Array.from(logits.data as Float32Array);
}

describe.skipIf(!browserPath)(
  browserPath ? "ONNX in a browser" : `ONNX in a browser (skipped: ${noBrowser})`,
  () => {
    test("gives the logits that fewbit gives", async () => {
      const tiny = await writeTinyCheckpoint({ scheme: "w4g32" });
      await exportCheckpoint(tiny.path, { format: "onnx", out: inFolder("model") });
      const model = await load(tiny.path);
      const hidden = model.hiddenStates(model.tokens([ids]));
      const expected = await model
        .logits(hidden.reshape([ids.length, model.config.hiddenSize]))
        .read();
      const browser = await chromium.launch({
        ...(browserPath && { executablePath: browserPath }),
        args: ["--no-sandbox"],
      });
      try {
        const tab = await browser.newPage();
        await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
        await tab.waitForFunction("globalThis.ort !== undefined");
        const found = await tab.evaluate(runInPage, { folder: "/model", given: ids });
        const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        found.forEach((x, i) => expect(Math.abs(x - expected[i]) / largest).toBeLessThan(2e-5));
        expect(found.length).toBe(expected.length);
      } finally {
        await browser.close();
        model.release();
        await tiny.remove();
      }
    });
  },
);
