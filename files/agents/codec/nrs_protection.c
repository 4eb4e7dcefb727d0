#include "nrs_protection.h"

#include <string.h>

#include <openssl/crypto.h>

enum { LANE = 3, SEQUENCE = 8 /* in a header */ };

int nrs_protection_init(struct nrs_protection *p, const nrs_crypto *crypto, uint32_t cipher, const uint8_t secret[32],
                        int opening) {
    memset(p, 0, sizeof *p);
    p->crypto = crypto;
    p->tag = NRS_TAG;
    if (cipher == NRS_CLEAR) {
        nrs_key_init(&p->key, secret);
        return 1;
    }
    p->tag = NRS_AEAD_TAG;
    p->aead = nrs_crypto_aead(crypto, cipher, &p->state);
    if (p->aead) p->aead_key = p->aead->key(p->state, secret, opening);
    return p->aead_key != NULL;
}

void nrs_protection_end(struct nrs_protection *p) {
    if (p->aead_key) p->aead->forget(p->aead_key);
    OPENSSL_cleanse(p, sizeof *p);
}

/* The nonce is the lane as four bytes, and the sequence number. */
static void texts_of(const struct nrs_datagram *datagrams, uint32_t count, struct nrs_text *texts) {
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *d = datagrams[i].data;
        struct nrs_text *t = &texts[i];
        memset(t->nonce, 0, 3);
        t->nonce[3] = d[LANE];
        memcpy(t->nonce + 4, d + SEQUENCE, 8);
        t->known = d;
        t->known_length = NRS_HEADER;
        t->text = d + NRS_HEADER;
        t->length = datagrams[i].length - NRS_HEADER;
        t->tag = d + datagrams[i].length;
    }
}

static void messages_of(const struct nrs_datagram *datagrams, uint32_t count, struct nrs_message *messages) {
    for (uint32_t i = 0; i < count; i++) {
        const struct nrs_datagram *d = &datagrams[i];
        messages[i] = (struct nrs_message){d->data, d->length, d->data + d->length};
    }
}

void nrs_protect(const struct nrs_protection *p, const struct nrs_datagram *datagrams, uint32_t count) {
    if (p->aead) {
        struct nrs_text texts[NRS_MOST_MESSAGES];
        texts_of(datagrams, count, texts);
        p->aead->seal(p->state, p->aead_key, texts, count);
    } else {
        struct nrs_message messages[NRS_MOST_MESSAGES];
        messages_of(datagrams, count, messages);
        nrs_tags(p->crypto, &p->key, messages, count);
    }
}

uint64_t nrs_unprotect(const struct nrs_protection *p, const struct nrs_datagram *datagrams, uint32_t count) {
    if (p->aead) {
        struct nrs_text texts[NRS_MOST_MESSAGES];
        texts_of(datagrams, count, texts);
        return p->aead->open(p->state, p->aead_key, texts, count);
    }
    struct nrs_message messages[NRS_MOST_MESSAGES];
    messages_of(datagrams, count, messages);
    return nrs_right(p->crypto, &p->key, messages, count);
}
