import type { Kernels } from "../../../backend/kernels.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats } from "../arrays.ts";

const smallestNorm = 1e-12;

/**
 * `errors[t] = ‖û − ŝ‖²` of the directions of teacher and student rows, and with `ŝ = s/‖s‖` the
 * gradient `−2·scale·(û − ŝ·(û·ŝ))/‖s‖`. Source: OneBit, arXiv 2402.11295, section 3.4.
 */
export const directionError: Kernels["directionError"] = (
  errors,
  dStudent,
  teacher,
  student,
  scale,
) => {
  const { rows, columns } = asMatrix(student.shape);
  const wanted = floats(teacher);
  const values = floats(student);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const wantedNorm = rowNorm(wanted, start, columns);
    const norm = rowNorm(values, start, columns);
    let error = 0;
    let cosine = 0;
    for (let i = start; i < start + columns; i++) {
      const target = wanted[i] / wantedNorm;
      const direction = values[i] / norm;
      error += (target - direction) ** 2;
      cosine += target * direction;
    }
    floats(errors)[row] = error;
    if (!dStudent) continue;
    const output = floats(dStudent);
    for (let i = start; i < start + columns; i++) {
      output[i] = ((-2 * scale) / norm) * (wanted[i] / wantedNorm - (values[i] / norm) * cosine);
    }
  }
};

function rowNorm(values: Float32Array, start: number, columns: number): number {
  let squares = 0;
  for (let i = start; i < start + columns; i++) squares += values[i] * values[i];
  return Math.max(Math.sqrt(squares), smallestNorm);
}
