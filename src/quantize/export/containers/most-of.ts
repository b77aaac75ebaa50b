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

/**
 * The group size that all layers can be read with: a row of one group has as many columns. Null: all
 * have one group a row; undefined: there is none.
 */
export function commonGroupSize(forms: readonly IntegerForm[]): number | null | undefined {
  const sizes = new Set(forms.flatMap(({ groupSize }) => groupSize ?? []));
  const [size] = sizes;
  if (size === undefined) return null;
  const fits = ({ groupSize, inFeatures }: IntegerForm): boolean =>
    (groupSize ?? inFeatures) === size;
  return sizes.size === 1 && forms.every(fits) ? size : undefined;
}
