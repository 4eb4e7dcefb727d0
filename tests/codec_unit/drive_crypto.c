/* Every provider of this build against OpenSSL's own HMAC, in front of and behind a page that may not be read, and the
   choice between providers: those that are wrong or slow are made here. */
#include "hellos.h"

#include "crypto/nrs_hmac.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* -- AEADs */

/* By libcrypto's own interface: texts[0] of so many bytes into `sealed`, and its tag. */
static void seal_alone(uint32_t cipher, const uint8_t secret[32], const struct nrs_text *t, uint8_t *sealed, uint8_t tag[16]) {
    const EVP_CIPHER *own = cipher == NRS_AES_256_GCM ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int n;
    CHECK(context && EVP_EncryptInit_ex(context, own, NULL, secret, t->nonce));
    CHECK(EVP_EncryptUpdate(context, NULL, &n, t->known, (int)t->known_length));
    CHECK(!t->length || EVP_EncryptUpdate(context, sealed, &n, t->text, (int)t->length));
    CHECK(EVP_EncryptFinal_ex(context, tag, &n) && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag));
    EVP_CIPHER_CTX_free(context);
}

static void seal_and_open(const struct nrs_provider *p, uint32_t cipher, struct burst *b, uint32_t count, const uint8_t secret[32]) {
    static uint8_t clear[NRS_MOST_MESSAGES][LONGEST], sealed[NRS_MOST_MESSAGES][LONGEST], known[20];
    const struct nrs_aead *aead = p->aead[cipher];
    struct nrs_text texts[NRS_MOST_MESSAGES];
    uint8_t tag[NRS_AEAD_TAG], tags[NRS_MOST_MESSAGES][NRS_AEAD_TAG];
    void *sealing = aead->key(p->state, secret, 0), *opening = aead->key(p->state, secret, 1);
    uint64_t all = count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
    CHECK(sealing && opening);
    for (uint32_t i = 0; i < sizeof known; i++) known[i] = (uint8_t)chance();
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *text = (uint8_t *)(uintptr_t)b->messages[i].data;
        texts[i] = (struct nrs_text){{0}, sizeof known, b->messages[i].length, known, text, tags[i]};
        for (uint32_t n = 0; n < NRS_NONCE; n++) texts[i].nonce[n] = (uint8_t)chance();
        memcpy(clear[i], text, texts[i].length);
        seal_alone(cipher, secret, &texts[i], sealed[i], b->own[i]);
    }
    aead->seal(p->state, sealing, texts, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!memcmp(b->own[i], tags[i], sizeof tag) && !memcmp(sealed[i], texts[i].text, texts[i].length)) continue;
        fprintf(stderr, "%s, cipher %u: text %u of %u, %u bytes\n", p->name, cipher, i, count, texts[i].length);
        abort();
    }
    uint32_t bad = chance() % count, where = chance() % (texts[bad].length + 16);
    uint8_t *touched = where < 16 ? tags[bad] + where : texts[bad].text + where - 16;
    *touched ^= (uint8_t)(1 << chance() % 8);
    CHECK(aead->open(p->state, opening, texts, count) == (all & ~((uint64_t)1 << bad)));
    for (uint32_t i = 0; i < count; i++) CHECK(i == bad || !memcmp(clear[i], texts[i].text, texts[i].length));
    known[19] ^= 1;
    memcpy(texts[0].text, sealed[0], texts[0].length);
    CHECK(!aead->open(p->state, opening, texts, 1));
    aead->forget(sealing), aead->forget(opening);
}

static void every_text(const struct nrs_provider *p, struct burst *b) {
    uint8_t secret[32];
    for (uint32_t cipher = NRS_CLEAR + 1; cipher < NRS_CIPHERS; cipher++) {
        CHECK(!p->aead[NRS_CLEAR] && p->aead[cipher]);
        for (uint32_t i = 0; i < sizeof secret; i++) secret[i] = (uint8_t)chance();
        for (uint32_t length = 0; length <= LONGEST; length += length < 600 ? 1 : 23) {
            put(b, 0, length, length & 1);
            seal_and_open(p, cipher, b, 1, secret);
        }
        for (uint32_t count = 1; count <= NRS_MOST_MESSAGES; count++) {
            for (uint32_t i = 0; i < count; i++) put(b, i, chance() % 2000, (int)chance() & 1);
            seal_and_open(p, cipher, b, count, secret);
        }
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
        const struct nrs_provider table[] = {{.name = "wrong", .tags = wrong, .state = &from, .free = release},
                                             {.name = "slow", .tags = slow, .state = NULL, .free = release},
                                             {.name = "right", .tags = counting, .state = NULL, .free = release},
                                             {.name = "wrong too", .tags = wrong, .state = &from, .free = release}};
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

static const struct nrs_aead *good[NRS_CIPHERS];

static void forgetful(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    good[NRS_AES_256_GCM]->seal(state, key, texts, count);
    texts[count - 1].tag[0] ^= 1;
}

static uint64_t trusting(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    return good[NRS_AES_256_GCM]->open(state, key, texts, count) | (uint64_t)1 << 1;
}

/* Right for as few as a known answer has: what it makes of more is only measured. */
static void sluggish(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    for (int i = 0; i < (count > 3 ? 4 : 1); i++) good[NRS_AES_256_GCM]->seal(state, key, texts, count);
}

/* One that seals wrongly or believes a wrong tag is not used for anything; a slow one only where nobody else can. */
static void the_fastest_right_one_encrypts(const struct nrs_provider *own) {
    memcpy(good, own->aead, sizeof good);
    struct nrs_aead wrong_tag = *good[NRS_AES_256_GCM], believes = wrong_tag, takes_long = wrong_tag;
    wrong_tag.seal = forgetful, believes.open = trusting, takes_long.seal = sluggish;
    const struct nrs_aead *right = good[NRS_AES_256_GCM], *chacha = good[NRS_CHACHA20_POLY1305];
    const struct nrs_provider table[] = {
        {.name = "wrong tag", .tags = counting, .aead = {[NRS_AES_256_GCM] = &wrong_tag}},
        {.name = "believes", .tags = counting, .aead = {[NRS_AES_256_GCM] = &believes}},
        {.name = "sluggish", .tags = slow, .aead = {[NRS_AES_256_GCM] = &takes_long, [NRS_CHACHA20_POLY1305] = chacha}},
        {.name = "right", .tags = counting, .aead = {[NRS_AES_256_GCM] = right}},
    };
    nrs_crypto *c = nrs_crypto_of(table, 4);
    CHECK(is(nrs_crypto_failed(c, 0), "wrong tag") && is(nrs_crypto_failed(c, 1), "believes") && !nrs_crypto_failed(c, 2));
    CHECK(is(nrs_crypto_chosen_aead(c, NRS_AES_256_GCM), "right") && is(nrs_crypto_chosen(c, 0), "right"));
    CHECK(is(nrs_crypto_chosen_aead(c, NRS_CHACHA20_POLY1305), "sluggish"));
    CHECK(!nrs_crypto_chosen_aead(c, NRS_CLEAR) && !nrs_crypto_chosen_aead(c, NRS_CIPHERS));
    nrs_crypto_free(c);
    c = nrs_crypto_of(table + 3, 1);
    CHECK(!nrs_crypto_chosen_aead(c, NRS_CHACHA20_POLY1305));
    CHECK(!nrs_sealer_new(c, NRS_CHACHA20_POLY1305, KEY, 1, 0, 0, NULL));
    CHECK(!nrs_opener_new(c, NRS_CHACHA20_POLY1305, KEY, 1, 1, 0, NULL));
    nrs_crypto_free(c);
}

static void what_is_wanted_is_used(const struct nrs_provider *found, uint32_t count) {
    nrs_crypto *c = nrs_crypto_new("libcrypto");
    for (uint32_t kind = 0; kind < NRS_KINDS; kind++) CHECK(is(nrs_crypto_chosen(c, kind), "libcrypto"));
    CHECK(!nrs_crypto_failed(c, 0));
    for (uint32_t cipher = 1; cipher < NRS_CIPHERS; cipher++) CHECK(is(nrs_crypto_chosen_aead(c, cipher), "libcrypto"));
    nrs_crypto_free(c);
    c = nrs_crypto_new("ipsec-mb");
    for (uint32_t cipher = 1; cipher < NRS_CIPHERS && count > 1; cipher++)
        CHECK(!strncmp(nrs_crypto_chosen_aead(c, cipher), "ipsec-mb ", 9));
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

/* Datagrams of a train that are control ones, which opening stops at: none is decrypted twice. */
static void a_train_is_decrypted_once(uint32_t cipher) {
    enum { COUNT = 200, EACH = NRS_HEADER + 4 + NRS_AEAD_TAG };
    static uint8_t train[COUNT * EACH], out[65536];
    for (uint32_t every = 1; every <= COUNT; every++) {
        nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, TRAIN_INDEX, 0, 0, NULL);
        nrs_opener *o = nrs_opener_new(crypto(), cipher, KEY, TRAIN_INDEX, 1, NRS_CHECK_SOURCE, NULL);
        nrs_joiner *joiner = nrs_joiner_new();
        nrs_opened r;
        memset(&r, 0, sizeof r);
        for (uint32_t i = 0; i < COUNT; i++)
            nrs_seal_control(s, i % every ? WIRE_DATA : WIRE_PROBE, 0, 0, (const uint8_t *)"body", 4, train + i * EACH);
        train[5 * EACH - 1] ^= 1;
        for (uint32_t at = 0; at < sizeof train; at = r.at + r.size) {
            nrs_open(o, joiner, train, sizeof train, EACH, at, 0, 0, out, sizeof out, &r);
            if (r.stop == NRS_CONTROL) CHECK(!memcmp(train + r.at + NRS_HEADER, "body", 4));
        }
        CHECK(r.authentic == COUNT - 1 && r.drops[NRS_DROP_TAG] == 1 && !r.packets);
        for (uint32_t i = 0; i < COUNT; i++) CHECK(i == 4 || !memcmp(train + i * EACH + NRS_HEADER, "body", 4));
        nrs_joiner_free(joiner);
        nrs_opener_free(o);
        nrs_sealer_free(s);
    }
}

/* Datagrams of a train that are control ones, which opening stops at: none is hashed twice. */
static void a_train_is_hashed_once(void) {
    enum { COUNT = 200 };
    static uint8_t train[COUNT * OVERHEAD], out[65536];
    const struct nrs_provider table[] = {{.name = "counting", .tags = counting}};
    for (uint32_t every = 1; every <= COUNT; every++) {
        nrs_crypto *c = nrs_crypto_of(table, 1);
        nrs_sealer *s = nrs_sealer_new(c, NRS_CLEAR, KEY, TRAIN_INDEX, 0, 0, NULL);
        nrs_opener *o = nrs_opener_new(c, NRS_CLEAR, KEY, TRAIN_INDEX, 1, NRS_CHECK_SOURCE, NULL);
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

/* -- a process that is killed */

/* What two processes have in common: a session's counter, and the numbers that something was sealed under. */
static struct {
    uint64_t counter, used[1024];
    uint32_t count;
} *lasting;
static uint32_t fuse; /* texts until the process ends; 0: it does not */

static void dying(void *state, void *key, const struct nrs_text *texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (fuse && !--fuse) kill(getpid(), SIGKILL);
        if (lasting) {
            uint64_t sequence = 0;
            for (uint32_t n = 4; n < NRS_NONCE; n++) sequence = sequence << 8 | texts[i].nonce[n];
            lasting->used[lasting->count++] = sequence;
        }
        good[NRS_AES_256_GCM]->seal(state, key, texts + i, 1);
    }
}

static void seal_something(const nrs_crypto *c, int control) {
    static uint8_t frame[LARGEST_FRAME], out[300000];
    static nrs_sealed r;
    nrs_sealer *s = nrs_sealer_new(c, NRS_AES_256_GCM, KEY, TRAIN_INDEX, 0, 0, &lasting->counter);
    nrs_frames f = {.count = 1};
    struct layout l = {.version = 4, .protocol = TCP, .payload = 150 * 200};
    memset(&r, 0, sizeof r);
    f.length[0] = NRS_VNET + make_packet(frame + NRS_VNET, &l, 1);
    make_vnet(frame, &l, 1, 200);
    if (control)
        for (uint32_t i = 0; i < 4; i++) nrs_seal_control(s, WIRE_PROBE, 0, 0, frame, 40, out);
    else
        nrs_seal(s, frame, &f, 0, 1, out, sizeof out, &r);
    nrs_sealer_free(s);
}

/* Between any two texts, of several calls for many at once: the process after it uses no number again. */
static void a_killed_process_repeats_no_number(void) {
    struct nrs_aead aead = *good[NRS_AES_256_GCM];
    aead.seal = dying;
    const struct nrs_provider table[] = {{.name = "dying", .tags = counting, .aead = {[NRS_AES_256_GCM] = &aead}}};
    lasting = NULL; /* known answers and measurements are not the session's */
    nrs_crypto *c = nrs_crypto_of(table, 1);
    void *shared = mmap(NULL, sizeof *lasting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED && is(nrs_crypto_chosen_aead(c, NRS_AES_256_GCM), "dying"));
    lasting = shared;
    for (int control = 0; control < 2; control++)
        for (uint32_t step = 1, ended = 0; !ended; step++) {
            int status;
            memset(lasting, 0, sizeof *lasting);
            pid_t child = fork();
            CHECK(child >= 0);
            if (!child) {
                fuse = step;
                seal_something(c, control);
                _exit(0);
            }
            CHECK(waitpid(child, &status, 0) == child);
            ended = WIFEXITED(status);
            CHECK(ended || (WIFSIGNALED(status) && lasting->count == step - 1));
            CHECK(!ended || lasting->count == (control ? 4 : 150));
            seal_something(c, control);
            for (uint32_t i = 1; i < lasting->count; i++) CHECK(lasting->used[i] > lasting->used[i - 1]);
        }
    munmap(shared, sizeof *lasting);
    nrs_crypto_free(c);
}

int main(void) {
    struct nrs_provider found[NRS_MOST_PROVIDERS];
    uint32_t count = nrs_libcrypto(found);
    static struct burst burst;
    for (uint32_t i = 0; i < NRS_MOST_MESSAGES; i++) burst.rooms[i] = guarded();
    count += nrs_ipsec_mb(found + count);
    for (uint32_t i = 0; i < count; i++) {
        every_length_and_burst(&found[i], &burst);
        every_text(&found[i], &burst);
        if (found[i].free) found[i].free(found[i].state);
    }
    the_wrong_and_the_slow_are_not_used();
    the_fastest_right_one_encrypts(found);
    a_killed_process_repeats_no_number();
    what_is_wanted_is_used(found, count);
    each_bit_says_whose_tag_is_right(&burst);
    a_train_is_hashed_once();
    for (uint32_t cipher = NRS_CLEAR + 1; cipher < NRS_CIPHERS; cipher++) a_train_is_decrypted_once(cipher);
    puts("every limit held");
    return 0;
}
