#ifndef NRS_KNOWN_ANSWERS_H
#define NRS_KNOWN_ANSWERS_H

#include "nrs_hmac.h"

/* Whether a provider gives the tags that are known, of one message and of many together. */
int nrs_knows_answers(const struct nrs_provider *provider);
/* Whether each AEAD that it has seals and opens as is known, and refuses a wrong tag. */
int nrs_knows_aeads(const struct nrs_provider *provider);

#endif
