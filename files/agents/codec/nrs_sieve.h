/* What a router receives from strangers, held against its keys and sessions before anybody looks at it. It
   knows nothing of sockets or Python and keeps no global state. The same rules in Python: nrs/tunnel/codec/python/sieve.py. */
#ifndef NRS_SIEVE_H
#define NRS_SIEVE_H

#include "nrs_codec.h"

enum {
    NRS_MOST_WORTH = 1944 /* datagrams of NRS_LEAST_BYTES in 70,000 bytes */
};

typedef struct nrs_sieve nrs_sieve;

/* Datagrams since the start, of which some were dropped; where those of the last train begin that were not; and who
   has sent the last HELLO that no held key proves, a struct sockaddr. */
typedef struct {
    uint64_t datagrams, malformed, tag, no_session, rate;
    uint32_t count, worth[1944];
    uint32_t address_length;
    uint8_t address[28];
} nrs_sifted;

nrs_sieve *nrs_sieve_new(const nrs_crypto *crypto);
void nrs_sieve_free(nrs_sieve *sieve);
/* No HELLO is proven by any key from now on; HELLOs of `key_id` are by this one, in either mode. */
void nrs_sieve_forget(nrs_sieve *sieve);
void nrs_sieve_hold(nrs_sieve *sieve, uint8_t key_id, const uint8_t *secret, uint32_t length);
/* Datagrams of this session pass, or do not any more; 0 where there is no memory. */
int nrs_sieve_know(nrs_sieve *sieve, uint32_t index);
void nrs_sieve_part(nrs_sieve *sieve, uint32_t index);
/* Whether a datagram, of 8 bytes at least, is of a known session and none of a handshake. */
int nrs_sieve_knows(const nrs_sieve *sieve, const uint8_t *datagram);
/* From now on one datagram of an unknown session passes from each of so many trains, and so many datagrams with
   wrong tags or old numbers may come from elsewhere than the session's peer. */
void nrs_sieve_allow(nrs_sieve *sieve, uint32_t answers, uint32_t wrong);
/* Whether a train from elsewhere than its session's peer may be opened: no more after so many of these. */
int nrs_sieve_lets(nrs_sieve *sieve, uint32_t datagrams, nrs_sifted *sifted);
void nrs_sieve_charge(nrs_sieve *sieve, uint32_t wrong);

/* Hold the datagrams of one train against all that; it has at most 70,000 bytes. */
void nrs_sift(nrs_sieve *sieve, const uint8_t *train, uint32_t length, uint32_t each, nrs_sifted *sifted);

#endif
