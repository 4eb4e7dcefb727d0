/* libFuzzer: what strangers send, and some who hold a key, against nrs_sift.

   The input is a little program: keys, sessions, answers and datagrams. What the sieve says of each
   train is held against the same rules once more, with libcrypto's own HMAC. */
#include "hellos.h"

enum { MOST_TRAIN = 65535, MOST_KNOWN = 8, DROPPED_MALFORMED, DROPPED_TAG, DROPPED_SESSION, PASSED };

/* The router as the harness knows it; a key is `length` bytes of SECRETS from `key id` on. */
struct router {
    nrs_sieve *sieve;
    uint32_t key_length[256];
    uint32_t known[MOST_KNOWN], known_count, answers;
    uint8_t *train;
    uint32_t length, each;
    nrs_sifted sifted;
};

static uint8_t SECRETS[512];

static int judged(struct router *router, const uint8_t *d, uint32_t size, int *answered) {
    if (size < NRS_LEAST_BYTES || d[0] >> 4 != NRS_VERSION >> 4 || (d[0] & 15) == WIRE_HELLO_ACK ||
        (d[0] & 15) == WIRE_NO_SESSION || (d[0] & 15) == WIRE_RETRY)
        return DROPPED_MALFORMED;
    if ((d[0] & 15) == WIRE_HELLO) {
        uint8_t tag[32];
        if (size < LEAST_HELLO || d[CIPHER_AT] >= NRS_CIPHERS || d[MODE_AT] > DEVICE || !d[CLAIM_AT] || d[CLAIM_AT] > 64 ||
            d[CLAIM_AT + 1] > 16 || CLAIM_AT + claim_bytes(d) + NRS_TAG > size)
            return DROPPED_MALFORMED;
        if (!router->key_length[d[2]]) return DROPPED_TAG;
        hello_tag(d, size, SECRETS + d[2], router->key_length[d[2]], tag);
        return memcmp(tag, d + size - NRS_TAG, NRS_TAG) ? DROPPED_TAG : PASSED;
    }
    for (uint32_t i = 0; i < router->known_count; i++)
        if (router->known[i] == load32(d + 4)) return PASSED;
    if (*answered || !router->answers || size < OVERHEAD) return DROPPED_SESSION;
    *answered = 1;
    router->answers--;
    return PASSED;
}

static void sift_train(struct router *router) {
    uint8_t *train = exactly(router->length);
    memcpy(train, router->train, router->length);
    nrs_sifted before = router->sifted, *r = &router->sifted;
    nrs_sift(router->sieve, train, router->length, router->each, r);
    CHECK(!memcmp(train, router->train, router->length));
    uint32_t seen[PASSED + 1] = {0}, at = 0, datagrams = 0;
    int answered = 0;
    do {
        uint32_t size = router->length - at < router->each ? router->length - at : router->each;
        int how = judged(router, train + at, size, &answered);
        if (how == PASSED) CHECK(seen[PASSED] < r->count && r->worth[seen[PASSED]] == at);
        seen[how]++, datagrams++;
        at += router->each;
    } while (at < router->length);
    CHECK(r->count == seen[PASSED] && r->datagrams == before.datagrams + datagrams);
    CHECK(r->malformed == before.malformed + seen[DROPPED_MALFORMED]);
    CHECK(r->tag == before.tag + seen[DROPPED_TAG]);
    CHECK(r->no_session == before.no_session + seen[DROPPED_SESSION]);
    free(train);
    router->length = 0;
}

/* As the kernel puts a train together: equal lengths, the last may be shorter. */
static void add(struct router *router, const uint8_t *datagram, uint32_t length) {
    if (router->length && (length > router->each || router->length % router->each || router->length + length > MOST_TRAIN))
        sift_train(router);
    if (!router->length) router->each = length;
    memcpy(router->train + router->length, datagram, length);
    router->length += length;
}

/* Of who holds the key or does not, right or with some bytes changed, before the tag was made or after. */
static void take_hello(struct router *router, struct input *in) {
    uint8_t d[LONGEST_HELLO];
    uint32_t how = take8(in), shape = take8(in);
    struct hello h = {.key_id = how & 3, .mode = how >> 2 & 1, .id = 1 + (shape & 63), .prefixes = shape >> 6};
    if (how & 0x08) h.id = take8(in), h.prefixes = take8(in) % 20;
    if (how & 0x10) h.padding = take8(in);
    uint32_t size = make_hello(d, &h), edits = how >> 5 & 3;
    for (; edits > 1; edits--) {
        static const uint32_t places[8] = {0, 2, CIPHER_AT, MODE_AT, CLAIM_AT, CLAIM_AT + 1, CLAIM_AT + 2, NRS_HEADER};
        uint32_t place = take8(in);
        place = place < 0xc0 ? places[place & 7] : place % (size - NRS_TAG);
        d[place] = (uint8_t)take8(in);
    }
    if (CLAIM_AT + claim_bytes(d) + NRS_TAG <= size && claim_bytes(d) < 900)
        hello_tag(d, size, SECRETS + d[2], 32 + d[2] % 64, d + size - NRS_TAG);
    else
        memset(d + size - NRS_TAG, 0, NRS_TAG);
    if (how & 0x80) {
        uint32_t place = take16(in) % size;
        d[place] ^= (uint8_t)take8(in);
    }
    if (edits) size -= take8(in) % size;
    add(router, d, size);
}

static void take_known(struct router *router, struct input *in) {
    for (uint32_t i = 0; i < router->known_count; i++) nrs_sieve_part(router->sieve, router->known[i]);
    router->known_count = take8(in) % (MOST_KNOWN + 1);
    for (uint32_t i = 0; i < router->known_count; i++) {
        router->known[i] = take8(in);
        CHECK(nrs_sieve_know(router->sieve, router->known[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    static struct router router;
    memset(&router, 0, sizeof router);
    for (uint32_t i = 0; i < sizeof SECRETS; i++) SECRETS[i] = (uint8_t)(i * i + 3);
    router.sieve = nrs_sieve_new(crypto());
    router.train = malloc(MOST_TRAIN);
    CHECK(router.sieve && router.train);
    while (in.left) {
        uint8_t d[512] = {0};
        uint32_t kind = take8(&in);
        if (kind < 0x60) {
            take_hello(&router, &in);
        } else if (kind < 0x80) { /* of a session */
            uint32_t length = OVERHEAD + take8(&in) % 16;
            d[0] = (uint8_t)(NRS_VERSION | (kind & 15));
            store32(d + 4, take8(&in));
            add(&router, d, length);
        } else if (kind < 0x90) { /* raw bytes */
            uint32_t length = 1 + take16(&in) % sizeof d;
            take_bytes(&in, d, length);
            add(&router, d, length);
        } else if (router.length && kind < 0xb0) {
            sift_train(&router);
        } else if (router.length && kind < 0xb8) { /* cut at other places than it was made */
            router.each = 1 + take16(&in) % router.length;
            sift_train(&router);
        } else if (kind < 0xc0) {
            sift_train(&router); /* no byte at all, where nothing waits */
        } else if (kind < 0xe0) {
            uint32_t key_id = kind & 0x10 ? take8(&in) : kind & 3;
            router.key_length[key_id] = 32 + key_id % 64;
            nrs_sieve_hold(router.sieve, (uint8_t)key_id, SECRETS + key_id, router.key_length[key_id]);
        } else if (kind < 0xe4) {
            memset(router.key_length, 0, sizeof router.key_length);
            nrs_sieve_forget(router.sieve);
        } else if (kind < 0xf0) {
            nrs_sieve_allow(router.sieve, router.answers = kind & 3, 0);
        } else {
            take_known(&router, &in);
        }
    }
    if (router.length) sift_train(&router);
    nrs_sieve_free(router.sieve);
    free(router.train);
    return 0;
}
