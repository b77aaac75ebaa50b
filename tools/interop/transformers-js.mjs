/*
 * Lets @huggingface/transformers continue a text with what `fewbit export --format onnx` wrote; nothing is fetched.
 *
 *     npm install --prefix FOLDER @huggingface/transformers@4.3.2
 *     node tools/interop/transformers-js.mjs EXPORT --packages FOLDER --prompt "The capital of France is" --tokens 24
 *
 * Not among the project's own packages: it brings onnxruntime-node and sharp, half a gigabyte of binaries.
 */
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    packages: { type: "string", default: "." },
    prompt: { type: "string", default: "The capital of France is" },
    tokens: { type: "string", default: "24" },
  },
});
const [directory = "."] = positionals.map((path) => resolve(path));
const { resolve: find } = createRequire(join(resolve(values.packages), "package.json"));
const found = join(dirname(find("@huggingface/transformers")), "transformers.node.mjs");
const { AutoModelForCausalLM, AutoTokenizer, env } = await import(pathToFileURL(found).href);

env.allowRemoteModels = false;
env.localModelPath = dirname(directory);
const name = basename(directory);
const tokenizer = await AutoTokenizer.from_pretrained(name);
const model = await AutoModelForCausalLM.from_pretrained(name);
const inputs = tokenizer(values.prompt);
const settings = { max_new_tokens: Number(values.tokens), do_sample: false };
const output = await model.generate({ ...inputs, ...settings });
const tokens = [...output.data].map(Number).slice(inputs.input_ids.dims[1]);
const text = tokenizer.decode(tokens, { skip_special_tokens: true });
process.stdout.write(`${JSON.stringify({ transformersJs: env.version, tokens, text }, null, 2)}\n`);
