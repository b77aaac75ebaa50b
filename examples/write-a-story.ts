/**
 * Continues a text and prints it as it comes; then says how fast that was.
 *
 *   node examples/write-a-story.ts [MODEL]
 */
import { fileURLToPath } from "node:url";
import { generateText, load } from "../src/index.ts";

const [path = fileURLToPath(new URL("../builtin/model", import.meta.url))] = process.argv.slice(2);
const prompt = "It was the birthday of";

const model = await load(path);
process.stdout.write(prompt);
const { stats } = await generateText(
  model,
  { prompt, maxTokens: 120, temperature: 0.8, topP: 0.9, seed: 1 },
  ({ text }) => void process.stdout.write(text),
);
console.log(
  `\n\n${stats.generatedTokens} tokens, ${Math.round(stats.decodeTokensPerSecond)} a second`,
);
model.release();
