/* Every function of the sieve at its limits, for a build with sanitizers: each buffer is a heap block
   of exactly the size that the function is told. */
#include "hellos.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGEST_TRAIN = 70000 };

static nrs_sieve *sieve_with_key(void) {
    nrs_sieve *s = nrs_sieve_new(crypto());
    CHECK(s);
    nrs_sieve_hold(s, 7, KEY, sizeof KEY);
    return s;
}

/* The sieve sees a copy that ends where the train does. */
static nrs_sifted sift(nrs_sieve *s, const uint8_t *train, uint32_t length, uint32_t each) {
    static nrs_sifted r;
    memset(&r, 0, sizeof r);
    uint8_t *exact = exactly(length);
    memcpy(exact, train, length);
    nrs_sift(s, exact, length, each, &r);
    CHECK(!memcmp(exact, train, length));
    CHECK(r.datagrams == r.count + r.malformed + r.tag + r.no_session + r.rate);
    free(exact);
    return r;
}

static uint32_t proven(uint8_t *p, const struct hello *h) {
    uint32_t size = make_hello(p, h);
    hello_tag(p, size, KEY, sizeof KEY, p + size - NRS_TAG);
    return size;
}

static void claims(void) {
    uint8_t d[LONGEST_HELLO];
    nrs_sieve *s = sieve_with_key();
    for (uint32_t mode = 0; mode < 3; mode++)
        for (uint32_t id = 0; id <= 66; id++)
            for (uint32_t prefixes = 0; prefixes <= 18; prefixes++) {
                struct hello h = {.key_id = 7, .mode = mode, .id = id, .prefixes = prefixes, .padding = id % 3};
                nrs_sifted r = sift(s, d, proven(d, &h), LONGEST_HELLO);
                int right = mode <= DEVICE && id && id <= 64 && prefixes <= 16;
                CHECK(r.count == (uint32_t)right && r.malformed == (uint64_t)!right);
            }
    for (uint32_t mode = 0; mode < 2; mode++) { /* cut off anywhere, and a claim that goes on behind it */
        struct hello h = {.key_id = 7, .mode = mode, .id = 64, .prefixes = 16};
        uint32_t size = proven(d, &h);
        for (uint32_t length = 0; length <= size; length++) {
            nrs_sifted r = sift(s, d, length, LONGEST_HELLO);
            CHECK(r.datagrams == 1 && r.count == (length == size) && r.malformed == (length < size));
        }
        d[CLAIM_AT] = d[CLAIM_AT + 1] = 255;
        CHECK(sift(s, d, size, size).malformed == 1);
        h = (struct hello){.key_id = 7, .mode = mode, .id = 1};
        size = proven(d, &h);
        for (uint32_t id = 0; id < 256; id++)
            for (uint32_t prefixes = 0; prefixes < 256; prefixes++) {
                d[CLAIM_AT] = (uint8_t)id, d[CLAIM_AT + 1] = (uint8_t)prefixes;
                CHECK(sift(s, d, size, size).count == (id == 1 && prefixes == 0));
            }
    }
    for (uint32_t cipher = 0; cipher < 256; cipher++) { /* with a right tag all the same */
        struct hello h = {.key_id = 7, .id = 9};
        uint32_t size = make_hello(d, &h);
        d[CIPHER_AT] = (uint8_t)cipher;
        hello_tag(d, size, KEY, sizeof KEY, d + size - NRS_TAG);
        CHECK(sift(s, d, size, size).malformed == (cipher >= NRS_CIPHERS));
        d[CIPHER_AT] = 0;
        hello_tag(d, size - 1, KEY, sizeof KEY, d + size - 1 - NRS_TAG);
        CHECK(sift(s, d, size - 1, size).malformed == 1);
    }
    nrs_sieve_free(s);
}

static void held_keys(void) {
    uint8_t d[LONGEST_HELLO], *secret;
    nrs_sieve *s = nrs_sieve_new(crypto());
    for (uint32_t mode = 0; mode < 2; mode++) {
        for (uint32_t key_id = 0; key_id < 256; key_id++) { /* secrets of every length */
            struct hello h = {.key_id = key_id, .mode = mode, .id = 9, .prefixes = 1};
            uint32_t size = make_hello(d, &h);
            secret = exactly(key_id);
            memset(secret, (int)key_id + 1, key_id);
            hello_tag(d, size, secret, key_id, d + size - NRS_TAG);
            CHECK(sift(s, d, size, size).tag == 1);
            nrs_sieve_hold(s, (uint8_t)key_id, secret, key_id);
            CHECK(sift(s, d, size, size).count == 1);
            d[size - 1] ^= 1;
            CHECK(sift(s, d, size, size).tag == 1);
            free(secret);
        }
        nrs_sieve_forget(s);
    }
    nrs_sieve_free(s);
    nrs_sieve_free(NULL);
}

static void sessions(void) {
    uint8_t d[OVERHEAD] = {NRS_VERSION};
    nrs_sieve *s = nrs_sieve_new(crypto());
    for (uint32_t count = 0; count <= 300; count++) {
        uint32_t *indices = malloc((count ? count : 1) * sizeof *indices);
        CHECK(indices);
        for (uint32_t i = 0; i < count; i++) indices[i] = UINT32_MAX / 300 * i + (i == count - 1 ? 3 : 2);
        for (uint32_t i = 0; i < 2 * count; i++) /* in no order, and again */
            CHECK(nrs_sieve_know(s, indices[i * 7919 % count]));
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t step = 0; step < 3; step++) {
                store32(d + 4, indices[i] + step - 1);
                CHECK(sift(s, d, sizeof d, sizeof d).count == (step == 1));
            }
        for (uint32_t kind = 0; kind < 256; kind++) {
            d[0] = (uint8_t)kind;
            store32(d + 4, count ? indices[0] : 0);
            int right = kind >= NRS_VERSION && kind < NRS_VERSION + WIRE_RETRY && kind != (NRS_VERSION | WIRE_HELLO) &&
                        kind != (NRS_VERSION | WIRE_HELLO_ACK) && kind != (NRS_VERSION | WIRE_NO_SESSION);
            CHECK(sift(s, d, sizeof d, sizeof d).count == (right && count));
        }
        d[0] = NRS_VERSION;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t one = indices[i * 7907 % count];
            nrs_sieve_part(s, one);
            nrs_sieve_part(s, one);
            store32(d + 4, one);
            CHECK(!sift(s, d, sizeof d, sizeof d).count);
        }
        free(indices);
    }
    nrs_sieve_free(s);
}

static void trains(void) {
    static uint8_t train[LARGEST_TRAIN];
    nrs_sieve *s = nrs_sieve_new(crypto());
    nrs_sifted r;
    CHECK(nrs_sieve_know(s, 1));
    for (uint32_t at = 0; at + 8 < LARGEST_TRAIN; at += NRS_LEAST_BYTES) train[at] = NRS_VERSION, train[at + 7] = 1;
    r = sift(s, train, LARGEST_TRAIN, NRS_LEAST_BYTES); /* as many as there can be, and a rest */
    CHECK(r.count == NRS_MOST_WORTH && r.worth[NRS_MOST_WORTH - 1] == (NRS_MOST_WORTH - 1) * NRS_LEAST_BYTES);
    CHECK(r.malformed == 1 && r.datagrams == NRS_MOST_WORTH + 1);
    r = sift(s, train, LARGEST_TRAIN, 1);
    CHECK(!r.count && r.malformed == LARGEST_TRAIN);
    r = sift(s, train, LARGEST_TRAIN, UINT32_MAX);
    CHECK(r.count == 1 && r.datagrams == 1);
    r = sift(s, train, 0, 0);
    CHECK(!r.count && r.datagrams == 1 && r.malformed == 1);
    nrs_sieve_part(s, 1);
    nrs_sieve_part(s, 1);
    nrs_sieve_allow(s, 2, 0);
    memset(train, 0, sizeof train);
    for (uint32_t at = 0; at < 10 * OVERHEAD; at += OVERHEAD) train[at] = NRS_VERSION, train[at + 7] = 1;
    r = sift(s, train, OVERHEAD - 1, OVERHEAD); /* shorter than what would answer it */
    CHECK(!r.count && r.no_session == 1);
    for (uint32_t trains = 0; trains < 4; trains++) {
        r = sift(s, train, 10 * OVERHEAD, OVERHEAD);
        CHECK(r.count == (trains < 2) && r.no_session == (trains < 2 ? 9 : 10) && (!r.count || !r.worth[0]));
    }
    nrs_sieve_free(s);
}

static void receiving(void) {
    int from = socket(AF_INET, SOCK_DGRAM, 0), to = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof there;
    CHECK(from >= 0 && to >= 0 && !bind(to, (struct sockaddr *)&there, length));
    CHECK(!getsockname(to, (struct sockaddr *)&there, &length));
    CHECK(!connect(from, (struct sockaddr *)&there, length));
    uint8_t junk[OVERHEAD] = {NRS_VERSION}, d[LONGEST_HELLO], *buffer = exactly(LARGEST_TRAIN);
    struct hello h = {.key_id = 7, .mode = DEVICE, .id = 9};
    ssize_t size = proven(d, &h);
    nrs_sieve *s = sieve_with_key();
    nrs_train train;
    static nrs_sifted r;
    r.count = 9;
    CHECK(nrs_receive_strays(s, to, buffer, LARGEST_TRAIN, &train, 5, &r) == NRS_NOTHING && !r.count && !r.datagrams);
    for (int i = 0; i < 5; i++) CHECK(send(from, junk, sizeof junk, 0) == sizeof junk);
    CHECK(send(from, d, (size_t)size, 0) == size && send(from, junk, 0, 0) == 0);
    CHECK(nrs_receive_strays(s, to, buffer, LARGEST_TRAIN, &train, 0, &r) == NRS_SPENT && !r.datagrams);
    CHECK(nrs_receive_strays(s, to, buffer, LARGEST_TRAIN, &train, 2, &r) == NRS_SPENT && r.no_session == 2);
    CHECK(nrs_receive_strays(s, to, buffer, LARGEST_TRAIN, &train, UINT32_MAX, &r) == NRS_WORTH && r.no_session == 5);
    CHECK(r.count == 1 && !r.worth[0] && train.length == size && !memcmp(buffer, d, (size_t)size));
    CHECK(nrs_receive_strays(s, to, buffer, LARGEST_TRAIN, &train, 9, &r) == NRS_NOTHING && !r.count && r.malformed == 1);
    CHECK(nrs_receive_strays(s, -1, buffer, LARGEST_TRAIN, &train, 9, &r) == -1 && r.datagrams == 7);
    nrs_sieve_free(s);
    free(buffer);
    close(from), close(to);
}

int main(void) {
    claims();
    held_keys();
    sessions();
    trains();
    receiving();
    puts("every limit held");
    return 0;
}
