/* Inner packets and a cursor over fuzzing input, for the tests of the C codec. */
#ifndef PACKETS_H
#define PACKETS_H

#include "nrs_codec.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Unlike assert() it is there in every build, and a fuzzer reports it as a crash. */
#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

enum { TCP = 6, UDP = 17, ICMP = 1 };
enum { WIRE_DATA = 0, WIRE_SEGMENT = 1, WIRE_BATCH = 2, WIRE_FRAGMENT = 3, WIRE_PROBE = 6 };
enum { OVERHEAD = NRS_HEADER + NRS_TAG, LARGEST_FRAME = 65546 };

static const uint8_t KEY[32] = "0123456789abcdefghijklmnopqrstuv";
static const uint8_t OWN4[4] = {10, 10, 100, 1};
static const uint8_t OWN6[16] = {0xfd, 0, 0, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t FAR4[4] = {198, 51, 100, 10};
static const uint8_t FAR6[16] = {0x20, 1, 0xd, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};

/* What all of a program's codec tags with: it stays to the end. */
static inline const nrs_crypto *crypto(void) {
    static nrs_crypto *made;
    if (!made) made = nrs_crypto_new(NULL);
    CHECK(made && nrs_crypto_chosen(made, 0));
    return made;
}

struct input {
    const uint8_t *data;
    size_t left;
};

static inline uint32_t take8(struct input *in) {
    if (!in->left) return 0;
    in->left--;
    return *in->data++;
}
static inline uint32_t take16(struct input *in) {
    uint32_t high = take8(in);
    return high << 8 | take8(in);
}
static inline uint32_t take32(struct input *in) {
    uint32_t high = take16(in);
    return high << 16 | take16(in);
}
static inline uint32_t take_bytes(struct input *in, uint8_t *to, uint32_t most) {
    uint32_t n = most < in->left ? most : (uint32_t)in->left;
    memcpy(to, in->data, n);
    in->data += n;
    in->left -= n;
    return n;
}

static inline void store16(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline uint32_t load16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t native16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static inline void store_native16(uint8_t *p, uint32_t v) {
    uint16_t s = (uint16_t)v;
    memcpy(p, &s, 2);
}

/* A heap block of exactly this size: the sanitizer sees every byte beyond it. */
static inline uint8_t *exactly(size_t size) {
    uint8_t *p = malloc(size ? size : 1);
    CHECK(p);
    return p;
}

struct layout {
    uint32_t version, protocol, tos, payload;
    uint32_t options;     /* words behind the IPv4 or TCP header, 0..10 */
    uint32_t extensions;  /* IPv6 extension headers of 8 bytes, 0..3 */
    uint32_t start, head; /* out: where the transport header is, where the payload */
};

/* A packet of this layout into `p`; its length. The payload counts up from `seed`. */
static inline uint32_t make_packet(uint8_t *p, struct layout *l, uint8_t seed) {
    static const uint8_t kinds[3] = {0, 60, 43};
    uint32_t transport;
    if (l->version == 4) {
        l->start = 20 + 4 * l->options;
        memset(p, 1, l->start);
        p[0] = (uint8_t)(0x40 | l->start / 4);
        p[1] = (uint8_t)l->tos;
        store16(p + 4, 0xfffe);
        store16(p + 6, 0x4000);
        p[8] = 64;
        p[9] = (uint8_t)l->protocol;
        memcpy(p + 12, OWN4, 4);
        memcpy(p + 16, FAR4, 4);
    } else {
        l->start = 40 + 8 * l->extensions;
        memset(p, 0, l->start);
        p[0] = (uint8_t)(0x60 | l->tos >> 4);
        p[1] = (uint8_t)(l->tos << 4);
        p[6] = (uint8_t)(l->extensions ? kinds[0] : l->protocol);
        p[7] = 64;
        memcpy(p + 8, OWN6, 16);
        memcpy(p + 24, FAR6, 16);
        for (uint32_t i = 0; i < l->extensions; i++)
            p[40 + 8 * i] = i + 1 < l->extensions ? kinds[i + 1] : (uint8_t)l->protocol;
    }
    uint8_t *t = p + l->start;
    transport = l->protocol == TCP ? 20 + 4 * l->options : 8;
    memset(t, 0, transport);
    store16(t, 40000);
    store16(t + 2, 443);
    if (l->protocol == TCP) {
        t[6] = t[7] = 0xff;
        t[12] = (uint8_t)(transport / 4 << 4);
        t[13] = 0x99; /* CWR, ACK, PSH, FIN */
    }
    l->head = l->start + transport;
    uint32_t total = l->head + l->payload;
    if (l->version == 4)
        store16(p + 2, total);
    else
        store16(p + 4, total - 40);
    if (l->protocol == UDP) store16(t + 4, total - l->start);
    for (uint32_t i = 0; i < l->payload; i++) p[l->head + i] = (uint8_t)(seed + i * 7);
    return total;
}

static inline uint32_t checksum_at(uint32_t protocol) { return protocol == TCP ? 16 : protocol == UDP ? 6 : 0; }

/* The virtio header of a small packet, or of a super-packet where `gso` is not 0. */
static inline void make_vnet(uint8_t *frame, const struct layout *l, int partial, uint32_t gso) {
    memset(frame, 0, NRS_VNET);
    if (!partial && !gso) return;
    frame[0] = 1;
    if (gso) {
        frame[1] = l->protocol == UDP ? 5 : l->version == 4 ? 1 : 4;
        store_native16(frame + 2, l->head);
        store_native16(frame + 4, gso);
    }
    store_native16(frame + 6, l->start);
    store_native16(frame + 8, checksum_at(l->protocol));
}

/* A layout from input; never one that the sealing side would not find in a kernel's frame. */
static inline struct layout take_layout(struct input *in, uint32_t most_payload) {
    static const uint8_t protocols[4] = {TCP, UDP, ICMP, TCP};
    uint32_t shape = take8(in), extra = take8(in);
    struct layout l = {0};
    l.version = shape & 1 ? 6 : 4;
    l.protocol = protocols[shape >> 1 & 3];
    l.tos = shape >> 3 & 3;
    l.options = shape & 0x20 ? extra % 11 : 0;
    l.extensions = shape & 0x40 ? extra / 11 % 4 : 0;
    l.payload = take16(in) % (most_payload + 1);
    return l;
}

#endif
