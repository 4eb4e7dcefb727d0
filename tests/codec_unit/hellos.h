/* HELLOs, and what proves them: by libcrypto's own HMAC, apart from the code that is tested. */
#ifndef HELLOS_H
#define HELLOS_H

#include "packets.h"

#include "nrs_carrier.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SHARED = 0, DEVICE = 1, WIRE_HELLO = 4, WIRE_HELLO_ACK = 5, WIRE_NO_SESSION = 10, WIRE_RETRY = 15 };
enum { CIPHER_AT = NRS_HEADER + 4, MODE_AT, CLAIM_AT = NRS_HEADER + 128, CLAIM_FIXED = 24, LEAST_HELLO = OVERHEAD + 192, LONGEST_HELLO = 4096 };

static inline void hmac(const uint8_t *key, uint32_t key_length, const uint8_t *data, size_t length, uint8_t out[32]) {
    unsigned size = 0;
    CHECK(HMAC(EVP_sha256(), key, (int)key_length, data, length, out, &size) && size == 32);
}

/* HKDF-SHA256 without salt to 32 bytes (RFC 5869). */
static inline void hkdf(const uint8_t *secret, uint32_t length, const uint8_t *info, uint32_t info_length, uint8_t out[32]) {
    static const uint8_t no_salt[32];
    uint8_t extract[32], block[1024];
    hmac(no_salt, 32, secret, length, extract);
    memcpy(block, info, info_length);
    block[info_length] = 1;
    hmac(extract, 32, block, info_length + 1, out);
}

/* The bytes of the claim that a HELLO says it has; up to 5117. */
static inline uint32_t claim_bytes(const uint8_t *hello) { return CLAIM_FIXED + hello[CLAIM_AT] + 18u * hello[CLAIM_AT + 1]; }

/* The tag that who holds the secret gives to a HELLO whose claim is whole. */
static inline void hello_tag(const uint8_t *hello, uint32_t size, const uint8_t *secret, uint32_t length, uint8_t out[32]) {
    uint8_t info[1000] = "nrs v2 device", key[32];
    if (hello[MODE_AT] == DEVICE) {
        uint32_t claim = claim_bytes(hello);
        CHECK(claim < 900);
        memcpy(info + 13, hello + CLAIM_AT, claim);
        info[13 + claim] = hello[2];
        hkdf(secret, length, info, 14 + claim, key);
        hkdf(key, 32, (const uint8_t *)"nrs v2 hello", 12, key);
    } else {
        hkdf(secret, length, (const uint8_t *)"nrs v2 hello", 12, key);
    }
    hmac(key, 32, hello, size - NRS_TAG, out);
}

struct hello {
    uint32_t key_id, mode, id, prefixes, padding;
};

/* A HELLO without its tag into `p`; its length with the tag. */
static inline uint32_t make_hello(uint8_t *p, const struct hello *h) {
    uint32_t body = CLAIM_AT - NRS_HEADER + CLAIM_FIXED + 18 * h->prefixes + h->id;
    if (body < 192) body = 192;
    body += h->padding;
    CHECK(OVERHEAD + body <= LONGEST_HELLO);
    memset(p, 0, NRS_HEADER + body);
    p[0] = NRS_VERSION | WIRE_HELLO;
    p[2] = (uint8_t)h->key_id;
    p[MODE_AT] = (uint8_t)h->mode;
    p[CLAIM_AT] = (uint8_t)h->id;
    p[CLAIM_AT + 1] = (uint8_t)h->prefixes;
    for (uint32_t i = CLAIM_AT + 2; i < CLAIM_AT + CLAIM_FIXED + 18 * h->prefixes + h->id; i++) p[i] = (uint8_t)(i * 5);
    return OVERHEAD + body;
}

static inline void store32(uint8_t *p, uint32_t v) { store16(p, v >> 16), store16(p + 2, v); }
static inline uint32_t load32(const uint8_t *p) { return load16(p) << 16 | load16(p + 2); }

#endif
