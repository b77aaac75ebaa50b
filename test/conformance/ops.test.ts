import { afterEach, describe } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { testAttentionOps } from "./ops/attention-ops.ts";
import { testBinaryOps } from "./ops/binary-ops.ts";
import { testElementwise } from "./ops/elementwise.ts";
import { testFakeQuantize } from "./ops/fake-quantize.ts";
import { testFitColumns } from "./ops/fit-columns.ts";
import { testIntegerOnlyOps } from "./ops/integer-only-ops.ts";
import { testIntegerOps } from "./ops/integer-ops.ts";
import { testInverseCholesky } from "./ops/inverse-cholesky.ts";
import { testBlockProducts } from "./ops/block-products.ts";
import { testNormedPackedProducts, testPackedProducts } from "./ops/packed-products.ts";
import { testProducts } from "./ops/products.ts";
import { testQuantizeColumns } from "./ops/quantize-columns.ts";
import { testClusterRows } from "./ops/cluster-rows.ts";
import { testSparseProducts } from "./ops/sparse-products.ts";
import { testRefineZeros } from "./ops/refine-zeros.ts";
import { testCopies, testRowOps } from "./ops/row-ops.ts";
import { testRefitGroups } from "./ops/refit-groups.ts";
import { testSearchBlocks } from "./ops/search-blocks.ts";
import { testRounding } from "./ops/rounding.ts";
import {
  testAdamwEdges,
  testTrainingAttention,
  testTrainingElementwise,
  testTrainingRows,
} from "./ops/training-ops.ts";
import { type Subject, subjects } from "./subjects.ts";

/*
 * One suite for every backend: each op against its formula in float64, at shapes where kernels go
 * wrong.
 */
for (const subject of subjects) {
  const { title, missing } = subject;
  describe.skipIf(missing)(missing ? `${title} (skipped: ${missing})` : title, () => {
    const open = backendOf(subject);
    testProducts(open);
    testPackedProducts(open);
    testNormedPackedProducts(open);
    testBlockProducts(open);
    testRowOps(open);
    testAttentionOps(open);
    testElementwise(open);
    testCopies(open);
    testIntegerOps(open);
    testBinaryOps(open);
    testIntegerOnlyOps(open);
    testInverseCholesky(open);
    testFitColumns(open);
    testRefineZeros(open);
    testClusterRows(open);
    testSparseProducts(open);
    testRefitGroups(open);
    testSearchBlocks(open);
    testQuantizeColumns(open);
    testFakeQuantize(open);
    testRounding(open);
    testTrainingElementwise(open);
    testTrainingRows(open);
    testTrainingAttention(open);
    testAdamwEdges(open);
  });
}

/** One backend for all tests of a subject; every test ends with all work done and no failure. */
function backendOf(subject: Subject): () => Backend {
  let backend: Backend | undefined;
  afterEach(() => backend?.synchronize());
  return () => {
    backend ??= subject.open();
    return backend;
  };
}
