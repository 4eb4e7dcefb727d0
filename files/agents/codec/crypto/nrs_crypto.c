#define _GNU_SOURCE 1 /* clock_gettime */
#include "nrs_known_answers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

enum { TAG = 32, FULL = 1420, SMALL = 100, ROUNDS = 6, AT_ONCE = 16 /* messages of a measurement: the largest kind's */ };

_Static_assert(1 << (NRS_KINDS - 1) == AT_ONCE, "every kind's messages are a whole number of calls");

struct nrs_crypto {
    struct nrs_provider providers[NRS_MOST_PROVIDERS];
    uint32_t count, failures;
    const struct nrs_provider *chosen[NRS_KINDS], *chosen_aead[NRS_CIPHERS];
    const char *failed[NRS_MOST_PROVIDERS];
};

static uint32_t kind_of(uint32_t count) {
    uint32_t kind = 0;
    while (kind < NRS_KINDS - 1 && count >> (kind + 1)) kind++;
    return kind;
}

/* -- which one */

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What AT_ONCE messages cost in calls of this kind. */
static uint64_t cost(const struct nrs_provider *p, uint32_t kind, const struct nrs_key *key, const uint8_t *text) {
    uint8_t tags[AT_ONCE][TAG];
    struct nrs_message messages[AT_ONCE];
    for (uint32_t i = 0; i < AT_ONCE; i++) messages[i] = (struct nrs_message){text, kind ? FULL : SMALL, tags[i]};
    uint64_t began = now_ns();
    for (uint32_t first = 0; first < AT_ONCE; first += 1u << kind) p->tags(p->state, key, messages + first, 1u << kind);
    return now_ns() - began;
}

/* What it costs to seal AT_ONCE long texts and as many short ones; the most there is where that cannot be. */
static uint64_t aead_cost(const struct nrs_provider *p, uint32_t cipher) {
    static const uint8_t secret[32], known[20];
    const struct nrs_aead *aead = p->aead[cipher];
    uint8_t text[FULL] = {0}, tag[NRS_AEAD_TAG];
    struct nrs_text texts[2 * AT_ONCE];
    void *key = aead ? aead->key(p->state, secret, 0) : NULL;
    if (!key) return UINT64_MAX;
    for (uint32_t i = 0; i < 2 * AT_ONCE; i++)
        texts[i] = (struct nrs_text){{0}, sizeof known, i % 2 ? SMALL : FULL, known, text, tag};
    uint64_t began = now_ns();
    aead->seal(p->state, key, texts, 2 * AT_ONCE);
    uint64_t spent = now_ns() - began;
    aead->forget(key);
    return spent;
}

static void choose_aeads(nrs_crypto *c) {
    for (uint32_t cipher = NRS_CLEAR + 1; cipher < NRS_CIPHERS; cipher++) {
        uint64_t least[NRS_MOST_PROVIDERS];
        uint32_t best = 0;
        memset(least, 0xff, sizeof least);
        for (uint32_t round = 0; round < ROUNDS; round++)
            for (uint32_t i = 0; i < c->count; i++) {
                uint64_t spent = aead_cost(&c->providers[i], cipher);
                if (spent < least[i]) least[i] = spent;
            }
        for (uint32_t i = 1; i < c->count; i++)
            if (least[i] < UINT64_MAX && least[i] + least[i] / 16 < least[best]) best = i;
        c->chosen_aead[cipher] = least[best] < UINT64_MAX ? &c->providers[best] : NULL;
    }
}

/* The least of several rounds, in which all take turns: something else may have had the processor. */
static void choose(nrs_crypto *c) {
    static const uint8_t text[FULL], secret[32];
    uint64_t least[NRS_KINDS][NRS_MOST_PROVIDERS];
    struct nrs_key key;
    nrs_key_init(&key, secret);
    memset(least, 0xff, sizeof least);
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t kind = 0; kind < NRS_KINDS; kind++)
            for (uint32_t i = 0; i < c->count; i++) {
                uint64_t spent = cost(&c->providers[i], kind, &key, text);
                if (spent < least[kind][i]) least[kind][i] = spent;
            }
    for (uint32_t kind = 0; kind < NRS_KINDS; kind++) {
        uint32_t best = 0;
        /* Of two that are as good as each other the same one every time. */
        for (uint32_t i = 1; i < c->count; i++)
            if (least[kind][i] + least[kind][i] / 16 < least[kind][best]) best = i;
        c->chosen[kind] = &c->providers[best];
    }
}

nrs_crypto *nrs_crypto_of(const struct nrs_provider *providers, uint32_t count) {
    nrs_crypto *c = calloc(1, sizeof *c);
    for (uint32_t i = 0; i < count; i++) {
        if (c && nrs_knows_answers(&providers[i]) && nrs_knows_aeads(&providers[i])) {
            c->providers[c->count++] = providers[i];
            continue;
        }
        if (c) c->failed[c->failures++] = providers[i].name;
        if (providers[i].free) providers[i].free(providers[i].state);
    }
    if (c && c->count) choose(c), choose_aeads(c);
    return c;
}

nrs_crypto *nrs_crypto_new(const char *wanted) {
    struct nrs_provider found[NRS_MOST_PROVIDERS];
    uint32_t count = nrs_libcrypto(found), kept = 0;
    count += nrs_ipsec_mb(found + count);
    for (uint32_t i = 0; i < count; i++) {
        if (!wanted || !strncmp(found[i].name, wanted, strlen(wanted)))
            found[kept++] = found[i];
        else if (found[i].free)
            found[i].free(found[i].state);
    }
    return nrs_crypto_of(found, kept);
}

void nrs_crypto_free(nrs_crypto *c) {
    if (!c) return;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->providers[i].free) c->providers[i].free(c->providers[i].state);
    free(c);
}

const char *nrs_crypto_chosen(const nrs_crypto *c, uint32_t kind) { return c->count ? c->chosen[kind]->name : NULL; }

const char *nrs_crypto_chosen_aead(const nrs_crypto *c, uint32_t cipher) {
    return cipher < NRS_CIPHERS && c->chosen_aead[cipher] ? c->chosen_aead[cipher]->name : NULL;
}

const struct nrs_aead *nrs_crypto_aead(const nrs_crypto *c, uint32_t cipher, void **state) {
    const struct nrs_provider *p = cipher < NRS_CIPHERS ? c->chosen_aead[cipher] : NULL;
    if (!p) return NULL;
    *state = p->state;
    return p->aead[cipher];
}

const char *nrs_crypto_failed(const nrs_crypto *c, uint32_t number) {
    return number < c->failures ? c->failed[number] : NULL;
}

/* -- tags */

void nrs_tags(const nrs_crypto *c, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count) {
    const struct nrs_provider *p = c->chosen[kind_of(count)];
    p->tags(p->state, key, messages, count);
}

void nrs_tag(const nrs_crypto *c, const struct nrs_key *key, const void *data, uint32_t length, uint8_t *out) {
    struct nrs_message message = {data, length, out};
    nrs_tags(c, key, &message, 1);
}

uint64_t nrs_right(const nrs_crypto *c, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count) {
    uint8_t own[NRS_MOST_MESSAGES][TAG];
    struct nrs_message again[NRS_MOST_MESSAGES];
    uint64_t right = 0;
    if (!count) return 0;
    for (uint32_t i = 0; i < count; i++) again[i] = (struct nrs_message){messages[i].data, messages[i].length, own[i]};
    nrs_tags(c, key, again, count);
    for (uint32_t i = 0; i < count; i++) right |= (uint64_t)!CRYPTO_memcmp(own[i], messages[i].tag, TAG) << i;
    return right;
}
