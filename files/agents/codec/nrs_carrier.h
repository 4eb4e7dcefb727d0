/* The way of packets between descriptors and the codec: one call for whatever a TUN
   device or a UDP socket has ready. It knows nothing of Python and keeps no global state.
   The same rules in Python: nrs/tunnel/codec/python/ and nrs/tunnel/udp_socket.py. */
#ifndef NRS_CARRIER_H
#define NRS_CARRIER_H

#include "nrs_sieve.h"

/* Where a session's datagrams go: a socket and, where it is not connected, an address
   and the address of our own to send from. */
typedef struct {
    int fd;
    int segmentation;   /* whether the kernel takes UDP_SEGMENT of this socket */
    int ipv4;           /* whether datagrams leave over IPv4 */
    uint32_t address_length, local_length;
    uint8_t address[28]; /* struct sockaddr_in or sockaddr_in6 */
    uint8_t local[20];   /* struct in6_pktinfo, or struct in_pktinfo of an IPv4 socket */
} nrs_path;

/* Where the newest authentic datagram came from, until the peer has proved to be there: `left` bytes may go there, or
   none of what is sent here; the rest goes along the session's path, if that leads anywhere. */
typedef struct {
    nrs_path path;
    uint64_t left;
    int challenges_only;
} nrs_candidate;

/* A received train: `length` bytes, `each` in every datagram but the last. */
typedef struct {
    uint32_t length, each, ecn;
    uint32_t index; /* the session index of the first datagram, 0 where it is too short */
    uint32_t start; /* where opening it has begun last */
    uint32_t address_length, local_length;
    uint8_t address[28];
    uint8_t local[20];
} nrs_train;

/* Totals since the start. */
typedef struct {
    uint64_t datagrams, packets, bytes, batches, batched, malformed, full, refused;
    uint64_t drops[5];
} nrs_totals;

enum nrs_carried {
    NRS_STOP_MASK = 3,     /* an nrs_stop */
    NRS_AUTHENTIC = 4,     /* at least one datagram was */
    NRS_CARRIED_DATA = 8,  /* at least one carried packets */
    NRS_BAD_TAG = 16,
    NRS_WAITING = 32,      /* the buffer holds the next train */
    NRS_DRAINED = 64,      /* there was none */
    NRS_ELSEWHERE = 128    /* the last train is the newest, and not from where the path leads to */
};

enum nrs_sieved {
    NRS_NOTHING, /* is left; -1: an error of an earlier datagram */
    NRS_WORTH,   /* the train in the buffer holds something to be looked at */
    NRS_SPENT    /* as many were looked at as may be: more may wait */
};

/* Read frames until there are none (0), or until the arena is full or NRS_MOST_FRAMES
   are there (1); -errno where the device is broken. */
int nrs_read_frames(int fd, uint8_t *arena, uint32_t capacity, nrs_frames *frames);
/* The frames from `first` on that go together, as nrs_group, their TCP flags, and the key
   of their flow: frames << 16 | flags << 8 | bytes of the key. */
uint32_t nrs_flow(const uint8_t *arena, const nrs_frames *frames, uint32_t first, uint8_t key[NRS_FLOW_KEY]);
/* Write the frames of an out buffer; how many the device had no room for (`full`)
   and how many it refused. */
void nrs_write_frames(int fd, const uint8_t *out, uint32_t used, uint32_t *full, uint32_t *refused);

/* Seal frames [first, end) and send what they make, to the candidate, if there is one, as much as may go there; 1
   where `sealed->too_long` names frames that were refused, and 2 where the kernel takes no UDP_SEGMENT any more. */
int nrs_carry_out(nrs_sealer *sealer, nrs_path *path, nrs_candidate *candidate, const uint8_t *arena,
                   const nrs_frames *frames, uint32_t first, uint32_t end, uint8_t *out, uint32_t capacity,
                   nrs_sealed *sealed, nrs_totals *totals);

/* 1: a train was received; 0: nothing is there; -1: an error of an earlier datagram. */
int nrs_receive(int fd, uint8_t *buffer, uint32_t capacity, nrs_train *train);
/* Receive trains until one holds something to be looked at, or `most` were sifted, one of HELLOs for as many as it
   has: the train that uses them up is sifted whole. An nrs_sieved, or -1. The buffer has at most 70,000 bytes. */
int nrs_receive_strays(nrs_sieve *sieve, int fd, uint8_t *buffer, uint32_t capacity, nrs_train *train, uint32_t most,
                       nrs_sifted *sifted);
/* The same of a socket for sessions: a train that begins with a datagram of one passes whole, unsifted, and no
   datagram of it is in `worth`. */
int nrs_receive_known(nrs_sieve *sieve, int fd, uint8_t *buffer, uint32_t capacity, nrs_train *train, uint32_t most,
                      nrs_sifted *sifted);
/* Open a train from byte `start` on and write the frames to the TUN device; then the next trains of socket `fd`, where
   that is not negative, as long as they are the session's, a few at most, and up to one that is NRS_ELSEWHERE. Where
   there is a sieve, trains of nobody known are dropped on the way, and so are those of the session that come neither
   from where the path leads to nor from its candidate, if there is one, once too many of these had wrong tags or old
   numbers. Bits of nrs_carried; `opened` says where the last train stopped. */
int nrs_carry_in(nrs_opener *opener, nrs_joiner *joiner, const nrs_path *path, const nrs_candidate *candidate,
                 nrs_sieve *sieve, int fd, uint8_t *buffer, uint32_t size, nrs_train *train, uint32_t start,
                 int udp_offload, uint8_t *out, uint32_t capacity, int tun, nrs_opened *opened, nrs_totals *totals, nrs_sifted *sifted);

#endif
