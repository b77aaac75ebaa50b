import type { Backend } from "../backend/backend.ts";
import { Linear, type LinearSlot } from "../nn/linear.ts";
import { makeLinear } from "../nn/make-linear.ts";
import type { BlockPass } from "../nn/quantizable-model.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { add, embedding, softmax, takeColumns } from "../tensor/ops.ts";
import { linear } from "../tensor/products.ts";
import {
  addUpRows,
  joinRows,
  type Routes,
  routeTokens,
  takeElements,
  weighRows,
} from "../tensor/route-ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { expertPlans, type MlpPlan } from "./decoder-tensors.ts";
import type { ExpertConfig } from "./expert-config.ts";

/** An MLP with a gate. */
export interface GatedMlp {
  readonly gate: LinearSlot;
  readonly up: LinearSlot;
  readonly down: LinearSlot;
}

/** What stands in the place of an MLP: experts, and what sends tokens to them. */
export interface BlockExperts {
  readonly config: ExpertConfig;
  /** Scores of experts, `[experts, hiddenSize]`. */
  readonly router: LinearSlot;
  /** By their number; those that are not in memory give nothing. */
  readonly experts: readonly (GatedMlp | undefined)[];
  /** What every token goes to, and what says how much of that is added; null where none is. */
  readonly shared: (GatedMlp & { readonly share: LinearSlot | null }) | null;
}

/**
 * Reads the experts of block `name`.
 * @throws FormatError NumericError
 * @throws UsageError where the configuration of the model says nothing of experts
 */
export async function readExperts(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
  { name, wants }: { readonly name: string; readonly wants: "all" | "none" },
): Promise<BlockExperts> {
  const plans = expertPlans(config);
  const names = config.names.experts;
  if (!plans || !names || !config.experts) {
    throw new UsageError(`${name} is a mixture, but the model's configuration has no experts`, {
      hint: "its family must say `experts` and `names.experts` where a layer is `sparse`",
    });
  }
  const gate = async (own: string): Promise<LinearSlot> => ({
    name: own,
    layer: new Linear(backend, await source.matrix(`${name}.${own}`)),
  });
  const mlp = (plan: MlpPlan): Promise<GatedMlp> => readMlp(backend, source, name, plan);
  const experts: GatedMlp[] = [];
  const router = await gate(names.router);
  for (const plan of wants === "all" ? plans.experts : []) experts.push(await mlp(plan));
  const share = names.sharedGate === undefined ? null : await gate(names.sharedGate);
  const shared = plans.shared && { ...(await mlp(plans.shared)), share };
  return { config: config.experts, router, experts, shared };
}

async function readMlp(
  backend: Backend,
  source: WeightSource,
  block: string,
  { gate, up, down }: MlpPlan,
): Promise<GatedMlp> {
  const slot = async ({ name }: MlpPlan["gate"]): Promise<LinearSlot> => ({
    name,
    layer: await makeLinear(backend, await source.matrix(`${block}.${name}`)),
  });
  return { gate: await slot(gate), up: await slot(up), down: await slot(down) };
}

/** Reads one expert of block `name`; null where it has none of this number. */
export async function readExpert(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
  { name, expert }: { readonly name: string; readonly expert: number },
): Promise<GatedMlp | null> {
  const plan = expertPlans(config)?.experts[expert];
  return plan ? readMlp(backend, source, name, plan) : null;
}

/** Layers that say where tokens go. */
export function gatesOf({ router, shared }: BlockExperts): LinearSlot[] {
  return shared?.share ? [router, shared.share] : [router];
}

/** How `forwardExperts` is run. */
export interface ExpertPass {
  readonly pass: BlockPass;
  /** `act(gate) ⊙ up`. */
  readonly activate: (parts: readonly Tensor<"f32">[]) => Tensor<"f32">;
}

/** Rows of a pass that come to an MLP; `rows` says which, absent where all do. */
interface MlpInput {
  readonly mlp: GatedMlp;
  readonly input: Tensor<"f32">;
  readonly rows?: Tensor<"i32">;
}

/**
 * Sends each row of x `[..., hiddenSize]` through the experts that the router chooses for it, and
 * adds up what they give by the weights that it has for them: softmax over the scores of all
 * experts, of the highest ones, divided by their sum where the model says so.
 * @returns null when stopped by `untilStage`
 */
export function forwardExperts(
  mixture: BlockExperts,
  x: Tensor<"f32">,
  { pass, activate }: ExpertPass,
): Tensor<"f32"> | null {
  const { config, router, experts, shared } = mixture;
  const width = x.shape.at(-1) ?? 0;
  const flat = x.reshape([x.size / width, width]);
  const scores = router.layer.forward(flat);
  for (const slot of gatesOf(mixture)) pass.observe?.(slot, flat);
  const routes = routeTokens(scores, config.used, (expert) => experts[expert] !== undefined);
  const inputs: MlpInput[] = routes.experts.map(({ index, rows }) => ({
    mlp: experts[index] as GatedMlp,
    input: embedding(flat, rows),
    rows,
  }));
  if (shared) inputs.push({ mlp: shared, input: flat });
  for (const { mlp, input, rows } of inputs) {
    for (const slot of [mlp.gate, mlp.up]) pass.observe?.(slot, input, rows);
  }
  if (pass.untilStage === "mlpInput") return null;
  const outputs = inputs.map((input) => runMlp(input, { pass, activate }));
  if (pass.untilStage === "mlpOutput") return null;
  const common = shared && outputs.pop();
  const sum =
    outputs.length === 0
      ? Tensor.zeros(flat.backend, "f32", flat.shape)
      : addUpRows(
          weighRows(joinRows(outputs), routeWeights(scores, routes, config)),
          routes.rows,
          flat.shape[0],
        );
  if (!common) return sum.reshape(x.shape);
  const share = shared.share ? shareOf(shared.share, flat, common) : common;
  return add(sum, share).reshape(x.shape);
}

/** Runs an MLP; of a pass that ends in front of its last layer, what that would get. */
function runMlp({ mlp, input, rows }: MlpInput, { pass, activate }: ExpertPass): Tensor<"f32"> {
  const body = (): Tensor<"f32"> => {
    const parts = [mlp.gate, mlp.up].map((slot) => slot.layer.forward(input, pass.products));
    const inner = activate(parts);
    pass.observe?.(mlp.down, inner, rows);
    if (pass.untilStage === "mlpOutput") return inner;
    return mlp.down.layer.forward(inner, pass.products);
  };
  // What an observer was shown must live until the pass returns.
  return pass.observe ? body() : tidy(body);
}

/** Weights of tokens in what their experts give, in the order of `routes.rows`. */
function routeWeights(
  scores: Tensor<"f32">,
  { places, others }: Routes,
  { normalized }: ExpertConfig,
): Tensor<"f32"> {
  // Chances divided by the sum of those chosen are the softmax over these alone.
  return takeElements(softmax(normalized ? add(scores, others) : scores), places);
}

/** `sigmoid(share · x) · y`, row by row. */
function shareOf({ layer }: LinearSlot, x: Tensor<"f32">, y: Tensor<"f32">): Tensor<"f32"> {
  const { backend } = x;
  // A sigmoid is one of two chances, of which the other has the score 0.
  const besideZero = Tensor.from(backend, "f32", [2, 1], Float32Array.of(1, 0));
  const chances = softmax(linear(layer.forward(x), besideZero));
  const first = Tensor.from(backend, "i32", [1], Int32Array.of(0));
  return weighRows(y, takeColumns(chances, first).reshape([y.shape[0] ?? 0]));
}
