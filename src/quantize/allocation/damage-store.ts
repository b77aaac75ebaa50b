import { z } from "zod";
import { formatJson, readJsonObject } from "../../formats/json-file.ts";
import { exists, writeText } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { parseValue } from "../../util/parse-value.ts";

const formatOfFile = "fewbit allocation 1";

const measured = z.object({
  /** Damages by group, then by choice. */
  damages: z.record(z.string(), z.record(z.string(), z.number())).default({}),
  /** Damages of pairs beyond those of each, by `GROUP & GROUP`. */
  pairs: z.record(z.string(), z.number()).default({}),
  /** How far searches have come, by what they search. */
  searches: z.record(z.string(), z.unknown()).default({}),
});

const fileSchema = z.object({
  format: z.literal(formatOfFile),
  measured: z.record(z.string(), measured),
});

type Measured = z.output<typeof measured>;

/**
 * What was measured for allocations, in a file: by a hash of all that it depends on (model, text,
 * measure), by group and by choice. It is written after each block, whole or not at all.
 */
export class DamageStore {
  readonly path: string;
  /** Whether something that was asked for had been there when it was opened. */
  readonly wasThere: boolean;
  private readonly key: string;
  private readonly own: Measured;

  private constructor(path: string, key: string, all: Record<string, Measured>) {
    this.path = path;
    this.key = key;
    this.own = all[key] ?? { damages: {}, pairs: {}, searches: {} };
    this.wasThere = Object.keys(this.own.damages).length > 0;
  }

  /** Opens a file, or begins one. @throws FormatError when it is something else */
  static async open(path: string, key: string): Promise<DamageStore> {
    return new DamageStore(path, key, await readMeasured(path));
  }

  /** The damage of a choice to a group; undefined where it was not measured. */
  damage(group: string, choice: string): number | undefined {
    return this.own.damages[group]?.[choice];
  }

  pair(name: string): number | undefined {
    return this.own.pairs[name];
  }

  search(name: string): unknown {
    return this.own.searches[name] ?? null;
  }

  /** Adds the damages of a group, without writing them. */
  add(group: string, damages: Readonly<Record<string, number>>): void {
    this.own.damages[group] = { ...this.own.damages[group], ...damages };
  }

  addPair(name: string, damage: number): void {
    this.own.pairs[name] = damage;
  }

  async saveSearch(name: string, state: unknown): Promise<void> {
    this.own.searches[name] = state;
    await this.save();
  }

  /** Writes the file, with what others have put there meanwhile. */
  async save(): Promise<void> {
    const measured = { ...(await readMeasured(this.path)), [this.key]: this.own };
    await writeText(this.path, formatJson({ format: formatOfFile, measured }));
  }
}

/** Reads what a file holds; nothing where there is none. @throws FormatError when it is something else */
async function readMeasured(path: string): Promise<Record<string, Measured>> {
  if (!(await exists(path))) return {};
  const file = parseValue(
    fileSchema,
    await readJsonObject(path),
    ({ text }) =>
      new FormatError(`${path} does not hold what an allocation measured: ${text}`, {
        hint: "name another `stateFile`, or remove it",
      }),
  );
  return { ...file.measured };
}
