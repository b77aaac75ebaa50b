import type { IntegerForm } from "./integer-layer.ts";

/** The form of most weights: what a configuration says of all but a few. */
export function mostOf(forms: readonly IntegerForm[]): IntegerForm {
  const weights = new Map<string, { form: IntegerForm; count: number }>();
  for (const form of forms) {
    const key = formKey(form);
    const before = weights.get(key)?.count ?? 0;
    weights.set(key, { form, count: before + form.outFeatures * form.inFeatures });
  }
  return [...weights.values()].toSorted((a, b) => b.count - a.count)[0].form;
}

/** What forms of layers have alike, whatever their shapes. */
export function formKey({ bits, symmetric, groupSize, activation }: IntegerForm): string {
  return JSON.stringify([bits, symmetric, groupSize, activation]);
}
