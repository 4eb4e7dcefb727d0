/* What the codec protects datagrams with: HMAC-SHA256 and AEADs, each by whichever provider this processor runs fastest.
   It is used by one thread at a time, and outlives what was made with it. */
#ifndef NRS_CRYPTO_H
#define NRS_CRYPTO_H

#include <stdint.h>

enum {
    NRS_KINDS = 5,      /* of calls: for 1 message, 2 and 3, 4 to 7, 8 to 15, 16 and more */
    NRS_MOST_PROVIDERS = 4
};

/* As on the wire. */
enum nrs_cipher { NRS_CLEAR, NRS_AES_256_GCM, NRS_CHACHA20_POLY1305, NRS_CIPHERS };

typedef struct nrs_crypto nrs_crypto;

/* Try every provider of this build and processor whose name begins with `wanted`, all where that is NULL: one that fails
   a known answer is not used, and of the others the fastest is for each kind of call. NULL where there is no memory. */
nrs_crypto *nrs_crypto_new(const char *wanted);
void nrs_crypto_free(nrs_crypto *crypto);
/* The provider that tags in a kind of call; NULL where none was left, and nothing may be made with it. */
const char *nrs_crypto_chosen(const nrs_crypto *crypto, uint32_t kind);
/* The provider that is used for a cipher that encrypts; NULL where none has it. */
const char *nrs_crypto_chosen_aead(const nrs_crypto *crypto, uint32_t cipher);
/* The providers that failed a known answer; NULL from the first on that there is not. */
const char *nrs_crypto_failed(const nrs_crypto *crypto, uint32_t number);

#endif
