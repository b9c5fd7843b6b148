#include "store/dynamodb/crc32.h"

/*
 * Eight bytes a step, with a table for each place. An entry is linear in its byte: the xor of what the byte's bits give, of which there
 * are eight for each table. So the compiler makes the tables, and nothing is computed or locked at the start of a process.
 */
#define ENTRY(n, b0, b1, b2, b3, b4, b5, b6, b7)                                                                                           \
    (((n)&1U ? (b0) : 0U) ^ ((n)&2U ? (b1) : 0U) ^ ((n)&4U ? (b2) : 0U) ^ ((n)&8U ? (b3) : 0U) ^ ((n)&16U ? (b4) : 0U) ^                   \
     ((n)&32U ? (b5) : 0U) ^ ((n)&64U ? (b6) : 0U) ^ ((n)&128U ? (b7) : 0U))
#define FOUR(n, ...) ENTRY(n, __VA_ARGS__), ENTRY((n) + 1U, __VA_ARGS__), ENTRY((n) + 2U, __VA_ARGS__), ENTRY((n) + 3U, __VA_ARGS__)
#define SIXTEEN(n, ...) FOUR(n, __VA_ARGS__), FOUR((n) + 4U, __VA_ARGS__), FOUR((n) + 8U, __VA_ARGS__), FOUR((n) + 12U, __VA_ARGS__)
#define SIXTY_FOUR(n, ...)                                                                                                                 \
    SIXTEEN(n, __VA_ARGS__), SIXTEEN((n) + 16U, __VA_ARGS__), SIXTEEN((n) + 32U, __VA_ARGS__), SIXTEEN((n) + 48U, __VA_ARGS__)
#define TABLE(...)                                                                                                                         \
    { SIXTY_FOUR(0U, __VA_ARGS__), SIXTY_FOUR(64U, __VA_ARGS__), SIXTY_FOUR(128U, __VA_ARGS__), SIXTY_FOUR(192U, __VA_ARGS__) }

/* tables[k]: a byte that k bytes follow */
static const uint32_t tables[8][256] = {
    TABLE(0x77073096U, 0xEE0E612CU, 0x076DC419U, 0x0EDB8832U, 0x1DB71064U, 0x3B6E20C8U, 0x76DC4190U, 0xEDB88320U),
    TABLE(0x191B3141U, 0x32366282U, 0x646CC504U, 0xC8D98A08U, 0x4AC21251U, 0x958424A2U, 0xF0794F05U, 0x3B83984BU),
    TABLE(0x01C26A37U, 0x0384D46EU, 0x0709A8DCU, 0x0E1351B8U, 0x1C26A370U, 0x384D46E0U, 0x709A8DC0U, 0xE1351B80U),
    TABLE(0xB8BC6765U, 0xAA09C88BU, 0x8F629757U, 0xC5B428EFU, 0x5019579FU, 0xA032AF3EU, 0x9B14583DU, 0xED59B63BU),
    TABLE(0x3D6029B0U, 0x7AC05360U, 0xF580A6C0U, 0x30704BC1U, 0x60E09782U, 0xC1C12F04U, 0x58F35849U, 0xB1E6B092U),
    TABLE(0xCB5CD3A5U, 0x4DC8A10BU, 0x9B914216U, 0xEC53826DU, 0x03D6029BU, 0x07AC0536U, 0x0F580A6CU, 0x1EB014D8U),
    TABLE(0xA6770BB4U, 0x979F1129U, 0xF44F2413U, 0x33EF4E67U, 0x67DE9CCEU, 0xCFBD399CU, 0x440B7579U, 0x8816EAF2U),
    TABLE(0xCCAA009EU, 0x4225077DU, 0x844A0EFAU, 0xD3E51BB5U, 0x7CBB312BU, 0xF9766256U, 0x299DC2EDU, 0x533B85DAU),
};

static uint32_t little_endian(const unsigned char *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint32_t latch_crc32(latch_str bytes) {
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;
    uint32_t crc = 0xFFFFFFFFU;
    for (; left >= 8; at += 8, left -= 8) {
        uint32_t low = crc ^ little_endian(at), high = little_endian(at + 4);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^ tables[3][high & 255] ^
              tables[2][high >> 8 & 255] ^ tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; left > 0; at++, left--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 255];
    return crc ^ 0xFFFFFFFFU;
}
