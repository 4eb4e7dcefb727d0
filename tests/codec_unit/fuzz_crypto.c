/* Bursts of messages whose lengths, places and keys the input says, by every provider of this build and by OpenSSL's own
   HMAC, or sealed and opened with an AEAD by each: the input is a count, a cipher, a key, 2 bytes of length and 1 of
   place for each, then the bytes of all. */
#include "hellos.h"

#include "crypto/nrs_hmac.h"

enum { LONGEST = 9000, TAG = 32 };

/* What one provider has sealed all others open, and seal to the same bytes. */
static void seal_and_open(const struct nrs_provider *found, uint32_t providers, uint32_t cipher, const uint8_t secret[32],
                          const struct nrs_message *messages, uint32_t count) {
    static uint8_t sealed[NRS_MOST_MESSAGES][LONGEST], first[NRS_MOST_MESSAGES][LONGEST], known[20];
    uint8_t tags[NRS_MOST_MESSAGES][NRS_AEAD_TAG], first_tags[NRS_MOST_MESSAGES][NRS_AEAD_TAG];
    struct nrs_text texts[NRS_MOST_MESSAGES];
    uint64_t all = count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
    for (uint32_t i = 0; i < count; i++)
        texts[i] = (struct nrs_text){{(uint8_t)i}, sizeof known, messages[i].length, known, sealed[i], tags[i]};
    for (uint32_t p = 0; p < providers; p++) {
        const struct nrs_aead *aead = found[p].aead[cipher];
        void *sealing = aead->key(found[p].state, secret, 0), *opening = aead->key(found[p].state, secret, 1);
        for (uint32_t i = 0; i < count; i++) memcpy(sealed[i], messages[i].data, messages[i].length);
        aead->seal(found[p].state, sealing, texts, count);
        for (uint32_t i = 0; i < count; i++) {
            if (!p) memcpy(first[i], sealed[i], messages[i].length), memcpy(first_tags[i], tags[i], sizeof *tags);
            CHECK(!memcmp(first[i], sealed[i], messages[i].length) && !memcmp(first_tags[i], tags[i], sizeof *tags));
        }
        CHECK(aead->open(found[p].state, opening, texts, count) == all);
        for (uint32_t i = 0; i < count; i++) CHECK(!memcmp(sealed[i], messages[i].data, messages[i].length));
        aead->forget(sealing), aead->forget(opening);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct nrs_provider found[NRS_MOST_PROVIDERS];
    static uint32_t providers;
    static uint8_t text[LONGEST + 256];
    struct input in = {data, size};
    struct nrs_message messages[NRS_MOST_MESSAGES];
    uint8_t secret[32] = {0}, own[TAG], tags[NRS_MOST_MESSAGES][TAG];
    struct nrs_key key;
    if (!providers) {
        providers = nrs_libcrypto(found);
        providers += nrs_ipsec_mb(found + providers);
    }
    uint32_t count = 1 + take8(&in) % NRS_MOST_MESSAGES, cipher = take8(&in) % NRS_CIPHERS;
    take_bytes(&in, secret, sizeof secret);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = take16(&in) % (LONGEST + 1);
        messages[i] = (struct nrs_message){text + take8(&in), length, tags[i]};
    }
    take_bytes(&in, text, sizeof text);
    if (cipher != NRS_CLEAR) {
        seal_and_open(found, providers, cipher, secret, messages, count);
        return 0;
    }
    nrs_key_init(&key, secret);
    for (uint32_t p = 0; p < providers; p++) {
        memset(tags, 0, sizeof tags);
        found[p].tags(found[p].state, &key, messages, count);
        for (uint32_t i = 0; i < count; i++) {
            hmac(secret, 32, messages[i].data, messages[i].length, own);
            CHECK(!memcmp(own, tags[i], TAG));
        }
    }
    return 0;
}
