/* What one processor tags and encrypts a second, by each provider of the C codec: messages as long as a small packet's datagram, a
   body until a path is known, and a full one, so many at a time. The least of several rounds, in which all take turns.

     C=files/agents/codec/crypto
     cc -O2 -DNRS_IPSEC_MB -I$C bench/crypto_rate.c $C/nrs_*.c -l:libIPSec_MB.a -lcrypto -o /tmp/crypto_rate
     taskset -c 0 /tmp/crypto_rate      # without ipsec-mb: leave out -DNRS_IPSEC_MB and the library
*/
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "nrs_hmac.h"

enum { ROUNDS = 30, AT_ONCE = 64, LONGEST = 1440, TAG = 32 };

static const uint32_t LENGTHS[] = {100, 1232, LONGEST}, COUNTS[] = {1, 2, 8, 16, 42, AT_ONCE};

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Of one message. */
static double cost(const struct nrs_provider *p, uint32_t length, uint32_t count) {
    static uint8_t text[AT_ONCE][LONGEST], tags[AT_ONCE][TAG];
    static const uint8_t secret[32];
    struct nrs_message messages[AT_ONCE];
    struct nrs_key key;
    uint32_t calls = 1 + 2 * AT_ONCE / count;
    nrs_key_init(&key, secret);
    for (uint32_t i = 0; i < count; i++) messages[i] = (struct nrs_message){text[i], length, tags[i]};
    double began = now_ns();
    for (uint32_t i = 0; i < calls; i++) p->tags(p->state, &key, messages, count);
    return (now_ns() - began) / calls / count;
}

/* Of one text, sealed with an AEAD. */
static double aead_cost(const struct nrs_provider *p, uint32_t cipher, uint32_t length, uint32_t count) {
    static uint8_t text[AT_ONCE][LONGEST], tags[AT_ONCE][TAG];
    static const uint8_t secret[32], known[20];
    const struct nrs_aead *aead = p->aead[cipher];
    struct nrs_text texts[AT_ONCE];
    uint32_t calls = 1 + 2 * AT_ONCE / count;
    void *key = aead->key(p->state, secret, 0);
    for (uint32_t i = 0; i < count; i++)
        texts[i] = (struct nrs_text){{(uint8_t)i}, sizeof known, length, known, text[i], tags[i]};
    double began = now_ns();
    for (uint32_t i = 0; i < calls; i++) aead->seal(p->state, key, texts, count);
    double spent = now_ns() - began;
    aead->forget(key);
    return spent / calls / count;
}

static double cost_of(const struct nrs_provider *p, uint32_t cipher, uint32_t length, uint32_t count) {
    return cipher == NRS_CLEAR ? cost(p, length, count) : aead_cost(p, cipher, length, count);
}

int main(void) {
    static const char *const NAMES[NRS_CIPHERS] = {"hmac-sha256", "aes-256-gcm", "chacha20-poly1305"};
    struct nrs_provider found[NRS_MOST_PROVIDERS];
    uint32_t providers = nrs_libcrypto(found);
    providers += nrs_ipsec_mb(found + providers);
    for (uint32_t cipher = 0; cipher < NRS_CIPHERS; cipher++)
        for (size_t l = 0; l < sizeof LENGTHS / sizeof *LENGTHS; l++)
            for (size_t c = 0; c < sizeof COUNTS / sizeof *COUNTS; c++) {
                double least[NRS_MOST_PROVIDERS];
                for (uint32_t round = 0; round < ROUNDS; round++)
                    for (uint32_t i = 0; i < providers; i++) {
                        double spent = cost_of(&found[i], cipher, LENGTHS[l], COUNTS[c]);
                        if (!round || spent < least[i]) least[i] = spent;
                    }
                printf("%s, %4u bytes, %2u at a time:", NAMES[cipher], LENGTHS[l], COUNTS[c]);
                for (uint32_t i = 0; i < providers; i++)
                    printf("  %s %.2f GB/s %.0f ns", found[i].name, LENGTHS[l] / least[i], least[i]);
                puts("");
            }
    for (uint32_t i = 0; i < providers; i++)
        if (found[i].free) found[i].free(found[i].state);
    return 0;
}
