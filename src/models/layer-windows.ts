import { FormatError, UnsupportedError } from "../util/errors.ts";
import type { DecoderFields } from "./decoder-fields.ts";

/** How a family lets blocks slide. */
export interface Sliding {
  /** Tokens that a query of a sliding block sees; null where the config has none. */
  readonly window: number | null;
  /** Whether a block slides where the config has no `layer_types`. */
  readonly slides: (index: number) => boolean;
}

/** Names of `layer_types`, the older ones too, and whether they slide. */
const layerTypes: Readonly<Record<string, boolean>> = {
  full_attention: false,
  attention: false,
  sliding_attention: true,
};

/**
 * Reads which blocks slide: by `layer_types` where the config has them, else as the family says,
 * if there is a window.
 * @returns tokens that each block's queries see, null for all before them
 * @throws FormatError when `layer_types` are not one a block, or ask for a window that is not there
 * @throws UnsupportedError for a layer type that is not known
 */
export function layerWindows(fields: DecoderFields, sliding: Sliding): (number | null)[] {
  const types = checkLayerTypes(fields);
  return Array.from({ length: fields.num_hidden_layers }, (_, index) => {
    if (types === null) return sliding.slides(index) ? expectWindow(sliding.window) : null;
    if (!layerTypes[types[index]]) return null;
    if (sliding.window !== null) return expectWindow(sliding.window);
    throw new FormatError(`config.json: layer_types[${index}] slides, but there is no window`, {
      hint: "set sliding_window, and use_sliding_window where the model type has it",
    });
  });
}

/**
 * Reads which blocks slide in a family where those from `max_window_layers` on do, if
 * `use_sliding_window` is set; a missing `sliding_window` is 4096.
 * @throws as `layerWindows` does
 */
export function lateWindows(fields: DecoderFields): (number | null)[] {
  const window = fields.sliding_window === undefined ? 4096 : fields.sliding_window;
  const firstSliding = fields.max_window_layers ?? 28;
  return layerWindows(fields, {
    window: fields.use_sliding_window ? window : null,
    slides: (index) => index >= firstSliding,
  });
}

/**
 * Checks `layer_types`; null where the config has none.
 * @throws FormatError when they are not one a block
 * @throws UnsupportedError for a layer type that is not known
 */
export function checkLayerTypes(fields: DecoderFields): readonly string[] | null {
  const { layer_types: types, num_hidden_layers: blocks } = fields;
  if (!types) return null;
  if (types.length !== blocks) {
    throw new FormatError(`config.json: expected ${blocks} layer_types, got ${types.length}`, {
      hint: "there must be one for each of num_hidden_layers",
    });
  }
  const unknown = types.find((type) => !Object.hasOwn(layerTypes, type));
  if (unknown === undefined) return types;
  throw new UnsupportedError(`config.json: layer type "${unknown}" is not supported`, {
    hint: "supported: full_attention, sliding_attention",
  });
}

function expectWindow(window: number | null): number | null {
  if (window === null || window > 0) return window;
  throw new FormatError(`config.json: expected a positive sliding_window, got ${window}`);
}
