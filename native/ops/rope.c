/*
 * Rotates the halves of each head by the angle of its position:
 *   out[i] = x[i]·cos - x[i + h]·sin,  out[i + h] = x[i + h]·cos + x[i]·sin,  h = headDim/2
 * with the row `start + t` of the tables. Bound by memory. out may be x.
 */
#include "rope.h"

/* arguments as rotate() takes them */
FB_OP(rope) { return rotate(args, team, 1); }
