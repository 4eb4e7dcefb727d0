/* What the codec tags datagrams with: HMAC-SHA256 by whichever provider this processor runs fastest. It is used by one
   thread at a time, and outlives what was made with it. */
#ifndef NRS_CRYPTO_H
#define NRS_CRYPTO_H

#include <stdint.h>

enum {
    NRS_KINDS = 5,      /* of calls: for 1 message, 2 and 3, 4 to 7, 8 to 15, 16 and more */
    NRS_MOST_PROVIDERS = 4
};

typedef struct nrs_crypto nrs_crypto;

/* Try every provider of this build and processor whose name begins with `wanted`, all where that is NULL: one that fails
   a known answer is not used, and of the others the fastest is for each kind of call. NULL where there is no memory. */
nrs_crypto *nrs_crypto_new(const char *wanted);
void nrs_crypto_free(nrs_crypto *crypto);
/* The provider that is used for a kind of call; NULL where none was left, and nothing may be made with it. */
const char *nrs_crypto_chosen(const nrs_crypto *crypto, uint32_t kind);
/* The providers that failed a known answer; NULL from the first on that there is not. */
const char *nrs_crypto_failed(const nrs_crypto *crypto, uint32_t number);

#endif
