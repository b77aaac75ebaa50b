import { chatTemplates } from "./chat-templates.ts";
import { configs } from "./configs.ts";
import { familyLogits } from "./families.ts";
import { safetensors } from "./safetensors.ts";
import type { Subject } from "./subject.ts";
import { templates } from "./templates.ts";
import { tokenizerFiles } from "./tokenizer-files.ts";
import { tokenizers } from "./tokenizers.ts";

/** Everything that is compared with a Python library. */
export const subjects: readonly Subject[] = [
  chatTemplates,
  configs,
  familyLogits,
  safetensors,
  templates,
  tokenizers,
  tokenizerFiles,
];
