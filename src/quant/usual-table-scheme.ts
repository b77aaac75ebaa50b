/**
 * Scheme of embedding and output head where none is named: 8 bits in groups, which GGUF, MLX and
 * ONNX hold exactly.
 */
export const usualTableScheme = "w8g64-sym";
