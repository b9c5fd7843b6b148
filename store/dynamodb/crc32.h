/* store/dynamodb/crc32.h - the CRC-32 of zip and Ethernet (reflected polynomial 0xEDB88320), as x-amz-crc32 carries it. */
#ifndef LATCH_STORE_DYNAMODB_CRC32_H
#define LATCH_STORE_DYNAMODB_CRC32_H

#include "core/words.h"

uint32_t latch_crc32(latch_str bytes); /* 0 of no bytes */

#endif
