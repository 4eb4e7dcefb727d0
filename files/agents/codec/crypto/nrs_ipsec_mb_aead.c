#include "nrs_ipsec_mb_aead.h"

#ifdef NRS_IPSEC_MB

#define NO_COMPAT_IMB_API_053
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

enum { ALIGNED = 64 };

struct gcm_key {
    struct gcm_key_data data;
};

struct chacha_key {
    uint8_t secret[32];
};

static void *room(size_t size) { return aligned_alloc(ALIGNED, (size + ALIGNED - 1) / ALIGNED * ALIGNED); }

static void forget_gcm(void *key) {
    OPENSSL_cleanse(key, sizeof(struct gcm_key));
    free(key);
}

static void forget_chacha(void *key) {
    OPENSSL_cleanse(key, sizeof(struct chacha_key));
    free(key);
}

/* It is the path's own: each has other tables. */
static void *gcm_key(void *state, const uint8_t secret[32], int opening) {
    struct gcm_key *key = room(sizeof *key);
    (void)opening;
    if (key) IMB_AES256_GCM_PRE((IMB_MGR *)state, secret, &key->data);
    return key;
}

static void *chacha_key(void *state, const uint8_t secret[32], int opening) {
    struct chacha_key *key = room(sizeof *key);
    (void)state, (void)opening;
    if (key) memcpy(key->secret, secret, sizeof key->secret);
    return key;
}

static void gcm_seal(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    const struct gcm_key *own = key;
    struct gcm_context_data context;
    for (const struct nrs_text *t = texts; t < texts + count; t++)
        IMB_AES256_GCM_ENC((IMB_MGR *)state, &own->data, &context, t->text, t->text, t->length, t->nonce, t->known,
                           t->known_length, t->tag, NRS_AEAD_TAG);
    OPENSSL_cleanse(&context, sizeof context);
}

static uint64_t gcm_open(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    const struct gcm_key *own = key;
    struct gcm_context_data context;
    uint8_t tag[NRS_AEAD_TAG];
    uint64_t right = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct nrs_text *t = &texts[i];
        IMB_AES256_GCM_DEC((IMB_MGR *)state, &own->data, &context, t->text, t->text, t->length, t->nonce, t->known,
                           t->known_length, tag, NRS_AEAD_TAG);
        right |= (uint64_t)!CRYPTO_memcmp(tag, t->tag, NRS_AEAD_TAG) << i;
    }
    OPENSSL_cleanse(&context, sizeof context);
    return right;
}

static void chacha_one(IMB_MGR *manager, const struct chacha_key *key, const struct nrs_text *t, int opening, uint8_t *tag) {
    struct chacha20_poly1305_context_data context;
    IMB_CHACHA20_POLY1305_INIT(manager, key->secret, &context, t->nonce, t->known, t->known_length);
    if (t->length && opening)
        IMB_CHACHA20_POLY1305_DEC_UPDATE(manager, key->secret, &context, t->text, t->text, t->length);
    else if (t->length)
        IMB_CHACHA20_POLY1305_ENC_UPDATE(manager, key->secret, &context, t->text, t->text, t->length);
    IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager, &context, tag, NRS_AEAD_TAG);
    OPENSSL_cleanse(&context, sizeof context);
}

static void chacha_seal(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) chacha_one(state, key, &texts[i], 0, texts[i].tag);
}

static uint64_t chacha_open(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    uint8_t tag[NRS_AEAD_TAG];
    uint64_t right = 0;
    for (uint32_t i = 0; i < count; i++) {
        chacha_one(state, key, &texts[i], 1, tag);
        right |= (uint64_t)!CRYPTO_memcmp(tag, texts[i].tag, NRS_AEAD_TAG) << i;
    }
    return right;
}

const struct nrs_aead nrs_ipsec_mb_gcm = {gcm_key, forget_gcm, gcm_seal, gcm_open};
const struct nrs_aead nrs_ipsec_mb_chacha = {chacha_key, forget_chacha, chacha_seal, chacha_open};

#endif
