/* The policy of another store, where a whole handler's is wanted.
 * gcc: not compatible with any association
 * clang: not compatible with any generic association */
#include "tests/traps/trap.h"

static const latch_around around[] = {{LATCH_ONCE_EVENT(&once)}};
static const latch_handler handlers[] = {{.name = "api", .http = handler, LATCH_AROUND(around)}};

int main(void) { return LATCH_RUN(handlers); }
