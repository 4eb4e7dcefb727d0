#define OPENSSL_SUPPRESS_DEPRECATED /* the one-shot interfaces cannot start from a prepared state */
#include "nrs_hmac.h"
#include "nrs_libcrypto_aead.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

enum { BLOCK_BITS = 512 };

static void state_after(uint32_t state[8], const uint8_t secret[32], uint8_t pad) {
    uint8_t block[64];
    SHA256_CTX context;
    memset(block, pad, sizeof block);
    for (int i = 0; i < 32; i++) block[i] ^= secret[i];
    SHA256_Init(&context);
    SHA256_Update(&context, block, sizeof block);
    memcpy(state, context.h, sizeof context.h);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(&context, sizeof context);
}

void nrs_key_init(struct nrs_key *key, const uint8_t secret[32]) {
    state_after(key->inner, secret, 0x36);
    state_after(key->outer, secret, 0x5c);
}

static void finish(const uint32_t state[8], const void *data, uint32_t length, uint8_t *out) {
    SHA256_CTX context = {.Nl = BLOCK_BITS, .md_len = SHA256_DIGEST_LENGTH};
    memcpy(context.h, state, sizeof context.h);
    SHA256_Update(&context, data, length);
    SHA256_Final(out, &context);
}

static void tags(void *none, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count) {
    (void)none;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t digest[SHA256_DIGEST_LENGTH];
        finish(key->inner, messages[i].data, messages[i].length, digest);
        finish(key->outer, digest, sizeof digest, messages[i].tag);
    }
}

uint32_t nrs_libcrypto(struct nrs_provider *found) {
    *found = (struct nrs_provider){
        .name = "libcrypto",
        .tags = tags,
        .aead = {[NRS_AES_256_GCM] = &nrs_libcrypto_gcm, [NRS_CHACHA20_POLY1305] = &nrs_libcrypto_chacha},
    };
    return 1;
}
