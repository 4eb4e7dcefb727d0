/* Authenticated encryption: AES-256-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), each with 32 bytes of key,
   12 of nonce and 16 of tag. What is the codec's own, not its callers'. */
#ifndef NRS_AEAD_H
#define NRS_AEAD_H

#include "nrs_crypto.h"

enum { NRS_NONCE = 12, NRS_AEAD_TAG = 16 };

/* Encrypted or decrypted where it stands, with `known` under its tag; opening reads the tag, sealing writes it. */
struct nrs_text {
    uint8_t nonce[NRS_NONCE];
    uint32_t known_length, length;
    const uint8_t *known;
    uint8_t *text, *tag;
};

/* One of the two as a provider does it, whose `state` it is given. */
struct nrs_aead {
    /* What is prepared of a key for one direction; NULL where there is no memory. */
    void *(*key)(void *state, const uint8_t secret[32], int opening);
    void (*forget)(void *key);
    /* At most 64 texts. What cannot be sealed is zeros under a tag that is wrong. */
    void (*seal)(void *state, void *key, const struct nrs_text *texts, uint32_t count);
    /* Bit n of the result: text n has the right tag. What another one holds afterwards is nobody's. */
    uint64_t (*open)(void *state, void *key, const struct nrs_text *texts, uint32_t count);
};

/* What does it fastest of the providers in use, and the provider's state; NULL where none does it. */
const struct nrs_aead *nrs_crypto_aead(const nrs_crypto *crypto, uint32_t cipher, void **state);

#endif
