#include "nrs_known_answers.h"

#include <string.h>

enum { CASES = 6, FULL = 1420, SHORT = 700, TAG = 32 };

/* RFC 4231 section 4, cases 1 to 4: the others have keys of other lengths. The last two are as
   long as datagrams are, with one key and the bytes 0, 1, ... 250, 0, ... by Python's hmac. */
static const struct {
    uint8_t key[32];
    const char *text;
    uint32_t length;
    uint8_t tag[TAG];
} CASE[CASES] = {
    {{11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11}, "Hi There", 8,
     {0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
      0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7}},
    {"Jefe", "what do ya want for nothing?", 28,
     {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
      0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43}},
    {"\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa",
     "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
     "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd", 50,
     {0x77, 0x3e, 0xa9, 0x1e, 0x36, 0x80, 0x0e, 0x46, 0x85, 0x4d, 0xb8, 0xeb, 0xd0, 0x91, 0x81, 0xa7,
      0x29, 0x59, 0x09, 0x8b, 0x3e, 0xf8, 0xc1, 0x22, 0xd9, 0x63, 0x55, 0x14, 0xce, 0xd5, 0x65, 0xfe}},
    {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25},
     "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
     "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd", 50,
     {0x82, 0x55, 0x8a, 0x38, 0x9a, 0x44, 0x3c, 0x0e, 0xa4, 0xcc, 0x81, 0x98, 0x99, 0xf2, 0x08, 0x3a,
      0x85, 0xf0, 0xfa, 0xa3, 0xe5, 0x78, 0xf8, 0x07, 0x7a, 0x2e, 0x3f, 0xf4, 0x67, 0x29, 0x66, 0x5b}},
    {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
     NULL, FULL,
     {0x3c, 0xb7, 0x4f, 0x12, 0x89, 0x68, 0x2c, 0x91, 0x3d, 0xf7, 0x19, 0x95, 0x9d, 0xa2, 0xe2, 0x66,
      0x87, 0x9f, 0xd2, 0xc9, 0xde, 0x18, 0xd4, 0xf2, 0xb3, 0x85, 0x06, 0x73, 0x8e, 0x92, 0xdf, 0x51}},
    {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
     NULL, SHORT,
     {0x98, 0xd3, 0xd5, 0x12, 0xdb, 0xf5, 0xf7, 0xdf, 0xa5, 0x0e, 0xe5, 0x7d, 0xec, 0xa0, 0x3b, 0xc9,
      0x26, 0x55, 0x63, 0xbc, 0xf8, 0x6f, 0xd5, 0xb0, 0x03, 0xa3, 0xcd, 0xb3, 0x31, 0x26, 0xdc, 0xea}},
};

/* The case whose messages stand between those of each, under the same key: a burst of unequal ones. */
static const uint8_t BESIDE[CASES] = {0, 1, 2, 3, 5, 4};

static int answers(const struct nrs_provider *provider, uint32_t number, uint32_t count) {
    static const uint8_t untouched[TAG];
    uint8_t full[FULL], tags[NRS_MOST_MESSAGES][TAG] = {{0}};
    struct nrs_message messages[NRS_MOST_MESSAGES];
    struct nrs_key key;
    for (uint32_t i = 0; i < FULL; i++) full[i] = (uint8_t)(i % 251);
    nrs_key_init(&key, CASE[number].key);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t own = i % 2 ? BESIDE[number] : number;
        const char *text = CASE[own].text;
        messages[i] = (struct nrs_message){text ? (const uint8_t *)text : full, CASE[own].length, tags[i]};
    }
    provider->tags(provider->state, &key, messages, count);
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(tags[i], CASE[i % 2 ? BESIDE[number] : number].tag, TAG)) return 0;
    return count == NRS_MOST_MESSAGES || !memcmp(tags[count], untouched, TAG);
}

int nrs_knows_answers(const struct nrs_provider *provider) {
    for (uint32_t number = 0; number < CASES; number++)
        for (uint32_t count = 1; count <= NRS_MOST_MESSAGES; count += count < 4 ? 1 : count)
            if (!answers(provider, number, count)) return 0;
    return 1;
}
