#ifndef NRS_LIBCRYPTO_AEAD_H
#define NRS_LIBCRYPTO_AEAD_H

#include "nrs_aead.h"

extern const struct nrs_aead nrs_libcrypto_gcm, nrs_libcrypto_chacha;

#endif
