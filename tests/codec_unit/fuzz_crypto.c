/* Bursts of messages whose lengths, places and keys the input says, by every provider of this build and by OpenSSL's own
   HMAC: the input is 2 bytes of length and 1 of place for each, then the bytes of all. */
#include "hellos.h"

#include "crypto/nrs_hmac.h"

enum { LONGEST = 9000, TAG = 32 };

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
    uint32_t count = 1 + take8(&in) % NRS_MOST_MESSAGES;
    take_bytes(&in, secret, sizeof secret);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = take16(&in) % (LONGEST + 1);
        messages[i] = (struct nrs_message){text + take8(&in), length, tags[i]};
    }
    take_bytes(&in, text, sizeof text);
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
