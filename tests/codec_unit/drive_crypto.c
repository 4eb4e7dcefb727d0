/* Every provider of this build against OpenSSL's own HMAC, in front of and behind a page that may not be read, and the
   choice between providers: those that are wrong or slow are made here. */
#include "hellos.h"

#include "crypto/nrs_hmac.h"

#include <sys/mman.h>

enum { LONGEST = 9000, PAGE = 4096, ROOM = 3 * PAGE, TAG = 32, TRAIN_INDEX = 9 };

static uint32_t chance(void) {
    static uint32_t state = 1;
    return state = state * 1664525 + 1013904223, state >> 8;
}

/* ROOM bytes between two pages that may not be touched. */
static uint8_t *guarded(void) {
    uint8_t *all = mmap(NULL, ROOM + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED && !mprotect(all + PAGE, ROOM, PROT_READ | PROT_WRITE));
    for (uint32_t i = 0; i < ROOM; i++) all[PAGE + i] = (uint8_t)chance();
    return all + PAGE;
}

struct burst {
    uint8_t *rooms[NRS_MOST_MESSAGES], tags[NRS_MOST_MESSAGES][TAG], own[NRS_MOST_MESSAGES][TAG];
    struct nrs_message messages[NRS_MOST_MESSAGES];
};

/* Message n of so many bytes, at either end of its room. */
static void put(struct burst *b, uint32_t n, uint32_t length, int at_end) {
    b->messages[n] = (struct nrs_message){b->rooms[n] + (at_end ? ROOM - length : 0), length, b->tags[n]};
}

static void hold(const struct nrs_provider *p, struct burst *b, uint32_t count, const uint8_t secret[32]) {
    struct nrs_key key;
    nrs_key_init(&key, secret);
    memset(b->tags, 0, sizeof b->tags);
    p->tags(p->state, &key, b->messages, count);
    for (uint32_t i = 0; i < count; i++) {
        hmac(secret, 32, b->messages[i].data, b->messages[i].length, b->own[i]);
        if (!memcmp(b->own[i], b->tags[i], TAG)) continue;
        fprintf(stderr, "%s: message %u of %u, %u bytes\n", p->name, i, count, b->messages[i].length);
        abort();
    }
}

static void every_length_and_burst(const struct nrs_provider *p, struct burst *b) {
    uint8_t secret[32];
    for (uint32_t i = 0; i < sizeof secret; i++) secret[i] = (uint8_t)chance();
    for (uint32_t length = 0; length <= LONGEST; length++) {
        put(b, 0, length, length & 1);
        hold(p, b, 1, secret);
    }
    for (uint32_t length = 0; length <= LONGEST; length += 7) {
        for (uint32_t i = 0; i < 3; i++) put(b, i, length, (int)i & 1);
        hold(p, b, 3, secret);
    }
    for (uint32_t count = 1; count <= NRS_MOST_MESSAGES; count++)
        for (uint32_t round = 0; round < 4; round++) {
            uint32_t most = round & 1 ? 200 : LONGEST;
            for (uint32_t i = 0; i < count; i++) put(b, i, chance() % (most + 1), (int)chance() & 1);
            hold(p, b, count, secret);
        }
}

/* -- the choice */

static uint32_t tagged, released;

static void counting(void *state, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count) {
    struct nrs_provider other;
    (void)state;
    nrs_libcrypto(&other);
    tagged += count;
    other.tags(other.state, key, messages, count);
}

/* Wrong in the last bit of the last tag, from as many messages on as `state` says. */
static void wrong(void *state, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count) {
    counting(NULL, key, messages, count);
    if (count >= *(const uint32_t *)state) messages[count - 1].tag[TAG - 1] ^= 1;
}

static void slow(void *state, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count) {
    for (int i = 0; i < 4; i++) counting(state, key, messages, count);
}

static void release(void *state) {
    (void)state;
    released++;
}

static int is(const char *a, const char *b) { return a && !strcmp(a, b); }

static void the_wrong_and_the_slow_are_not_used(void) {
    for (uint32_t from = 1; from <= 64; from *= 2) {
        const struct nrs_provider table[] = {{"wrong", wrong, &from, release},
                                             {"slow", slow, NULL, release},
                                             {"right", counting, NULL, release},
                                             {"wrong too", wrong, &from, release}};
        released = 0;
        nrs_crypto *c = nrs_crypto_of(table, 4);
        CHECK(c && released == 2);
        for (uint32_t kind = 0; kind < NRS_KINDS; kind++) CHECK(is(nrs_crypto_chosen(c, kind), "right"));
        CHECK(is(nrs_crypto_failed(c, 0), "wrong") && is(nrs_crypto_failed(c, 1), "wrong too") && !nrs_crypto_failed(c, 2));
        nrs_crypto_free(c);
        CHECK(released == 4);
        c = nrs_crypto_of(table, 1);
        CHECK(c && !nrs_crypto_chosen(c, 0) && is(nrs_crypto_failed(c, 0), "wrong"));
        nrs_crypto_free(c);
    }
    nrs_crypto_free(NULL);
}

static void what_is_wanted_is_used(const struct nrs_provider *found, uint32_t count) {
    nrs_crypto *c = nrs_crypto_new("libcrypto");
    for (uint32_t kind = 0; kind < NRS_KINDS; kind++) CHECK(is(nrs_crypto_chosen(c, kind), "libcrypto"));
    CHECK(!nrs_crypto_failed(c, 0));
    nrs_crypto_free(c);
    c = nrs_crypto_new("ipsec-mb");
    CHECK(!nrs_crypto_chosen(c, 0) == (count == 1));
    for (uint32_t kind = 0; kind < NRS_KINDS && count > 1; kind++)
        CHECK(!strncmp(nrs_crypto_chosen(c, kind), "ipsec-mb ", 9));
    nrs_crypto_free(c);
    c = nrs_crypto_new("none of them");
    CHECK(c && !nrs_crypto_chosen(c, 0) && !nrs_crypto_failed(c, 0));
    nrs_crypto_free(c);
#ifdef NRS_IPSEC_MB
    CHECK(count > 1 && !strncmp(found[1].name, "ipsec-mb sse", 12));
#else
    CHECK(count == 1 && is(found->name, "libcrypto"));
#endif
}

static void each_bit_says_whose_tag_is_right(struct burst *b) {
    struct nrs_key key;
    nrs_key_init(&key, KEY);
    for (uint32_t count = 1; count <= NRS_MOST_MESSAGES; count++) {
        uint64_t all = count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
        for (uint32_t i = 0; i < count; i++) put(b, i, 52 + chance() % 1400, 0);
        nrs_tags(crypto(), &key, b->messages, count);
        CHECK(nrs_right(crypto(), &key, b->messages, count) == all);
        for (uint32_t i = 0; i < count; i++) {
            b->tags[i][chance() % TAG] ^= (uint8_t)(1 << chance() % 8);
            all &= ~((uint64_t)1 << i);
            CHECK(nrs_right(crypto(), &key, b->messages, count) == all);
        }
    }
}

/* -- a train */

/* Datagrams of a train that are control ones, which opening stops at: none is hashed twice. */
static void a_train_is_hashed_once(void) {
    enum { COUNT = 200 };
    static uint8_t train[COUNT * OVERHEAD], out[65536];
    const struct nrs_provider table[] = {{"counting", counting, NULL, NULL}};
    for (uint32_t every = 1; every <= COUNT; every++) {
        nrs_crypto *c = nrs_crypto_of(table, 1);
        nrs_sealer *s = nrs_sealer_new(c, KEY, TRAIN_INDEX, 0, 0, NULL);
        nrs_opener *o = nrs_opener_new(c, KEY, TRAIN_INDEX, 1, NRS_CHECK_SOURCE, NULL);
        nrs_joiner *joiner = nrs_joiner_new();
        nrs_opened r;
        memset(&r, 0, sizeof r);
        for (uint32_t i = 0; i < COUNT; i++)
            nrs_seal_control(s, i % every ? WIRE_DATA : WIRE_PROBE, 0, 0, NULL, 0, train + i * OVERHEAD);
        train[5 * OVERHEAD - 1] ^= 1;
        tagged = 0;
        uint32_t stops = 0;
        for (uint32_t at = 0; at < sizeof train; at = r.at + r.size, stops += r.stop == NRS_CONTROL)
            nrs_open(o, joiner, train, sizeof train, OVERHEAD, at, 0, 0, out, sizeof out, &r);
        CHECK(tagged == COUNT && r.authentic == COUNT - 1 && r.drops[NRS_DROP_TAG] == 1);
        CHECK(stops == (COUNT + every - 1) / every - (4 % every == 0));
        nrs_joiner_free(joiner);
        nrs_opener_free(o);
        nrs_sealer_free(s);
        nrs_crypto_free(c);
    }
}

int main(void) {
    struct nrs_provider found[NRS_MOST_PROVIDERS];
    uint32_t count = nrs_libcrypto(found);
    static struct burst burst;
    for (uint32_t i = 0; i < NRS_MOST_MESSAGES; i++) burst.rooms[i] = guarded();
    count += nrs_ipsec_mb(found + count);
    for (uint32_t i = 0; i < count; i++) {
        every_length_and_burst(&found[i], &burst);
        if (found[i].free) found[i].free(found[i].state);
    }
    the_wrong_and_the_slow_are_not_used();
    what_is_wanted_is_used(found, count);
    each_bit_says_whose_tag_is_right(&burst);
    a_train_is_hashed_once();
    puts("every limit held");
    return 0;
}
