/* HMAC-SHA256 (RFC 2104, FIPS 180-4) with 32 bytes of key, one message or many at once: what is the codec's own, not
   its callers'. */
#ifndef NRS_HMAC_H
#define NRS_HMAC_H

#include "nrs_aead.h"

enum { NRS_MOST_MESSAGES = 64 /* of one call */ };

/* The key schedule, equal for all providers: SHA-256's state after the block of the inner pad and that of the outer. */
struct nrs_key {
    _Alignas(16) uint32_t inner[8];
    uint32_t outer[8];
};

/* `tag` has room for 32 bytes, or holds those that came with the message. */
struct nrs_message {
    const uint8_t *data;
    uint32_t length;
    uint8_t *tag;
};

/* Puts the tags of messages where they say. */
typedef void nrs_tagger(void *state, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count);

/* A way to do it, and to encrypt where it can, which needs `state`. */
struct nrs_provider {
    const char *name;
    nrs_tagger *tags;
    void *state;
    void (*free)(void *state);
    const struct nrs_aead *aead[NRS_CIPHERS];
};

/* Each writes what there is of its own to `found` and says how many. */
uint32_t nrs_libcrypto(struct nrs_provider *found);
uint32_t nrs_ipsec_mb(struct nrs_provider *found);

/* As nrs_crypto_new, of these `count` providers, at most NRS_MOST_PROVIDERS, which are freed with it or at once. */
nrs_crypto *nrs_crypto_of(const struct nrs_provider *providers, uint32_t count);

void nrs_key_init(struct nrs_key *key, const uint8_t secret[32]);
/* The 32 bytes of a tag into `out`. */
void nrs_tag(const nrs_crypto *crypto, const struct nrs_key *key, const void *data, uint32_t length, uint8_t *out);
/* The same of at least one and at most NRS_MOST_MESSAGES. */
void nrs_tags(const nrs_crypto *crypto, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count);
/* Bit n of the result: message n has the right tag. It takes as long for a wrong one. */
uint64_t nrs_right(const nrs_crypto *crypto, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count);

#endif
