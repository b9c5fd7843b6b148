/*
 * endpoint.h - the DynamoDB endpoint that a test was given (DynamoDB Local, as a rule), behind the seam.
 *
 * LATCH_TEST_ENDPOINT_FILE names a file whose first line is its URL: ctest's fixture starts one server for all tests.
 */
#ifndef TESTS_ENDPOINT_H
#define TESTS_ENDPOINT_H

#include "store/transport.h"

bool endpoint_given(char *url, size_t bytes); /* false: no such variable, file or line */

/* One thread's; transport.more opens another. By the system's clock, whatever the test's own says. NULL: said on stderr. */
typedef struct endpoint endpoint;
endpoint *endpoint_open(const char *url);
void endpoint_close(endpoint *e); /* NULL: nothing */
latch_transport endpoint_transport(endpoint *e);

#endif
