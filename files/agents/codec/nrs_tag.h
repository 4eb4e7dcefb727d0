/* HMAC-SHA256 by a key whose inner and outer states are kept: what is the codec's own, not its callers'. */
#ifndef NRS_TAG_H
#define NRS_TAG_H

#define OPENSSL_SUPPRESS_DEPRECATED /* the one-shot interfaces cannot copy a prepared state */
#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

struct nrs_key {
    SHA256_CTX inner, outer;
};

static inline void nrs_key_init(struct nrs_key *key, const uint8_t secret[32]) {
    uint8_t block[64];
    memset(block, 0x36, sizeof block);
    for (int i = 0; i < 32; i++) block[i] ^= secret[i];
    SHA256_Init(&key->inner);
    SHA256_Update(&key->inner, block, sizeof block);
    memset(block, 0x5c, sizeof block);
    for (int i = 0; i < 32; i++) block[i] ^= secret[i];
    SHA256_Init(&key->outer);
    SHA256_Update(&key->outer, block, sizeof block);
    OPENSSL_cleanse(block, sizeof block);
}

/* The 32 bytes of a tag into `out`. */
static inline void nrs_tag(const struct nrs_key *key, const void *data, uint32_t length, uint8_t *out) {
    uint8_t digest[32];
    SHA256_CTX context = key->inner;
    SHA256_Update(&context, data, length);
    SHA256_Final(digest, &context);
    context = key->outer;
    SHA256_Update(&context, digest, sizeof digest);
    SHA256_Final(out, &context);
}

#endif
