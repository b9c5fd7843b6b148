/*
 * endpoint.h - the DynamoDB endpoint that a test was given (DynamoDB Local, as a rule), through the transport that ships.
 *
 * LATCH_TEST_ENDPOINT_FILE names a file whose first line is its URL: ctest's fixture starts one server for all tests (tests/CMakeLists.txt).
 */
#ifndef TESTS_ENDPOINT_H
#define TESTS_ENDPOINT_H

#include "store/transport.h"

bool endpoint_given(char *url, size_t bytes); /* false: no such variable, file or line */

/*
 * Any number of threads may use it: each call has a connection of its own while it lasts. Deadlines are not the caller's but real ones, some
 * seconds away: a test's clock is another. `region` is a database of its own, where the server keeps them apart. NULL: said on stderr.
 */
typedef struct endpoint endpoint;
endpoint *endpoint_open(const char *url, const char *region);
void endpoint_close(endpoint *e); /* NULL: nothing */
latch_transport endpoint_transport(endpoint *e);

#endif
