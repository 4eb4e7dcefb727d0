/* What a router receives from strangers, held against its keys before anybody looks at it. It knows
   nothing of Python and keeps no global state. The same rules in Python: nrs/tunnel/codec/python/sieve.py. */
#ifndef NRS_SIEVE_H
#define NRS_SIEVE_H

#include "nrs_carrier.h"

enum {
    NRS_MOST_WORTH = 1346 /* datagrams with header and tag in 70,000 bytes */
};

enum nrs_sieved {
    NRS_NOTHING, /* is left; -1: an error of an earlier datagram */
    NRS_WORTH,   /* the train in the buffer holds something to be looked at */
    NRS_SPENT    /* as many were looked at as may be: more may wait */
};

typedef struct nrs_sieve nrs_sieve;

/* Datagrams since the start, of which some were dropped; and where those of the last train begin that were not. */
typedef struct {
    uint64_t datagrams, malformed, tag, no_session;
    uint32_t count, worth[1346];
} nrs_sifted;

nrs_sieve *nrs_sieve_new(void);
void nrs_sieve_free(nrs_sieve *sieve);
/* No HELLO is proven by any key from now on; HELLOs of `key_id` are by this one, in either mode. */
void nrs_sieve_forget(nrs_sieve *sieve);
void nrs_sieve_hold(nrs_sieve *sieve, uint8_t key_id, const uint8_t *secret, uint32_t length);
/* Sessions, in ascending order, whose datagrams pass, in place of those before; 0 where there is no memory. */
int nrs_sieve_know(nrs_sieve *sieve, const uint32_t *indices, uint32_t count);
/* From so many trains one datagram of an unknown session passes. */
void nrs_sieve_answer(nrs_sieve *sieve, uint32_t most);

/* Hold the datagrams of one train against all that; it has at most 70,000 bytes. */
void nrs_sift(nrs_sieve *sieve, const uint8_t *train, uint32_t length, uint32_t each, nrs_sifted *sifted);
/* Receive trains until one holds something to be looked at, or `most` datagrams were held against all that: the
   train that uses them up is sifted whole. An nrs_sieved, or -1. The buffer has at most 70,000 bytes. */
int nrs_sieve_receive(nrs_sieve *sieve, int fd, uint8_t *buffer, uint32_t capacity, nrs_train *train, uint32_t most,
                      nrs_sifted *sifted);

#endif
