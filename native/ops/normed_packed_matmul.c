/*
 * outs[i] [tokens, rows] = RMSNorm(x) [tokens, columns] · Ŵ[i]ᵀ for up to three laid out weights of one shape of
 * groups, or in blocks whose inputs are rounded by the same number of columns, as fast products: the norm, the
 * rounding of its result and the products in one op.
 */
#include "packed_fast.h"

/*
 * buffers: 3 outs, x, gain of the norm, then codes, scales, zeros or NULL of each weight; what is not used is NULL;
 * sizes: tokens, columns, group size, kind of zeros, bits or format of each weight, rows of each (0: not used), rowwise;
 * reals: eps, origin, step
 */
FB_OP(normed_packed_matmul) {
  const int64_t *size = args->size;
  fast_request request = {.x = args->buffer[3], .norm = args->buffer[4], .eps = args->real[0], .tokens = size[0],
                          .rowwise = (int)size[10]};
  FB_REQUIRE(args->bytes[3] == (size_t)(size[0] * size[1]) * 4 && args->bytes[4] == (size_t)size[1] * 4);
  for (int i = 0; i < FAST_WEIGHTS && size[7 + i] > 0; i++, request.count++) {
    packed_matrix *w = &request.weights[i];
    void *const *buffer = args->buffer + 5 + 3 * i;
    *w = (packed_matrix){.codes = buffer[0], .scales = buffer[1], .zeros = buffer[2], .rows = size[7 + i],
                         .columns = size[1], .group_size = size[2], .bits = size[4 + i], .zero_kind = size[3],
                         .origin = (float)args->real[1], .step = (float)args->real[2]};
    request.outs[i] = args->buffer[i];
    FB_REQUIRE(derive_matrix(w) && w->step != 0);
    FB_REQUIRE(!w->format == !request.weights[0].format && w->group_size == request.weights[0].group_size);
    FB_REQUIRE(w->format || (w->bits == request.weights[0].bits && w->look_up_bytes == request.weights[0].look_up_bytes));
    FB_REQUIRE(args->bytes[i] == (size_t)(size[0] * w->rows) * 4);
    FB_REQUIRE(has_matrix_bytes(w, args->bytes + 5 + 3 * i));
  }
  FB_REQUIRE(request.count > 0);
  return FB_NAME(fb_packed_fast)(team, &request);
}
