import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";
import { logSumExp } from "../layers/softmax.ts";

/** `KL(teacher ‖ student) = Σ p·(log p − log q)` a row in float64; whether top tokens agree. */
export const klDivergence: Kernels["klDivergence"] = (divergence, agree, teacher, student) => {
  const { rows, columns } = asMatrix(teacher.shape);
  const p = floats(teacher);
  const q = floats(student);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const logP = logSumExp(p, start, columns);
    const logQ = logSumExp(q, start, columns);
    let sum = 0;
    for (let i = start; i < start + columns; i++) {
      const log = p[i] - logP;
      const share = Math.exp(log);
      // A token that the teacher excludes adds nothing, even where the logarithms are infinite.
      if (share > 0) sum += share * (log - (q[i] - logQ));
    }
    floats(divergence)[row] = sum;
    floats(agree)[row] = topIndex(p, start, columns) === topIndex(q, start, columns) ? 1 : 0;
  }
};

/** Index of the largest value; the first of equals. */
function topIndex(values: Float32Array, start: number, count: number): number {
  let top = 0;
  for (let i = 1; i < count; i++) if (values[start + i] > values[start + top]) top = i;
  return top;
}

/** `dStudent = scale·(softmax(student) − softmax(teacher))`. */
export const klDivergenceBackward: Kernels["klDivergenceBackward"] = (
  dStudent,
  teacher,
  student,
  scale,
) => {
  const [rows = 0, vocabulary = 0] = student.shape;
  const wanted = floats(teacher);
  const values = floats(student);
  const output = floats(dStudent);
  for (let start = 0; start < rows * vocabulary; start += vocabulary) {
    const wantedSum = logSumExp(wanted, start, vocabulary);
    const sum = logSumExp(values, start, vocabulary);
    for (let i = start; i < start + vocabulary; i++) {
      output[i] = scale * (Math.exp(values[i] - sum) - Math.exp(wanted[i] - wantedSum));
    }
  }
};
