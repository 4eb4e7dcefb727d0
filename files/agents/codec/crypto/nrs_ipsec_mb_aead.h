/* The state is an IMB_MGR of one path. */
#ifndef NRS_IPSEC_MB_AEAD_H
#define NRS_IPSEC_MB_AEAD_H

#include "nrs_aead.h"

#ifdef NRS_IPSEC_MB
extern const struct nrs_aead nrs_ipsec_mb_gcm, nrs_ipsec_mb_chacha;
#endif

#endif
