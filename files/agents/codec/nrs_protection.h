/* What protects one direction of a session: a tag over clear text, or an AEAD, by the session's cipher. */
#ifndef NRS_PROTECTION_H
#define NRS_PROTECTION_H

#include "nrs_codec.h"

#include "crypto/nrs_aead.h"
#include "crypto/nrs_hmac.h"

struct nrs_protection {
    const nrs_crypto *crypto;
    struct nrs_key key;          /* of a tag over clear text */
    const struct nrs_aead *aead; /* NULL: it is that */
    void *state, *aead_key;
    uint32_t tag; /* bytes of a tag, which stands at a datagram's end */
};

/* A datagram: `length` bytes without its tag, which follows. */
struct nrs_datagram {
    uint8_t *data;
    uint32_t length;
};

/* 0 where there is no memory, or no such cipher. */
int nrs_protection_init(struct nrs_protection *protection, const nrs_crypto *crypto, uint32_t cipher,
                        const uint8_t secret[32], int opening);
void nrs_protection_end(struct nrs_protection *protection);
/* Tag datagrams, and encrypt what stands behind their headers; at most NRS_MOST_MESSAGES. */
void nrs_protect(const struct nrs_protection *protection, const struct nrs_datagram *datagrams, uint32_t count);
/* Bit n of the result: datagram n has the right tag, and is clear. Where an AEAD has opened or refused one it is not to
   be given again: it is changed. */
uint64_t nrs_unprotect(const struct nrs_protection *protection, const struct nrs_datagram *datagrams, uint32_t count);

#endif
