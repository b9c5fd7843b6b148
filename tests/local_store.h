/*
 * local_store.h - DynamoDB Local underneath the stores' tests: the rig's other hook.
 *
 * A world has a database of its own: a region that no other process uses at that moment (there are a few, by a locked file each), emptied
 * before and after. So tests name their tables as they like. It takes a server that keeps regions apart, as the fixture's does: one that was
 * started with -sharedDb is recognised, and refused before anything is deleted.
 */
#ifndef TESTS_LOCAL_STORE_H
#define TESTS_LOCAL_STORE_H

#include "tests/rig.h"

const rig_hook *local_store(void); /* NULL: the test was given no endpoint */

#endif
