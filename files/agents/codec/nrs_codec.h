/* The packet codec in C: seal frames of a TUN device into datagrams and open
   datagrams into frames. It knows nothing of Python and keeps no global state.
   The same rules in Python, function by function: nrs/tunnel/codec/python/.
   The format is specified in docs/PROTOCOL.md. */
#ifndef NRS_CODEC_H
#define NRS_CODEC_H

#include "crypto/nrs_crypto.h"

enum {
    NRS_VERSION = 0x20,    /* in the high half of a datagram's first byte, its type in the low one */
    NRS_HEADER = 20,
    NRS_TAG = 32,          /* of a handshake and of NRS_CLEAR */
    NRS_VNET = 10,
    NRS_SAFE = 1232,       /* longest datagram of packets until a path is known: 1280 bytes over IPv6 */
    NRS_LEAST = 528,       /* 576 bytes over IPv6 */
    NRS_MOST = 8972,       /* 9000 bytes over IPv4 */
    NRS_LEAST_BYTES = 36,  /* of any datagram: header and the tag of an AEAD */
    NRS_MOST_PACKET = 8900, /* longest inner packet: the largest MTU of a TUN device */
    NRS_MOST_PIECES = 32,  /* of one packet */
    NRS_MOST_JOINS = 64,   /* packets of which pieces are kept, and of one session: */
    NRS_JOINS_OF_A_SESSION = 8,
    NRS_MOST_FRAMES = 64,  /* frames read in one call */
    NRS_MOST_SENDS = 512,
    NRS_MOST_OWNED = 18,
    NRS_MOST_LANES = 16,
    NRS_WINDOW = 1048,     /* bytes of a lane's replay window */
    NRS_PATH = 68,         /* bytes of an nrs_path: both may lie in memory that outlives the process */
    NRS_FLOW_KEY = 37
};

enum nrs_drop { NRS_OK, NRS_DROP_TAG, NRS_DROP_REPLAY, NRS_DROP_SOURCE, NRS_DROP_MALFORMED, NRS_DROPS };

enum nrs_stop {
    NRS_TRAIN_DONE,
    NRS_CONTROL,  /* an authentic control datagram at `at`, `size` bytes */
    NRS_FOREIGN   /* a datagram of another session, or of the handshake, at `at` */
};

/* Whose inner addresses a packet out of the tunnel is held against `owned`. */
enum nrs_check { NRS_CHECK_SOURCE, NRS_CHECK_DESTINATION };

typedef struct nrs_sealer nrs_sealer;
typedef struct nrs_opener nrs_opener;
/* The packets that have arrived in part, of all sessions. */
typedef struct nrs_joiner nrs_joiner;

/* Datagrams to be sent with one call: `each` bytes long, the last may be shorter. */
typedef struct {
    uint32_t offset, length, each, ecn;
} nrs_send;

typedef struct {
    uint32_t count;     /* sends */
    uint32_t used;      /* bytes of the out buffer */
    uint32_t datagrams, packets, batches, batched, malformed;
    uint32_t next;      /* the first frame that was not sealed */
    uint64_t bytes;     /* of inner packets */
    uint64_t too_long;  /* bit n: frame n is to be answered with "packet too big" */
    nrs_send sends[512];
} nrs_sealed;

typedef struct {
    uint32_t stop, at, size;
    uint32_t used;      /* bytes of the out buffer */
    uint32_t authentic, newest, datagrams, packets, data;
    uint64_t bytes;
    uint32_t drops[5];
} nrs_opened;

typedef struct {
    uint32_t count;
    uint32_t offset[64], length[64];
} nrs_frames;

/* The last sequence number is kept in `memory`, 8 bytes, aligned, where it is not NULL: it is
   what it says there, and is written for all datagrams of a call before the first is sealed.
   NULL where there is no memory, or no such nrs_cipher. */
nrs_sealer *nrs_sealer_new(const nrs_crypto *crypto, uint32_t cipher, const uint8_t key[32], uint32_t peer_index,
                           uint8_t key_id, uint8_t lane, void *memory);
void nrs_sealer_free(nrs_sealer *sealer);
uint64_t nrs_sealer_sequence(const nrs_sealer *sealer);
void nrs_sealer_set_sequence(nrs_sealer *sealer, uint64_t sequence);
/* No body of packets is longer than `body` from now on. Where that is settled, packets whose sender
   can be told that they are too long are refused; else they are split, like all that may not be. */
void nrs_sealer_limit(nrs_sealer *sealer, uint32_t body, int settled);

/* The replay windows are kept in `memory`, NRS_WINDOW bytes a lane, aligned to 8, where it is not NULL. */
nrs_opener *nrs_opener_new(const nrs_crypto *crypto, uint32_t cipher, const uint8_t key[32], uint32_t index,
                           uint32_t lanes, uint32_t check, void *memory);
void nrs_opener_free(nrs_opener *opener);
/* 0 when there is no room; `family` is 4 or 6, `address` holds 4 or 16 bytes. */
int nrs_opener_own(nrs_opener *opener, uint32_t family, const uint8_t *address, uint32_t prefix);
uint32_t nrs_opener_index(const nrs_opener *opener);
uint64_t nrs_opener_highest(const nrs_opener *opener, uint32_t lane);
uint64_t nrs_opener_received(const nrs_opener *opener, uint32_t lane);
/* Verify one datagram, decrypt it where it stands and record it; the drop reason. */
int nrs_verify(nrs_opener *opener, uint8_t *datagram, uint32_t length);

/* How many frames from `first` on belong together: one super-packet, or small
   packets with the same addresses, protocol and ports. */
uint32_t nrs_group(const uint8_t *arena, const nrs_frames *frames, uint32_t first);
/* The key of a frame's flow, where a packet may go through a tunnel to its destination (no
   multicast, broadcast or link-local): protocol, addresses, and the ports of TCP and UDP or
   the identifier of an ICMP echo; its bytes, else 0. */
uint32_t nrs_flow_key(const uint8_t *arena, const nrs_frames *frames, uint32_t index, uint8_t key[NRS_FLOW_KEY]);
/* The TCP flags of frames [first, end) together; 0 for other protocols. */
uint32_t nrs_tcp_flags(const uint8_t *arena, const nrs_frames *frames, uint32_t first, uint32_t end);
/* Seal frames [first, end), small packets or super-packets, until the out buffer
   or the list of sends is full. Appends to `sealed`. */
void nrs_seal(nrs_sealer *sealer, const uint8_t *arena, const nrs_frames *frames, uint32_t first,
              uint32_t end, uint8_t *out, uint32_t capacity, nrs_sealed *sealed);
/* One control datagram of header, `body` and tag into `out`; its length. */
uint32_t nrs_seal_control(nrs_sealer *sealer, uint32_t kind, uint32_t flags, uint32_t specific,
                          const uint8_t *body, uint32_t length, uint8_t *out);

nrs_joiner *nrs_joiner_new(void);
void nrs_joiner_free(nrs_joiner *joiner);
/* Forget what had arrived in part before the last call: call it once a second. */
void nrs_joiner_age(nrs_joiner *joiner);

/* Open the datagrams of a train from byte `start` on into frames, each after its
   length (u32, host order). `ecn` is what the outer headers carried. They are decrypted
   where they stand, each once. */
void nrs_open(nrs_opener *opener, nrs_joiner *joiner, uint8_t *train, uint32_t length, uint32_t each,
              uint32_t start, uint32_t ecn, int udp_offload, uint8_t *out, uint32_t capacity,
              nrs_opened *opened);

#endif
