/**
 * Quantizes tiny random LLaVAs on conversations that show images, whose embeddings
 * `tools/images/embed_images.py` computes, and prints a Markdown table of what transformers finds
 * when it loads their decoded weights and shows them an image.
 *
 *   npm run images
 *
 * Needs a Python with torch, transformers, safetensors and pillow: $FEWBIT_PYTHON, or python3.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exportCheckpoint, quantize } from "../src/index.ts";

/** What transformers says of a decoded model. */
interface Comparison {
  readonly name: string;
  readonly missing: number;
  readonly unexpected: number;
  /** Tensors of tower and projector, and whether all have the bytes of the original. */
  readonly towerTensors: number;
  readonly towerSame: boolean;
  /** Tokens that it wrote to an image. */
  readonly written: number;
  /** The most that a logit is off, by how much another image moves one, and the largest. */
  readonly deviation: number;
  readonly ofAnotherImage: number;
  readonly largest: number;
}

const folder = mkdtempSync(join(tmpdir(), "fewbit-images-"));

function ask(script: string, ...words: readonly string[]): string[] {
  const python = process.env["FEWBIT_PYTHON"] ?? "python3";
  const path = fileURLToPath(new URL(`./images/${script}.py`, import.meta.url));
  const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
  const text = execFileSync(python, [path, ...words], { encoding: "utf8", stdio });
  return text.trim().split("\n");
}

try {
  const said = new Map<string, string>();
  const conversations = join(folder, "conversations.jsonl");
  for (const name of ask("image_models", "make", folder)) {
    const [model, out] = [join(folder, name), join(folder, `${name}-packed`)];
    const imageEmbeddings = join(folder, `${name}.safetensors`);
    ask("embed_images", model, conversations, imageEmbeddings);
    const files = [{ path: conversations }];
    const calibration = { files, samples: 8, window: 32, imageEmbeddings };
    const { events } = await quantize(model, { out, method: "gptq", scheme: "w8g32", calibration });
    for await (const event of events) {
      const tokens = event.type === "notice" ? /^\d+ of \d+(?= calib)/.exec(event.message) : null;
      if (tokens) said.set(name, tokens[0]);
    }
    await exportCheckpoint(out, {
      format: "hf",
      dtype: "f32",
      out: join(folder, `${name}-decoded`),
    });
  }
  console.log(
    "| model type | calibration tokens of images | missing, unexpected | tower and projector | " +
      "tokens written to an image | logits at most off | by another image | largest |",
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const line of ask("image_models", "compare", folder)) {
    const found = JSON.parse(line) as Comparison;
    const same = `${found.towerTensors} tensors, ${found.towerSame ? "byte for byte" : "CHANGED"}`;
    const cells = [
      `\`${found.name}\``,
      said.get(found.name),
      `${found.missing}, ${found.unexpected}`,
      same,
      found.written,
      found.deviation.toPrecision(2),
      found.ofAnotherImage.toPrecision(2),
      found.largest.toPrecision(3),
    ];
    console.log(`| ${cells.join(" | ")} |`);
    if (!found.towerSame || found.missing + found.unexpected > 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
