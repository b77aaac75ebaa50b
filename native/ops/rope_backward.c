/* The gradient of rope: rotation by the negative angle. Bound by memory. dX may be dOut. */
#include "rope.h"

/* dX and dOut for out and x, else as rotate() */
FB_OP(rope_backward) { return rotate(args, team, -1); }
