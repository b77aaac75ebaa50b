import { UsageError } from "../../src/util/errors.ts";

/** What makes a quantized model: a method of fewbit, or a peer. */
export interface Maker {
  /** As `--only` and the table name it; those of fewbit begin with `fewbit/`. */
  readonly id: string;
  /** Folder of its Python under that of all peers; null for fewbit. */
  readonly python: string | null;
  /** Script beside this file that quantizes. */
  readonly script: string;
  /** Package whose version counts; null for a script that needs PyTorch alone, and for fewbit. */
  readonly package: string | null;
  /** Schemes that it can be asked for. */
  readonly schemes: RegExp;
  /** Options of the script: for fewbit those of `quantize`, without model, data and scheme. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** How fewbit calls its scheme where that is another: `-floatzero` behind the id. */
  readonly suffix?: string;
  /** Only made when it is asked for by name: it takes hours, or is a variant of another. */
  readonly onRequest?: boolean;
}

const grouped = /^w[2348](g\d+)?(-sym)?$/;
const asymmetric = /^w[2348]g\d+$/;
const rows = /^w([34]-sym|2-seq)$/;

function fewbit(name: string, schemes: RegExp, settings: Maker["settings"], suffix = ""): Maker {
  const script = "run-fewbit.ts";
  return { id: `fewbit/${name}`, python: null, script, package: null, schemes, settings, suffix };
}

function peer(id: string, schemes: RegExp, settings: Maker["settings"] = {}): Maker {
  const name = id.split(":")[0] ?? id;
  const script = `run_${name.replaceAll("-", "_")}.py`;
  return { id, python: name, script, package: name, schemes, settings };
}

/** A method's arithmetic in PyTorch: any Python with torch and transformers runs it. */
function authors(id: string, schemes: RegExp, settings: Maker["settings"] = {}): Maker {
  return { ...peer(id, schemes, settings), python: "torch", package: null };
}

/**
 * All makers, in the order in which they run for a scheme: a peer beside the method of fewbit that
 * it is compared with.
 */
export const makers: readonly Maker[] = [
  fewbit("rtn", grouped, { method: "rtn", calibration: null }),
  peer("hqq", asymmetric),
  fewbit("hqq", asymmetric, { method: "hqq", calibration: null }, "-floatzero"),
  peer("gptqmodel", grouped),
  fewbit("gptq", grouped, { method: "gptq" }),
  peer("llmcompressor:gptq", grouped, { method: "gptq" }),
  peer("llmcompressor:awq", grouped, { method: "awq" }),
  fewbit("awq+gptq", grouped, { method: "gptq", transforms: ["awq"] }),
  peer("auto-round", grouped, { iters: 50 }),
  fewbit("auto-round", grouped, { method: "auto-round" }),
  { ...peer("auto-round:200", grouped, { iters: 200 }), onRequest: true },
  authors("efficientqat:block-ap", asymmetric, { e2e_epochs: 0 }),
  fewbit("block-ap", asymmetric, { method: "block-ap" }),
  authors("efficientqat:e2e-qp", asymmetric),
  fewbit("efficientqat", asymmetric, { preset: "efficientqat" }),
  authors("paretoq", rows),
  fewbit("paretoq", rows, { method: "paretoq" }),
];

/**
 * Chooses makers by their ids; the part of an id in front of `/` or `:` means all that begin so.
 * @throws UsageError for a name that fits none
 */
export function chooseMakers(names: readonly string[]): readonly Maker[] {
  if (names.length === 0) return makers.filter(({ onRequest }) => !onRequest);
  const fits = (maker: Maker, name: string): boolean =>
    maker.id === name || (/^[^/:]+/.exec(maker.id)?.[0] === name && !maker.onRequest);
  const unknown = names.filter((name) => !makers.some((maker) => fits(maker, name)));
  if (unknown.length > 0) {
    throw new UsageError(`nothing here is called ${unknown.join(", ")}`, {
      hint: `there are ${makers.map(({ id }) => id).join(", ")}`,
      field: "only",
    });
  }
  return makers.filter((maker) => names.some((name) => fits(maker, name)));
}
