#include "nrs_sieve.h"
#include "crypto/nrs_hmac.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

enum { FIRST_TYPE = NRS_VERSION, HELLO = NRS_VERSION + 4, HELLO_ACK };
enum { NO_SESSION = NRS_VERSION + 10, RETRY = NRS_VERSION + 15 };
enum { LEAST_HELLO = NRS_HEADER + 192 + NRS_TAG, CIPHER = NRS_HEADER + 4, MODE, CLAIM = NRS_HEADER + 128 };
enum { SHARED, DEVICE, ANSWER = NRS_HEADER + NRS_TAG /* bytes */ };
enum { MOST_ID = 64, MOST_PREFIXES = 16, FIXED = 24, LONGEST_CLAIM = FIXED + 18 * MOST_PREFIXES + MOST_ID };

static const char DEVICE_LABEL[] = "nrs v2 device", HELLO_INFO[] = "nrs v2 hello\1"; /* \1: HKDF's only block */
enum { LABEL = sizeof DEVICE_LABEL - 1 };

_Static_assert(sizeof((nrs_sifted *)0)->worth == NRS_MOST_WORTH * sizeof(uint32_t), "what NRS_MOST_WORTH says");

/* Of one key id: the key of HELLO tags in shared mode, and HKDF's extract, which device keys are made from. */
struct held {
    struct nrs_key shared, extract;
    int is_held;
};

struct nrs_sieve {
    const nrs_crypto *crypto;
    struct nrs_key no_salt;
    struct held held[256];
    uint32_t *known;
    uint32_t known_count, room, answers, wrong;
};

/* The key of HELLO tags that a static key makes (RFC 5869: extract without salt, expand to one block). */
static void hello_key(const nrs_sieve *s, const uint8_t *secret, uint32_t length, struct nrs_key *key) {
    uint8_t material[32];
    nrs_tag(s->crypto, &s->no_salt, secret, length, material);
    nrs_key_init(key, material);
    nrs_tag(s->crypto, key, HELLO_INFO, sizeof HELLO_INFO - 1, material);
    nrs_key_init(key, material);
    OPENSSL_cleanse(material, sizeof material);
}

nrs_sieve *nrs_sieve_new(const nrs_crypto *crypto) {
    static const uint8_t zeros[32];
    nrs_sieve *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->crypto = crypto;
    nrs_key_init(&s->no_salt, zeros);
    return s;
}

void nrs_sieve_free(nrs_sieve *s) {
    if (!s) return;
    free(s->known);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

void nrs_sieve_forget(nrs_sieve *s) { OPENSSL_cleanse(s->held, sizeof s->held); }

void nrs_sieve_hold(nrs_sieve *s, uint8_t key_id, const uint8_t *secret, uint32_t length) {
    struct held *held = &s->held[key_id];
    uint8_t extract[32];
    hello_key(s, secret, length, &held->shared);
    nrs_tag(s->crypto, &s->no_salt, secret, length, extract);
    nrs_key_init(&held->extract, extract);
    OPENSSL_cleanse(extract, sizeof extract);
    held->is_held = 1;
}

/* How many of the known sessions come before this one. */
static uint32_t place(const nrs_sieve *s, uint32_t index) {
    uint32_t low = 0, high = s->known_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->known[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int is_handshake(uint8_t first) {
    return first == HELLO || first == HELLO_ACK || first == NO_SESSION || first == RETRY;
}

int nrs_sieve_knows(const nrs_sieve *s, const uint8_t *d) {
    uint32_t index = (uint32_t)d[4] << 24 | (uint32_t)d[5] << 16 | (uint32_t)d[6] << 8 | d[7];
    uint32_t at = place(s, index);
    return !is_handshake(d[0]) && at < s->known_count && s->known[at] == index;
}

int nrs_sieve_know(nrs_sieve *s, uint32_t index) {
    uint32_t at = place(s, index);
    if (at < s->known_count && s->known[at] == index) return 1;
    if (s->known_count == s->room) {
        uint32_t room = s->room ? 2 * s->room : 64;
        uint32_t *known = realloc(s->known, room * sizeof *known);
        if (!known) return 0;
        s->known = known;
        s->room = room;
    }
    memmove(s->known + at + 1, s->known + at, (s->known_count - at) * sizeof *s->known);
    s->known[at] = index;
    s->known_count++;
    return 1;
}

void nrs_sieve_part(nrs_sieve *s, uint32_t index) {
    uint32_t at = place(s, index);
    if (at == s->known_count || s->known[at] != index) return;
    s->known_count--;
    memmove(s->known + at, s->known + at + 1, (s->known_count - at) * sizeof *s->known);
}

void nrs_sieve_allow(nrs_sieve *s, uint32_t answers, uint32_t wrong) {
    s->answers = answers;
    s->wrong = wrong;
}

int nrs_sieve_lets(nrs_sieve *s, uint32_t datagrams, nrs_sifted *r) {
    if (s->wrong) return 1;
    r->datagrams += datagrams;
    r->rate += datagrams;
    return 0;
}

void nrs_sieve_charge(nrs_sieve *s, uint32_t wrong) { s->wrong -= wrong < s->wrong ? wrong : s->wrong; }

/* The bytes of the claim in a HELLO; 0 where this cannot be one. */
static uint32_t claim_length(const uint8_t *d, uint32_t size) {
    if (size < LEAST_HELLO || d[CIPHER] >= NRS_CIPHERS || d[MODE] > DEVICE) return 0;
    uint32_t id = d[CLAIM], prefixes = d[CLAIM + 1], length = FIXED + 18 * prefixes + id;
    if (!id || id > MOST_ID || prefixes > MOST_PREFIXES) return 0;
    return CLAIM + length + NRS_TAG <= size ? length : 0;
}

static int proves(const nrs_sieve *s, const uint8_t *d, uint32_t size, uint32_t claim) {
    const struct held *held = &s->held[d[2]];
    uint8_t own[NRS_TAG], info[LABEL + LONGEST_CLAIM + 2];
    if (!held->is_held) return 0;
    if (d[MODE] == SHARED) {
        nrs_tag(s->crypto, &held->shared, d, size - NRS_TAG, own);
    } else {
        struct nrs_key key;
        memcpy(info, DEVICE_LABEL, LABEL);
        memcpy(info + LABEL, d + CLAIM, claim);
        info[LABEL + claim] = d[2];
        info[LABEL + claim + 1] = 1;
        nrs_tag(s->crypto, &held->extract, info, LABEL + claim + 2, own);
        hello_key(s, own, sizeof own, &key);
        nrs_tag(s->crypto, &key, d, size - NRS_TAG, own);
        OPENSSL_cleanse(&key, sizeof key);
    }
    return !CRYPTO_memcmp(own, d + size - NRS_TAG, NRS_TAG);
}

void nrs_sift(nrs_sieve *s, const uint8_t *train, uint32_t length, uint32_t each, nrs_sifted *r) {
    uint32_t at = 0, claim;
    int answered = !s->answers;
    r->count = 0;
    do {
        const uint8_t *d = train + at;
        uint32_t size = length - at < each ? length - at : each;
        r->datagrams++;
        int first = d[0];
        if (size < NRS_LEAST_BYTES || first < FIRST_TYPE || first > RETRY || (is_handshake(d[0]) && first != HELLO)) {
            r->malformed++;
        } else if (first == HELLO) {
            claim = claim_length(d, size);
            if (!claim)
                r->malformed++;
            else if (!proves(s, d, size, claim))
                r->tag++;
            else
                r->worth[r->count++] = at;
        } else if (nrs_sieve_knows(s, d)) {
            r->worth[r->count++] = at;
        } else if (!answered && size >= ANSWER) {
            answered = 1;
            s->answers--;
            r->worth[r->count++] = at;
        } else {
            r->no_session++;
        }
        at += each;
    } while (at < length);
}
