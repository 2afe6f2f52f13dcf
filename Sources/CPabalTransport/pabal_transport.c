// The header is the contract; this file has it compiled as C11.
#include "pabal_transport.h"

_Static_assert(sizeof(pabal_verdict) == 24, "ABI 1 is fixed");
_Static_assert(offsetof(pabal_transport, check) > offsetof(pabal_transport, close),
               "tables only grow at their end");
