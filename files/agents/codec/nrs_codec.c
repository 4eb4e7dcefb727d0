#include "nrs_codec.h"
#include "nrs_protection.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

enum { DATA = NRS_VERSION, SEGMENT, BATCH, FRAGMENT, HELLO, HELLO_ACK, FIRST_CONTROL };
enum { LAST_CONTROL = NRS_VERSION + 9, PATH_PROBE = NRS_VERSION + 11, TRAIN_ACK = NRS_VERSION + 14, RETRY };
enum { PARTIAL = 1, LAST = 2 };
enum { ICMP = 1, TCP = 6, UDP = 17, FRAGMENT_HEADER = 44, ICMPV6 = 58 };
enum { GSO_TCP4 = 1, GSO_TCP6 = 4, GSO_UDP = 5, GSO_ECN = 0x80, NEEDS_CHECKSUM = 1 };
enum { MORE_FRAGMENTS = 0x20, DONT_FRAGMENT = 0x40, FIN_PSH = 0x09, SYN = 0x02, CWR = 0x80, CE = 3 };
enum { LEAST_MTU4 = 576, LEAST_MTU6 = 1280, PLACE = 4 /* of the checksum, before a packet in pieces */ };
enum { WINDOW = 8192, RING_BYTES = WINDOW / 8 + 8, MOST_SEGMENTS = 64, MOST_SEND = 65507, MOST_SLICES = 256 };

struct nrs_sealer {
    struct nrs_protection protection;
    uint64_t *sequence; /* `own`, or memory that outlives the process */
    uint64_t own;
    uint32_t peer_index, body, overhead;
    int settled;
    uint8_t key_id, lane;
};

struct window {
    uint64_t highest, received;
    uint8_t ring[RING_BYTES];
};

struct owned {
    uint8_t family, prefix, address[16];
};

struct nrs_opener {
    struct nrs_protection protection;
    uint32_t index, lanes, check, owned_count, overhead;
    struct owned owned[NRS_MOST_OWNED];
    struct window *windows; /* `own`, or memory that outlives the process */
    struct window own[];
};

/* A packet of which pieces have arrived; `got` has a bit for each, and is 0 where there is none. */
struct join {
    uint64_t first, born, got;
    uint32_t session, lane, count, each, total, partial, ecn, age;
    uint8_t content[PLACE + NRS_MOST_PACKET];
};

struct nrs_joiner {
    uint64_t born;
    struct join joins[NRS_MOST_JOINS];
};

_Static_assert(sizeof(struct window) == NRS_WINDOW, "what NRS_WINDOW says");

/* -- bytes */

static inline uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }
static inline uint64_t get64(const uint8_t *p) { return (uint64_t)get32(p) << 32 | get32(p + 4); }
static inline void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }
static inline void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v); }
static inline void put64(uint8_t *p, uint64_t v) { put32(p, (uint32_t)(v >> 32)), put32(p + 4, (uint32_t)v); }
static inline uint32_t host16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static inline void put_host16(uint8_t *p, uint32_t v) {
    uint16_t s = (uint16_t)v;
    memcpy(p, &s, 2);
}
static uint32_t sum16(const uint8_t *p, uint32_t length) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i + 1 < length; i += 2) sum += get16(p + i);
    return sum;
}
static uint32_t fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* -- the replay window (RFC 6479) */

static int accept(struct window *w, uint64_t sequence) {
    uint64_t block = sequence >> 3;
    if (sequence > w->highest) {
        uint64_t ahead = block - (w->highest >> 3);
        /* Raised first: a process that goes on from here rejects a few numbers too many, not too few. */
        w->highest = sequence;
        atomic_signal_fence(memory_order_seq_cst);
        if (ahead >= RING_BYTES)
            memset(w->ring, 0, RING_BYTES);
        else
            for (uint64_t b = block - ahead + 1; b <= block; b++) w->ring[b % RING_BYTES] = 0;
    } else if (sequence == 0 || w->highest - sequence >= WINDOW) {
        return 0;
    }
    uint8_t bit = (uint8_t)(1u << (sequence & 7));
    uint8_t *slot = &w->ring[block % RING_BYTES];
    if (*slot & bit) return 0;
    *slot |= bit;
    w->received++;
    return 1;
}

/* -- inner packets */

static uint32_t ip_version(const uint8_t *p, uint32_t length) {
    if (length < 20) return 0;
    uint32_t version = p[0] >> 4;
    if (version == 4) return 4;
    return version == 6 && length >= 40 ? 6 : 0;
}

/* The protocol and the offset of the transport header; 0 where none is to be seen. */
static uint32_t transport(const uint8_t *p, uint32_t length, uint32_t *start) {
    *start = 0;
    if (p[0] >> 4 == 4) {
        if ((p[6] & 0x1f) || p[7]) return 0;
        *start = (p[0] & 15u) * 4;
        return p[9];
    }
    uint32_t protocol = p[6], offset = 40;
    while (protocol == 0 || protocol == 43 || protocol == 60) {
        if (offset + 2 > length) return 0;
        protocol = p[offset];
        offset += 8 + p[offset + 1] * 8u;
    }
    *start = offset;
    return protocol;
}

/* Where a checksum may begin at the earliest: behind the addresses that were looked at. */
static uint32_t ip_header(const uint8_t *p) {
    uint32_t length = p[0] >> 4 == 4 ? (p[0] & 15u) * 4 : 40;
    return length < 20 ? 20 : length;
}

static uint32_t checksum_offset(uint32_t protocol) {
    return protocol == TCP ? 16 : protocol == UDP ? 6 : 0;
}

static int in_prefix(const uint8_t *a, const uint8_t *b, uint32_t bits) {
    uint32_t bytes = bits >> 3, rest = bits & 7;
    if (memcmp(a, b, bytes)) return 0;
    return !rest || !((a[bytes] ^ b[bytes]) >> (8 - rest));
}

static int allowed(const nrs_opener *o, const uint8_t *p, uint32_t version) {
    const uint8_t *address = version == 4 ? p + 12 : p + 8;
    if (o->check == NRS_CHECK_DESTINATION) address += version == 4 ? 4 : 16;
    for (uint32_t i = 0; i < o->owned_count; i++)
        if (o->owned[i].family == version && in_prefix(address, o->owned[i].address, o->owned[i].prefix))
            return 1;
    return 0;
}

static uint32_t ecn_of(const uint8_t *p) { return p[0] >> 4 == 4 ? p[1] & 3u : (p[1] >> 4) & 3u; }

/* Whether these are the headers of a TCP or UDP packet and nothing else. */
static int is_head(const uint8_t *p, uint32_t head) {
    uint32_t start, protocol;
    if (!ip_version(p, head)) return 0;
    if (p[0] >> 4 == 4 && p[6] & MORE_FRAGMENTS) return 0;
    protocol = transport(p, head, &start);
    if (start < 20) return 0;
    if (protocol == TCP) return head >= start + 20 && head == start + (p[start + 12] >> 4) * 4u;
    return protocol == UDP && head == start + 8;
}

/* Combine the outer ECN into a packet (RFC 6040 figure 4); 0 when it has to be dropped. */
static int combine_ecn(uint8_t *p, uint32_t outer) {
    uint32_t own = ecn_of(p);
    if (outer == CE) {
        if (own == 0) return 0;
        own = CE;
    } else if (outer == 1 && own == 2) {
        own = 1;
    } else {
        return 1;
    }
    if (p[0] >> 4 == 4) {
        uint32_t before = get16(p);
        p[1] = (uint8_t)((p[1] & ~3u) | own);
        /* RFC 1624 equation 3 */
        put16(p + 10, ~fold((~get16(p + 10) & 0xffff) + (~before & 0xffff) + get16(p)) & 0xffff);
    } else {
        p[1] = (uint8_t)((p[1] & 0xcf) | own << 4);
    }
    return 1;
}

static void vnet(uint8_t *p, uint32_t flags, uint32_t type, uint32_t head, uint32_t gso, uint32_t start, uint32_t offset) {
    p[0] = (uint8_t)flags;
    p[1] = (uint8_t)type;
    put_host16(p + 2, head);
    put_host16(p + 4, gso);
    put_host16(p + 6, start);
    put_host16(p + 8, offset);
}

/* Headers of slices `first`... in front of `payload` bytes; returns the frame's length. */
static uint32_t rebuild(uint8_t *frame, uint32_t head, uint32_t payload, uint32_t first, uint32_t gso,
                        uint32_t count, int whole_end) {
    uint8_t *p = frame + NRS_VNET, *t;
    uint32_t start, protocol = transport(p, head, &start), total = head + payload, pseudo, type;
    t = p + start;
    if (p[0] >> 4 == 4) {
        put16(p + 2, total);
        put16(p + 4, get16(p + 4) + first);
        put16(p + 10, 0);
        put16(p + 10, ~fold(sum16(p, start)) & 0xffff);
        pseudo = sum16(p + 12, 8);
        type = GSO_TCP4;
    } else {
        put16(p + 4, total - 40);
        pseudo = sum16(p + 8, 32);
        type = GSO_TCP6;
    }
    if (protocol == TCP) {
        if (first) {
            put32(t + 4, get32(t + 4) + first * gso);
            t[13] &= (uint8_t)~CWR;
        }
        if (!whole_end) t[13] &= (uint8_t)~FIN_PSH;
        if (t[13] & CWR) type |= GSO_ECN;
    } else {
        put16(t + 4, total - start);
        type = GSO_UDP;
    }
    uint32_t offset = checksum_offset(protocol);
    put16(t + offset, fold(pseudo + protocol + total - start));
    if (count == 1)
        vnet(frame, NEEDS_CHECKSUM, 0, 0, 0, start, offset);
    else
        vnet(frame, NEEDS_CHECKSUM, type, head, gso, start, offset);
    return NRS_VNET + total;
}

/* -- sealing */

nrs_sealer *nrs_sealer_new(const nrs_crypto *crypto, uint32_t cipher, const uint8_t secret[32], uint32_t peer_index,
                           uint8_t key_id, uint8_t lane, void *memory) {
    nrs_sealer *s = calloc(1, sizeof *s);
    if (!s || !nrs_protection_init(&s->protection, crypto, cipher, secret, 0)) {
        free(s);
        return NULL;
    }
    s->sequence = memory ? memory : &s->own;
    s->peer_index = peer_index;
    s->overhead = NRS_HEADER + s->protection.tag;
    s->body = NRS_SAFE - s->overhead;
    s->key_id = key_id;
    s->lane = lane;
    return s;
}

void nrs_sealer_free(nrs_sealer *s) {
    if (s) nrs_protection_end(&s->protection);
    free(s);
}

uint64_t nrs_sealer_sequence(const nrs_sealer *s) { return *s->sequence; }
void nrs_sealer_set_sequence(nrs_sealer *s, uint64_t sequence) { *s->sequence = sequence; }

void nrs_sealer_limit(nrs_sealer *s, uint32_t body, int settled) {
    uint32_t least = NRS_LEAST - s->overhead, most = NRS_MOST - s->overhead;
    s->body = body < least ? least : body > most ? most : body;
    s->settled = settled;
}

static void header(nrs_sealer *s, uint8_t *out, uint32_t kind, uint32_t flags, uint32_t specific) {
    out[0] = (uint8_t)kind;
    out[1] = (uint8_t)flags;
    out[2] = s->key_id;
    out[3] = s->lane;
    put32(out + 4, s->peer_index);
    put64(out + 8, ++*s->sequence);
    put32(out + 16, specific);
}

uint32_t nrs_seal_control(nrs_sealer *s, uint32_t kind, uint32_t flags, uint32_t specific,
                          const uint8_t *body, uint32_t length, uint8_t *out) {
    header(s, out, NRS_VERSION | kind, flags, specific);
    if (length) memcpy(out + NRS_HEADER, body, length);
    struct nrs_datagram datagram = {out, NRS_HEADER + length};
    atomic_signal_fence(memory_order_seq_cst);
    nrs_protect(&s->protection, &datagram, 1);
    return length + s->overhead;
}

/* The same flow: what may be sent, and later moved, together. */
static int same_flow(const uint8_t *a, uint32_t a_length, const uint8_t *b, uint32_t b_length) {
    uint32_t version = ip_version(a, a_length), a_start, b_start;
    if (!version || version != ip_version(b, b_length)) return 0;
    if (version == 4 ? memcmp(a + 12, b + 12, 8) : memcmp(a + 8, b + 8, 32)) return 0;
    uint32_t protocol = transport(a, a_length, &a_start);
    if (protocol != transport(b, b_length, &b_start)) return 0;
    if (!protocol) return 1;
    if (a_start + 4 > a_length || b_start + 4 > b_length) return a_start + 4 > a_length && b_start + 4 > b_length;
    return !memcmp(a + a_start, b + b_start, 4);
}

uint32_t nrs_group(const uint8_t *arena, const nrs_frames *f, uint32_t first) {
    const uint8_t *frame = arena + f->offset[first];
    uint32_t end = first + 1;
    if (f->length[first] < NRS_VNET || frame[1]) return 1;
    while (end < f->count) {
        const uint8_t *next = arena + f->offset[end];
        if (f->length[end] < NRS_VNET || next[1]) break;
        if (!same_flow(frame + NRS_VNET, f->length[first] - NRS_VNET, next + NRS_VNET,
                       f->length[end] - NRS_VNET))
            break;
        end++;
    }
    return end - first;
}

static int unicast(const uint8_t *to, uint32_t version) {
    if (version == 4) return to[0] && to[0] < 224 && !(to[0] == 169 && to[1] == 254);
    return to[0] != 0xff && !(to[0] == 0xfe && (to[1] & 0xc0) == 0x80);
}

uint32_t nrs_flow_key(const uint8_t *arena, const nrs_frames *f, uint32_t index, uint8_t key[NRS_FLOW_KEY]) {
    if (f->length[index] < NRS_VNET) return 0;
    const uint8_t *packet = arena + f->offset[index] + NRS_VNET;
    uint32_t length = f->length[index] - NRS_VNET, version = ip_version(packet, length), start;
    if (!version) return 0;
    uint32_t address = version == 4 ? 4 : 16, used = 1 + 2 * address;
    const uint8_t *from = packet + (version == 4 ? 12 : 8);
    if (!unicast(from + address, version)) return 0;
    key[0] = (uint8_t)transport(packet, length, &start);
    memcpy(key + 1, from, 2 * address);
    if (!key[0] || start + 8 > length) return used;
    if (key[0] == TCP || key[0] == UDP) {
        memcpy(key + used, packet + start, 4);
        return used + 4;
    }
    uint32_t type = packet[start];
    if ((version == 4 && key[0] == ICMP && (type == 8 || type == 0)) ||
        (version == 6 && key[0] == ICMPV6 && (type == 128 || type == 129))) {
        memcpy(key + used, packet + start + 4, 2);
        return used + 2;
    }
    return used;
}

uint32_t nrs_tcp_flags(const uint8_t *arena, const nrs_frames *f, uint32_t first, uint32_t end) {
    uint32_t flags = 0, start;
    for (uint32_t i = first; i < end; i++) {
        const uint8_t *packet = arena + f->offset[i] + NRS_VNET;
        uint32_t length = f->length[i] - NRS_VNET;
        if (transport(packet, length, &start) != TCP) return 0;
        if (start + 14 <= length) flags |= packet[start + 13];
    }
    return flags;
}

/* Datagrams of the out buffer that have everything but their protection: clear text without tags. */
struct clear {
    uint32_t count;
    struct nrs_datagram datagrams[NRS_MOST_MESSAGES];
};

/* Their numbers are where the next process finds them: a kill from here on makes it use none of them again. */
static void protect_all(const nrs_sealer *s, struct clear *u) {
    atomic_signal_fence(memory_order_seq_cst);
    if (u->count) nrs_protect(&s->protection, u->datagrams, u->count);
    u->count = 0;
}

/* Append a datagram with `body` bytes after its header to the sends: to the last one where it fits. */
static void append(const nrs_sealer *s, struct clear *u, uint8_t *d, uint32_t body, uint32_t ecn, nrs_sealed *r) {
    uint32_t length = body + s->overhead;
    u->datagrams[u->count++] = (struct nrs_datagram){d, NRS_HEADER + body};
    if (u->count == NRS_MOST_MESSAGES) protect_all(s, u);
    nrs_send *last = r->count ? &r->sends[r->count - 1] : NULL;
    if (last && last->ecn == ecn && last->offset + last->length == r->used && length <= last->each &&
        last->length % last->each == 0 && last->length / last->each < MOST_SEGMENTS &&
        last->length + length <= MOST_SEND) {
        last->length += length;
    } else {
        nrs_send *send = &r->sends[r->count++];
        send->offset = r->used;
        send->length = send->each = length;
        send->ecn = ecn;
    }
    r->used += length;
    r->datagrams++;
}

/* Whether the sender of a packet that is too long is told so: it is its part to send less at once.
   No ICMP error is sent about an ICMP error (RFC 1122 section 3.2.2), and nobody cuts an echo. Who has cut a packet
   over IPv6 already hardly ever hears of its fragments, as they say too little of their flow. */
static int may_refuse(const nrs_sealer *s, const uint8_t *p, uint32_t length) {
    uint32_t start, protocol;
    if (!s->settled) return 0;
    if (p[0] >> 4 == 4) return p[6] & DONT_FRAGMENT && p[9] != ICMP && length > LEAST_MTU4;
    protocol = transport(p, length, &start);
    return length > LEAST_MTU6 && protocol != ICMPV6 && protocol != FRAGMENT_HEADER;
}

/* Lower the maximum segment size that a SYN asks for to what a body holds. */
static void clamp_mss(uint8_t *p, uint32_t length, uint32_t body, uint32_t partial) {
    uint32_t start;
    if (transport(p, length, &start) != TCP || start + 20 > length || !(p[start + 13] & SYN)) return;
    uint32_t head = start + (p[start + 12] >> 4) * 4u, headers = start + 20, size;
    if (head > length || headers >= body) return;
    for (uint32_t at = headers; at + 1 < head && p[at]; at += size) {
        size = p[at] == 1 ? 1 : p[at + 1];
        if (!size || at + size > head) return;
        if (p[at] != 2 || size != 4) continue;
        uint32_t before = get16(p + at + 2), after = body - headers;
        if (before <= after) return;
        put16(p + at + 2, after);
        if (partial) return;
        if ((at - start) & 1) { /* it lies across two words of the sum */
            before = (before >> 8 | before << 8) & 0xffff;
            after = (after >> 8 | after << 8) & 0xffff;
        }
        /* RFC 1624 equation 3 */
        put16(p + start + 16, ~fold((~get16(p + start + 16) & 0xffff) + (~before & 0xffff) + after) & 0xffff);
        return;
    }
}

/* One packet as DATA, or in pieces where it is too long for that. */
static void seal_packet(nrs_sealer *s, const uint8_t *packet, uint32_t total, uint32_t partial, uint32_t start,
                        uint32_t offset, uint32_t ecn, uint8_t *out, struct clear *u, nrs_sealed *r) {
    uint32_t flags = partial ? PARTIAL : 0, place = partial ? start << 16 | offset : 0;
    uint8_t *d = out + r->used;
    if (total <= s->body) {
        header(s, d, DATA, flags, place);
        memcpy(d + NRS_HEADER, packet, total);
        clamp_mss(d + NRS_HEADER, total, s->body, partial);
        append(s, u, d, total, ecn, r);
        return;
    }
    uint32_t content = PLACE + total, count = (content + s->body - 1) / s->body;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i * s->body, length = content - at < s->body ? content - at : s->body;
        d = out + r->used;
        header(s, d, FRAGMENT, flags, i << 24 | count << 16 | content);
        if (i) {
            memcpy(d + NRS_HEADER, packet + at - PLACE, length);
        } else {
            put32(d + NRS_HEADER, place);
            memcpy(d + NRS_HEADER + PLACE, packet, length - PLACE);
        }
        append(s, u, d, length, ecn, r);
    }
}

/* How a super-packet is cut: slices of `gso` bytes, each in so many pieces. */
struct cut {
    uint32_t head, gso, slices, pieces;
};

/* TCP may be cut anywhere, so no slice is longer than a body. Where UDP is cut means something: a slice that
   is too long is split as any packet. 0 for what is no super-packet. */
static int cut_of(const nrs_sealer *s, const uint8_t *frame, uint32_t length, struct cut *c) {
    const uint8_t *packet = frame + NRS_VNET;
    uint32_t total = length - NRS_VNET, gso = host16(frame + 4), start = host16(frame + 6), offset = host16(frame + 8);
    uint32_t head = total;
    if (offset == 16 && start + 20 <= total)
        head = start + (packet[start + 12] >> 4) * 4u;
    else if (offset == 6)
        head = start + 8;
    if (head > 255 || !gso || head >= total) return 0;
    c->pieces = 1;
    if (head + gso > s->body) {
        if (offset == 16) {
            gso = s->body - head;
        } else {
            if (head + gso > NRS_MOST_PACKET || !is_head(packet, head)) return 0;
            c->pieces = (PLACE + head + gso + s->body - 1) / s->body;
        }
    }
    c->head = head;
    c->gso = gso;
    c->slices = (total - head + gso - 1) / gso;
    return c->slices <= MOST_SLICES;
}

static void seal_super(nrs_sealer *s, const uint8_t *frame, uint32_t length, const struct cut *c, uint8_t *out,
                       struct clear *u, nrs_sealed *r) {
    const uint8_t *packet = frame + NRS_VNET;
    uint32_t total = length - NRS_VNET, head = c->head, gso = c->gso, ecn = ecn_of(packet), slices = 0;
    for (uint32_t at = head; at < total; at += gso, slices++) {
        uint32_t payload = total - at < gso ? total - at : gso;
        if (c->pieces > 1) {
            uint8_t slice[NRS_VNET + NRS_MOST_PACKET];
            memcpy(slice + NRS_VNET, packet, head);
            memcpy(slice + NRS_VNET + head, packet + at, payload);
            rebuild(slice, head, payload, slices, gso, 1, 0);
            seal_packet(s, slice + NRS_VNET, head + payload, 1, host16(slice + 6), host16(slice + 8), ecn, out, u, r);
            continue;
        }
        uint8_t *d = out + r->used;
        header(s, d, SEGMENT, PARTIAL | (at + payload == total ? LAST : 0), slices << 24 | head << 16 | gso);
        memcpy(d + NRS_HEADER, packet, head);
        memcpy(d + NRS_HEADER + head, packet + at, payload);
        append(s, u, d, head + payload, ecn, r);
    }
    r->packets += slices;
    r->bytes += total;
}

struct batch {
    uint8_t *datagram;
    uint32_t length, count, ecn;
};

static void batch_close(nrs_sealer *s, struct batch *b, struct clear *u, nrs_sealed *r) {
    if (!b->count) return;
    uint8_t *d = b->datagram;
    if (b->count == 1) {
        uint32_t entry = get16(d + NRS_HEADER), length = entry & 0x7fff, specific = 0;
        memmove(d + NRS_HEADER, d + NRS_HEADER + 2, length);
        if (entry >> 15) {
            uint32_t start, protocol = transport(d + NRS_HEADER, length, &start);
            specific = start << 16 | checksum_offset(protocol);
        }
        b->length = length;
        header(s, d, DATA, entry >> 15 ? PARTIAL : 0, specific);
    } else {
        header(s, d, BATCH, 0, b->count);
        r->batches++;
        r->batched += b->count;
    }
    append(s, u, d, b->length, b->ecn, r);
    b->count = b->length = 0;
}

void nrs_seal(nrs_sealer *s, const uint8_t *arena, const nrs_frames *f, uint32_t first, uint32_t end,
              uint8_t *out, uint32_t capacity, nrs_sealed *r) {
    struct batch b = {0};
    struct clear u;
    uint32_t i = first;
    u.count = 0;
    for (; i < end; i++) {
        const uint8_t *frame = arena + f->offset[i];
        uint32_t length = f->length[i];
        if (length < NRS_VNET || !ip_version(frame + NRS_VNET, length - NRS_VNET)) {
            r->malformed++;
            continue;
        }
        uint32_t total = length - NRS_VNET, pending = b.count ? b.length + s->overhead : 0;
        struct cut c = {.slices = 1, .pieces = 1};
        if (frame[1] ? !cut_of(s, frame, length, &c) : total > NRS_MOST_PACKET) {
            r->malformed++;
            continue;
        }
        if (!frame[1] && total > s->body) {
            if (may_refuse(s, frame + NRS_VNET, total)) {
                r->too_long |= (uint64_t)1 << i;
                continue;
            }
            c.pieces = (PLACE + total + s->body - 1) / s->body;
        }
        if (capacity - r->used < pending + c.slices * (c.pieces * s->overhead + PLACE + c.head) + total + s->body ||
            NRS_MOST_SENDS - r->count < c.slices + 2)
            break;
        if (frame[1]) {
            batch_close(s, &b, &u, r);
            seal_super(s, frame, length, &c, out, &u, r);
            continue;
        }
        const uint8_t *packet = frame + NRS_VNET;
        uint32_t partial = frame[0] & NEEDS_CHECKSUM, ecn = ecn_of(packet);
        uint32_t start = host16(frame + 6), offset = host16(frame + 8), derived;
        int derivable = !partial || (checksum_offset(transport(packet, total, &derived)) == offset &&
                                     offset && derived == start);
        r->packets++;
        r->bytes += total;
        if (total + 2 > s->body || !derivable) {
            batch_close(s, &b, &u, r);
            seal_packet(s, packet, total, partial, start, offset, ecn, out, &u, r);
            continue;
        }
        if (b.count && (b.ecn != ecn || b.length + 2 + total > s->body)) batch_close(s, &b, &u, r);
        if (!b.count) b.datagram = out + r->used, b.ecn = ecn;
        uint8_t *entry = b.datagram + NRS_HEADER + b.length;
        put16(entry, total | (partial ? 0x8000 : 0));
        memcpy(entry + 2, packet, total);
        clamp_mss(entry + 2, total, s->body, partial);
        b.length += 2 + total;
        b.count++;
    }
    batch_close(s, &b, &u, r);
    protect_all(s, &u);
    r->next = i;
}

/* -- opening */

nrs_opener *nrs_opener_new(const nrs_crypto *crypto, uint32_t cipher, const uint8_t secret[32], uint32_t index,
                           uint32_t lanes, uint32_t check, void *memory) {
    if (!lanes || lanes > NRS_MOST_LANES) return NULL;
    nrs_opener *o = calloc(1, sizeof *o + (memory ? 0 : lanes) * sizeof o->own[0]);
    if (!o || !nrs_protection_init(&o->protection, crypto, cipher, secret, 1)) {
        free(o);
        return NULL;
    }
    o->windows = memory ? memory : o->own;
    o->overhead = NRS_HEADER + o->protection.tag;
    o->index = index;
    o->lanes = lanes;
    o->check = check;
    return o;
}

void nrs_opener_free(nrs_opener *o) {
    if (o) nrs_protection_end(&o->protection);
    free(o);
}

int nrs_opener_own(nrs_opener *o, uint32_t family, const uint8_t *address, uint32_t prefix) {
    if (o->owned_count == NRS_MOST_OWNED || prefix > (family == 4 ? 32u : 128u)) return 0;
    struct owned *own = &o->owned[o->owned_count++];
    own->family = (uint8_t)family;
    own->prefix = (uint8_t)prefix;
    memcpy(own->address, address, family == 4 ? 4 : 16);
    return 1;
}

uint32_t nrs_opener_index(const nrs_opener *o) { return o->index; }
uint64_t nrs_opener_highest(const nrs_opener *o, uint32_t lane) { return o->windows[lane].highest; }
uint64_t nrs_opener_received(const nrs_opener *o, uint32_t lane) { return o->windows[lane].received; }

/* Record a datagram whose tag is right. */
static int record(nrs_opener *o, const uint8_t *d) {
    if (d[3] >= o->lanes) return NRS_DROP_MALFORMED;
    return accept(&o->windows[d[3]], get64(d + 8)) ? NRS_OK : NRS_DROP_REPLAY;
}

int nrs_verify(nrs_opener *o, uint8_t *d, uint32_t length) {
    if (length < o->overhead) return NRS_DROP_MALFORMED;
    struct nrs_datagram datagram = {d, length - o->protection.tag};
    return nrs_unprotect(&o->protection, &datagram, 1) ? record(o, d) : NRS_DROP_TAG;
}

/* Slices of one super-packet as they are put together in the out buffer. */
struct run {
    uint8_t *frame;  /* its virtio header; the packet follows */
    uint32_t head, first, next, gso, count, payload, ended, ecn;
    const uint8_t *original;
};

static uint8_t *frame_begin(uint8_t *out, const nrs_opened *r) { return out + r->used + 4; }

static void frame_end(uint8_t *out, nrs_opened *r, uint32_t length) {
    memcpy(out + r->used, &length, 4);
    r->used += 4 + length;
}

static void run_flush(struct run *run, int udp_offload, uint8_t *out, nrs_opened *r) {
    if (!run->count) return;
    uint32_t start, count = run->count;
    run->count = 0;
    if (count > 1 && !udp_offload && transport(run->original, run->head, &start) == UDP) {
        /* One frame a slice: apart from the last backwards, as each needs room in front. */
        uint32_t gso = run->gso, each = 4 + NRS_VNET + run->head, base = r->used;
        uint8_t *payloads = run->frame + NRS_VNET + run->head;
        for (uint32_t i = count; i-- > 0;) {
            uint32_t size = i == count - 1 ? run->payload - i * gso : gso;
            uint8_t *to = out + base + i * (each + gso) + each;
            memmove(to, payloads + i * gso, size);
        }
        for (uint32_t i = 0; i < count; i++) {
            uint32_t size = i == count - 1 ? run->payload - i * gso : gso;
            uint8_t *frame = frame_begin(out, r);
            memcpy(frame + NRS_VNET, run->original, run->head);
            combine_ecn(frame + NRS_VNET, run->ecn);
            frame_end(out, r, rebuild(frame, run->head, size, run->first + i, gso, 1, 0));
        }
        return;
    }
    frame_end(out, r, rebuild(run->frame, run->head, run->payload, run->first, run->gso, count, (int)run->ended));
}

static int open_segment(nrs_opener *o, struct run *run, const uint8_t *body, uint32_t length, const uint8_t *d,
                        uint32_t ecn, int udp_offload, uint8_t *out, nrs_opened *r) {
    uint32_t index = d[16], head = d[17], gso = get16(d + 18), last = d[1] & LAST, payload;
    if (head >= length) return NRS_DROP_MALFORMED;
    payload = length - head;
    if (payload > gso || (payload < gso && !last)) return NRS_DROP_MALFORMED;
    if (run->count && index == run->next && !run->ended && head == run->head && gso == run->gso &&
        !memcmp(body, run->original, head)) {
        memcpy(run->frame + NRS_VNET + head + run->payload, body + head, payload);
        run->payload += payload;
        run->count++;
    } else {
        run_flush(run, udp_offload, out, r);
        if (!is_head(body, head)) return NRS_DROP_MALFORMED;
        if (!allowed(o, body, body[0] >> 4)) return NRS_DROP_SOURCE;
        run->frame = frame_begin(out, r);
        memcpy(run->frame + NRS_VNET, body, length);
        if (!combine_ecn(run->frame + NRS_VNET, ecn)) return NRS_DROP_MALFORMED;
        run->original = body;
        run->ecn = ecn;
        run->head = head;
        run->first = index;
        run->gso = gso;
        run->payload = payload;
        run->count = 1;
    }
    run->next = index + 1;
    run->ended = last;
    r->packets++;
    r->bytes += length;
    return NRS_OK;
}

static int open_packet(nrs_opener *o, const uint8_t *packet, uint32_t length, uint32_t partial, uint32_t start,
                       uint32_t offset, uint32_t ecn, uint8_t *out, nrs_opened *r) {
    uint32_t version = ip_version(packet, length);
    if (!version) return NRS_DROP_MALFORMED;
    if (partial && (start < ip_header(packet) || start + offset + 2 > length)) return NRS_DROP_MALFORMED;
    if (!allowed(o, packet, version)) return NRS_DROP_SOURCE;
    uint8_t *frame = frame_begin(out, r);
    memcpy(frame + NRS_VNET, packet, length);
    if (!combine_ecn(frame + NRS_VNET, ecn)) return NRS_DROP_MALFORMED;
    if (partial)
        vnet(frame, NEEDS_CHECKSUM, 0, 0, 0, start, offset);
    else
        memset(frame, 0, NRS_VNET);
    frame_end(out, r, NRS_VNET + length);
    r->packets++;
    r->bytes += length;
    return NRS_OK;
}

/* Small UDP packets of one flow that follow each other, joined into one super-packet as
   the kernel's own GRO does: the last frame of the out buffer grows. */
struct joined {
    uint8_t *frame;
    const uint8_t *original;
    uint32_t head, gso, count, payload;
    int closed;
};

/* The length of the headers of a whole UDP packet without options; 0 for any other. */
static uint32_t plain_udp(const uint8_t *p, uint32_t size) {
    uint32_t head;
    if (size >= 28 && p[0] == 0x45) {
        if (get16(p + 2) != size || (get16(p + 6) & 0x3fff) || p[9] != UDP) return 0;
        head = 28;
    } else if (size >= 48 && p[0] >> 4 == 6) {
        if (get16(p + 4) != size - 40 || p[6] != UDP) return 0;
        head = 48;
    } else {
        return 0;
    }
    return size > head && get16(p + head - 4) == size - head + 8 ? head : 0;
}

/* Whether a packet is the next one: equal but for lengths, checksums and the next IP id. */
static int continues(const struct joined *j, const uint8_t *p, uint32_t head, uint32_t payload) {
    const uint8_t *q = j->original;
    if (!j->count || j->closed || head != j->head || payload > j->gso || j->count == MOST_SEGMENTS) return 0;
    if (head == 28)
        return !memcmp(p, q, 2) && get16(p + 4) == ((get16(q + 4) + j->count) & 0xffff) &&
               !memcmp(p + 6, q + 6, 4) && !memcmp(p + 12, q + 12, 12);
    return !memcmp(p, q, 4) && !memcmp(p + 6, q + 6, 38);
}

static void join_end(struct joined *j) {
    uint32_t count = j->count;
    j->count = 0;
    if (count < 2) return;
    uint32_t length = rebuild(j->frame, j->head, j->payload, 0, j->gso, count, 1);
    memcpy(j->frame - 4, &length, 4);
}

/* The first reason to leave something out: one datagram counts as one drop. */
static int open_batch(nrs_opener *o, const uint8_t *body, uint32_t length, uint32_t ecn, int udp_offload,
                      uint8_t *out, nrs_opened *r) {
    struct joined j = {0};
    uint32_t at = 0;
    int first = NRS_OK;
    while (at < length) {
        uint32_t entry = at + 2 <= length ? get16(body + at) : 0, size = entry & 0x7fff, start = 0, offset = 0;
        at += 2;
        if (!size || size > length - at) {
            join_end(&j);
            return first ? first : NRS_DROP_MALFORMED;
        }
        uint32_t partial = entry >> 15, head = udp_offload && partial ? plain_udp(body + at, size) : 0;
        if (head && continues(&j, body + at, head, size - head)) {
            memcpy(out + r->used, body + at + head, size - head);
            r->used += size - head;
            r->packets++;
            r->bytes += size;
            j.payload += size - head;
            j.closed = size - head < j.gso;
            j.count++;
            at += size;
            continue;
        }
        join_end(&j);
        if (partial && ip_version(body + at, size)) {
            offset = checksum_offset(transport(body + at, size, &start));
            partial = offset != 0;
        }
        int drop = open_packet(o, body + at, size, partial, start, offset, ecn, out, r);
        if (!first) first = drop;
        if (head && !drop) {
            j.frame = out + r->used - NRS_VNET - size;
            j.original = body + at;
            j.head = head;
            j.gso = j.payload = size - head;
            j.count = 1;
            j.closed = 0;
        }
        at += size;
    }
    join_end(&j);
    return first;
}

/* -- packets in pieces */

nrs_joiner *nrs_joiner_new(void) { return calloc(1, sizeof(nrs_joiner)); }
void nrs_joiner_free(nrs_joiner *joiner) { free(joiner); }

void nrs_joiner_age(nrs_joiner *joiner) {
    for (struct join *j = joiner->joins; j < joiner->joins + NRS_MOST_JOINS; j++)
        if (j->got && ++j->age > 1) j->got = 0;
}

/* A place for one more: of a session that has its share the oldest one's, else a free one, else the oldest of all. */
static struct join *join_place(nrs_joiner *joiner, uint32_t session) {
    struct join *first = joiner->joins, *empty = NULL, *oldest = first, *own = NULL;
    uint32_t share = 0;
    for (struct join *j = first; j < first + NRS_MOST_JOINS; j++) {
        if (!j->got) {
            empty = j;
            continue;
        }
        if (j->born < oldest->born) oldest = j;
        if (j->session != session) continue;
        share++;
        if (!own || j->born < own->born) own = j;
    }
    if (own && share >= NRS_JOINS_OF_A_SESSION) return own;
    return empty ? empty : oldest;
}

/* Pieces have consecutive numbers: that of the first one tells their packet. */
static int open_piece(nrs_opener *o, nrs_joiner *joiner, const uint8_t *d, uint32_t length, uint32_t ecn, uint8_t *out,
                      uint32_t capacity, nrs_opened *r) {
    uint32_t index = d[16], count = d[17], total = get16(d + 18), partial = d[1] & PARTIAL, each = length;
    uint64_t sequence = get64(d + 8);
    if (count < 2 || count > NRS_MOST_PIECES || index >= count || sequence <= index || !length || length > total ||
        total < PLACE + 20 || total > PLACE + NRS_MOST_PACKET)
        return NRS_DROP_MALFORMED;
    if (index == count - 1) {
        if ((total - length) % (count - 1)) return NRS_DROP_MALFORMED;
        each = (total - length) / (count - 1);
    }
    if (each * (count - 1) >= total || total > each * count) return NRS_DROP_MALFORMED;
    struct join *j = joiner->joins, *end = j + NRS_MOST_JOINS;
    while (j < end && !(j->got && j->session == o->index && j->lane == d[3] && j->first == sequence - index)) j++;
    if (j == end) {
        j = join_place(joiner, o->index);
        j->first = sequence - index;
        j->session = o->index;
        j->lane = d[3];
        j->count = count, j->each = each, j->total = total, j->partial = partial;
        j->born = joiner->born++;
        j->got = j->age = 0;
        j->ecn = ecn;
    } else if (j->count != count || j->each != each || j->total != total || j->partial != partial) {
        return NRS_DROP_MALFORMED;
    }
    memcpy(j->content + index * each, d + NRS_HEADER, length);
    j->got |= (uint64_t)1 << index;
    if (j->ecn != CE) j->ecn = ecn;
    if (j->got != ((uint64_t)1 << count) - 1) return NRS_OK;
    j->got = 0;
    if (capacity - r->used < 4 + NRS_VNET + total) return NRS_DROP_MALFORMED;
    return open_packet(o, j->content + PLACE, total - PLACE, partial, get16(j->content), get16(j->content + 2), j->ecn,
                       out, r);
}

static int is_known(uint32_t kind) {
    return (kind >= DATA && kind <= FRAGMENT) || (kind >= FIRST_CONTROL && kind <= LAST_CONTROL) ||
           (kind >= PATH_PROBE && kind <= TRAIN_ACK);
}

static int is_own(const nrs_opener *o, const uint8_t *d) {
    return d[0] != HELLO && d[0] != HELLO_ACK && d[0] != RETRY && get32(d + 4) == o->index;
}

/* Datagrams from byte `at` on that were opened together: bit n of `right` says that the nth has the right tag. */
struct checked {
    uint32_t at, count;
    uint64_t right;
};

/* Up to a control datagram, with which opening stops: nothing is opened again after it. The first is the session's. */
static void check(const nrs_opener *o, uint8_t *train, uint32_t length, uint32_t each, uint32_t at,
                  struct checked *c) {
    struct nrs_datagram datagrams[NRS_MOST_MESSAGES];
    c->at = at;
    c->count = 0;
    for (int control = 0; at < length && c->count < NRS_MOST_MESSAGES && !control; at += each) {
        uint8_t *d = train + at;
        uint32_t size = length - at < each ? length - at : each;
        if (size < o->overhead || !is_own(o, d) || !is_known(d[0])) break;
        datagrams[c->count++] = (struct nrs_datagram){d, size - o->protection.tag};
        control = d[0] >= FIRST_CONTROL;
    }
    c->right = nrs_unprotect(&o->protection, datagrams, c->count);
}

void nrs_open(nrs_opener *o, nrs_joiner *joiner, uint8_t *train, uint32_t length, uint32_t each, uint32_t start, uint32_t ecn,
              int udp_offload, uint8_t *out, uint32_t capacity, nrs_opened *r) {
    struct run run = {0};
    struct checked checked = {.at = start};
    uint32_t at = start, nth;
    r->stop = NRS_TRAIN_DONE;
    for (; at < length; at += each) {
        const uint8_t *d = train + at;
        uint32_t size = length - at < each ? length - at : each, body = size - o->overhead;
        if (size >= NRS_LEAST_BYTES && !is_own(o, d)) {
            r->stop = NRS_FOREIGN;
            break;
        }
        r->datagrams++;
        if (size < o->overhead || !is_known(d[0])) {
            r->drops[NRS_DROP_MALFORMED]++;
            continue;
        }
        uint64_t highest = d[3] < o->lanes ? o->windows[d[3]].highest : 0;
        nth = (at - checked.at) / each;
        if (nth >= checked.count) check(o, train, length, each, at, &checked), nth = 0;
        int drop = checked.right >> nth & 1 ? record(o, d) : NRS_DROP_TAG;
        if (drop) {
            r->drops[drop]++;
            continue;
        }
        r->authentic++;
        r->newest |= get64(d + 8) > highest;
        if (d[0] >= FIRST_CONTROL) {
            r->stop = NRS_CONTROL;
            r->at = at;
            r->size = size;
            run_flush(&run, udp_offload, out, r);
            return;
        }
        r->data++;
        if (capacity - r->used < run.payload + run.head + run.count * (4 + NRS_VNET + run.head) + 2 * size) {
            r->drops[NRS_DROP_MALFORMED]++;
            continue;
        }
        const uint8_t *p = d + NRS_HEADER;
        if (d[0] == SEGMENT) {
            drop = open_segment(o, &run, p, body, d, ecn, udp_offload, out, r);
        } else {
            run_flush(&run, udp_offload, out, r);
            if (d[0] == BATCH)
                drop = open_batch(o, p, body, ecn, udp_offload, out, r);
            else if (d[0] == FRAGMENT)
                drop = open_piece(o, joiner, d, body, ecn, out, capacity, r);
            else
                drop = open_packet(o, p, body, d[1] & PARTIAL, get16(d + 16), get16(d + 18), ecn, out, r);
        }
        if (drop) r->drops[drop]++;
    }
    run_flush(&run, udp_offload, out, r);
    r->at = at;
    r->size = 0;
}
