import type { Backend } from "../backend/backend.ts";
import type { DownloadProgress } from "../hub/download-progress.ts";
import { type ResolveOptions, resolveModel } from "../hub/resolve-model.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { UnsupportedError } from "../util/errors.ts";

/**
 * Finds a model and opens it for work on its float32 weights, which those of a quantized GGUF file
 * are decoded to, with a notice. The caller closes its checkpoint.
 * @throws UnsupportedError when it is quantized already, by fewbit
 * @throws FewbitError as `resolveModel` and `openModel` do
 */
export async function openOriginal(
  source: string,
  backend: Backend,
  options: ResolveOptions,
): Promise<OpenedModel> {
  const resolved = await resolveModel(source, options);
  const opened = await openModel(resolved.directory, {
    ...resolved,
    backend,
    onNotice: options.onNotice,
    precision: "float32",
    decoded: true,
  });
  const { name, schemeId, checkpoint } = opened;
  if (schemeId === null) return opened;
  await checkpoint.close();
  throw new UnsupportedError(`${name} is quantized already, to ${schemeId}`, {
    hint: "use the original checkpoint",
  });
}

/** Who hears of a download during work that emits events. */
interface Listeners {
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  readonly emit: (
    event:
      | { readonly type: "notice"; readonly message: string }
      | { readonly type: "download"; readonly progress: DownloadProgress },
  ) => void;
}

/** Options of `openOriginal` that make its notices and downloads events of the work. */
export function asEvents({ signal, onDownload, emit }: Listeners): ResolveOptions {
  return {
    signal,
    onNotice: (message) => emit({ type: "notice", message }),
    onDownload: (progress) => {
      emit({ type: "download", progress });
      onDownload?.(progress);
    },
  };
}
