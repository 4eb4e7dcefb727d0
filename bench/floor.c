/* The floor: a tunnel between two fixed peers with the offloads and the tag of the real
   one, and nothing else. No sessions, no handshake, no replay window, no source checks, no
   batches. What an engine of this design costs cannot be less than this.

   Usage: floor fastest|libcrypto TUN_DEVICE BIND_IPV4 PEER_IPV4

   With `fastest` it tags as the codec does, a train at once by what this processor does fastest
   (files/agents/codec/crypto/); with `libcrypto` each datagram by itself where it lies.

   A datagram is header (20) | packet, or inner headers and one slice | HMAC-SHA256 (32):
   as long as the real protocol's, and each can be delivered alone. Nothing is copied in
   user space but a slice's headers, and slices that are tagged at once: the others go out of
   the device's buffer and all go into it as parts of iovecs, and for a whole packet the
   datagram's header and the device's lie in the same place in front of it. */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED /* the newer interface cannot copy a prepared state */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "nrs_hmac.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { HEADER = 20, TAG = 32, VNET = 10, MOST_SLICES = 64, MOST_RUN = 256, MOST_SEND = 65507, BUFFER = 70000 };
enum { WHOLE = 0, SLICE = 1, PARTIAL = 1, LAST = 2, GSO_UDP = 5, TURNS = 64 };
enum { PORT = 51820, SOCKET_BYTES = 26214400 };

/* The header: kind, flags, GSO type, length of inner headers, slice index (2), slice size
   (2), sequence number (8), checksum start (2) and offset (2). */

static SHA256_CTX inner_state, outer_state;
static nrs_crypto *crypto; /* NULL: each datagram by itself, by libcrypto */
static struct nrs_key key;
static int device, udp;
static uint64_t sequence;

static uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }
static void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v); }

static uint32_t sum16(const uint8_t *p, uint32_t length) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < length; i += 2) sum += get16(p + i);
    return sum;
}

static uint32_t fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void key_states(void) {
    uint8_t block[64];
    memset(block, 'k', 32);
    nrs_key_init(&key, block);
    memset(block, 'k' ^ 0x36, 32);
    memset(block + 32, 0x36, 32);
    SHA256_Init(&inner_state);
    SHA256_Update(&inner_state, block, sizeof block);
    memset(block, 'k' ^ 0x5c, 32);
    memset(block + 32, 0x5c, 32);
    SHA256_Init(&outer_state);
    SHA256_Update(&outer_state, block, sizeof block);
}

/* Over two pieces of which the second may be empty. */
static void tag(const uint8_t *head, size_t head_length, const uint8_t *rest, size_t length, uint8_t *out) {
    if (crypto) {
        nrs_tag(crypto, &key, head, (uint32_t)head_length, out);
        return;
    }
    uint8_t digest[32];
    SHA256_CTX context = inner_state;
    SHA256_Update(&context, head, head_length);
    if (length) SHA256_Update(&context, rest, length);
    SHA256_Final(digest, &context);
    context = outer_state;
    SHA256_Update(&context, digest, sizeof digest);
    SHA256_Final(out, &context);
}

/* -- from the device to the peer */

static void send_parts(struct iovec *parts, size_t count, size_t total, uint16_t each) {
    char control[CMSG_SPACE(sizeof each)] = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    if (total > each) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = IPPROTO_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof each);
        memcpy(CMSG_DATA(c), &each, sizeof each);
    }
    while (sendmsg(udp, &message, 0) < 0) {
        if (errno == EAGAIN) {
            struct pollfd wait = {.fd = udp, .events = POLLOUT};
            poll(&wait, 1, 10);
        } else if (errno != EINTR && errno != ECONNREFUSED) {
            return;
        }
    }
}

static void fill(uint8_t *h, uint32_t kind, uint32_t flags, uint32_t type, uint32_t head, uint32_t index,
                 uint32_t size, const struct virtio_net_hdr *v) {
    h[0] = (uint8_t)kind;
    h[1] = (uint8_t)flags;
    h[2] = (uint8_t)type;
    h[3] = (uint8_t)head;
    put16(h + 4, index);
    put16(h + 6, size);
    sequence++;
    put32(h + 8, (uint32_t)(sequence >> 32));
    put32(h + 12, (uint32_t)sequence);
    put16(h + 16, v->csum_start);
    put16(h + 18, v->csum_offset);
}

/* Slices whole and in a row, to be tagged at once. */
static struct {
    uint8_t out[BUFFER];
    struct nrs_message messages[MOST_SLICES];
} train;

static void send_train(uint32_t count, uint32_t bytes, uint32_t each) {
    struct iovec all = {train.out, bytes};
    nrs_tags(crypto, &key, train.messages, count);
    send_parts(&all, 1, bytes, (uint16_t)each);
}

static int from_device(void) {
    static uint8_t buffer[BUFFER], heads[MOST_SLICES][HEADER + 256], tags[MOST_SLICES][TAG];
    static struct iovec parts[3 * MOST_SLICES];
    uint8_t *packet = buffer + HEADER;
    ssize_t n = read(device, packet - VNET, sizeof buffer - HEADER - TAG);
    if (n <= VNET) return 0;
    struct virtio_net_hdr v;
    memcpy(&v, packet - VNET, sizeof v);
    uint32_t total = (uint32_t)n - VNET;
    if (v.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        uint32_t size = HEADER + total + TAG;
        fill(buffer, WHOLE, v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? PARTIAL : 0, 0, 0, 0, 0, &v);
        tag(buffer, HEADER + total, NULL, 0, packet + total);
        parts[0] = (struct iovec){buffer, size};
        send_parts(parts, 1, size, (uint16_t)size);
        return 1;
    }
    uint32_t head = v.csum_start + (v.gso_type == GSO_UDP ? 8u : (packet[v.csum_start + 12] >> 4) * 4u);
    uint32_t each = HEADER + head + v.gso_size + TAG, index = 0, count = 0, bytes = 0;
    if (head > 255 || head >= total || !v.gso_size) return 1;
    for (uint32_t at = head; at < total; at += v.gso_size, index++) {
        uint32_t length = total - at < v.gso_size ? total - at : v.gso_size;
        if (count == MOST_SLICES || bytes + each > MOST_SEND) {
            if (crypto)
                send_train(count, bytes, each);
            else
                send_parts(parts, 3 * count, bytes, (uint16_t)each);
            count = bytes = 0;
        }
        uint8_t *h = crypto ? train.out + bytes : heads[count];
        fill(h, SLICE, PARTIAL | (at + length == total ? LAST : 0), v.gso_type, head, index, v.gso_size, &v);
        memcpy(h + HEADER, packet, head);
        if (crypto) {
            uint32_t tagged = HEADER + head + length;
            memcpy(h + HEADER + head, packet + at, length);
            train.messages[count] = (struct nrs_message){h, tagged, h + tagged};
        } else {
            tag(h, HEADER + head, packet + at, length, tags[count]);
            parts[3 * count] = (struct iovec){h, HEADER + head};
            parts[3 * count + 1] = (struct iovec){packet + at, length};
            parts[3 * count + 2] = (struct iovec){tags[count], TAG};
        }
        bytes += HEADER + head + length + TAG;
        count++;
    }
    if (crypto)
        send_train(count, bytes, each);
    else
        send_parts(parts, 3 * count, bytes, (uint16_t)each);
    return 1;
}

/* -- from the peer to the device */

static struct {
    uint8_t *first; /* the first slice's datagram */
    uint32_t count, next, payload, head, size, ended;
    struct iovec parts[MOST_RUN];
} run;

static void flush_run(void) {
    if (!run.count) return;
    uint8_t *h = run.first, *p = h + HEADER;
    uint32_t index = get16(h + 4), start = get16(h + 16), offset = get16(h + 18);
    uint32_t total = run.head + run.payload, pseudo;
    uint8_t *t = p + start;
    if (p[0] >> 4 == 4) {
        put16(p + 2, total);
        put16(p + 4, get16(p + 4) + index);
        put16(p + 10, 0);
        put16(p + 10, ~fold(sum16(p, (p[0] & 15u) * 4)));
        pseudo = sum16(p + 12, 8);
    } else {
        put16(p + 4, total - 40);
        pseudo = sum16(p + 8, 32);
    }
    if (h[2] == GSO_UDP) {
        put16(t + 4, total - start);
        pseudo += IPPROTO_UDP;
    } else {
        put32(t + 4, get32(t + 4) + index * run.size);
        if (!run.ended) t[13] &= (uint8_t)~0x09; /* FIN and PSH only on the last */
        if (index) t[13] &= (uint8_t)~0x80;      /* CWR only on the first */
        pseudo += IPPROTO_TCP;
    }
    put16(t + offset, fold(pseudo + total - start));
    struct virtio_net_hdr v = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                               .csum_start = (uint16_t)start,
                               .csum_offset = (uint16_t)offset};
    if (run.count > 1) {
        v.gso_type = h[2];
        v.gso_size = (uint16_t)run.size;
        v.hdr_len = (uint16_t)run.head;
    }
    memcpy(p - VNET, &v, sizeof v);
    /* The first slice still has its headers in front. */
    run.parts[0] = (struct iovec){p - VNET, VNET + run.head + run.parts[0].iov_len};
    while (writev(device, run.parts, (int)run.count) < 0 && errno == EINTR) {}
    run.count = 0;
}

static void slice(uint8_t *d, uint32_t length) {
    uint32_t head = d[3], index = get16(d + 4), size = get16(d + 6);
    if (head < 28 || HEADER + head + TAG >= length) return;
    uint32_t payload = length - HEADER - head - TAG;
    if (!run.count || run.ended || index != run.next || head != run.head || size != run.size ||
        run.count == MOST_RUN || memcmp(d + HEADER, run.first + HEADER, head)) {
        flush_run();
        run.first = d;
        run.payload = 0;
        run.head = head;
        run.size = size;
    }
    run.parts[run.count++] = (struct iovec){d + HEADER + head, payload};
    run.payload += payload;
    run.next = index + 1;
    run.ended = d[1] & LAST;
}

static void whole(uint8_t *d, uint32_t length) {
    flush_run();
    struct virtio_net_hdr v = {0};
    if (d[1] & PARTIAL) {
        v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        v.csum_start = (uint16_t)get16(d + 16);
        v.csum_offset = (uint16_t)get16(d + 18);
    }
    memcpy(d + HEADER - VNET, &v, sizeof v);
    while (write(device, d + HEADER - VNET, VNET + length - HEADER - TAG) < 0 && errno == EINTR) {}
}

/* Bit n: the nth of the first datagrams of a train, as many as are checked at once, has the right tag. */
static uint64_t right_tags(uint8_t *d, uint32_t length, uint32_t each) {
    struct nrs_message messages[NRS_MOST_MESSAGES];
    uint32_t count = 0;
    for (uint32_t at = 0; at < length && count < NRS_MOST_MESSAGES; at += each) {
        uint32_t size = length - at < each ? length - at : each;
        if (size <= HEADER + TAG) break;
        messages[count++] = (struct nrs_message){d + at, size - TAG, d + at + size - TAG};
    }
    return nrs_right(crypto, &key, messages, count);
}

static int has_right_tag(const uint8_t *d, uint32_t size) {
    uint8_t own[TAG];
    tag(d, size - TAG, NULL, 0, own);
    return !CRYPTO_memcmp(own, d + size - TAG, TAG);
}

static int from_peer(void) {
    static uint8_t buffer[BUFFER];
    char control[64];
    struct iovec part = {buffer, sizeof buffer};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(udp, &message, 0);
    if (n <= 0) return 0;
    uint32_t length = (uint32_t)n, each = length;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            each = (uint32_t)size;
        }
    uint64_t right = 0;
    for (uint32_t at = 0, i = 0; at < length; at += each, i++) {
        uint8_t *d = buffer + at;
        uint32_t size = length - at < each ? length - at : each;
        if (crypto && i % NRS_MOST_MESSAGES == 0) right = right_tags(d, length - at, each);
        if (size <= HEADER + TAG) continue;
        if (!(crypto ? right >> i % NRS_MOST_MESSAGES & 1 : (uint64_t)has_right_tag(d, size))) continue;
        if (d[0] == SLICE)
            slice(d, size);
        else
            whole(d, size);
    }
    flush_run();
    return 1;
}

/* -- set-up */

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void open_device(const char *name) {
    static const unsigned attempts[] = {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6,
                                        TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, TUN_F_CSUM, 0};
    struct ifreq request = {0};
    device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (device < 0) die("/dev/net/tun");
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    if (ioctl(device, TUNSETIFF, &request) < 0) die("TUNSETIFF");
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        if (!ioctl(device, TUNSETOFFLOAD, attempts[i])) return;
    die("TUNSETOFFLOAD");
}

static void open_socket(const char *bind_to, const char *peer) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int on = 1, bytes = SOCKET_BYTES;
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (udp < 0) die("socket");
    setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    setsockopt(udp, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    if (setsockopt(udp, IPPROTO_UDP, UDP_GRO, &on, sizeof on) < 0) die("UDP_GRO");
    if (inet_pton(AF_INET, bind_to, &address.sin_addr) != 1) die(bind_to);
    if (bind(udp, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (inet_pton(AF_INET, peer, &address.sin_addr) != 1) die(peer);
    if (connect(udp, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
}

int main(int count, char **words) {
    int fastest = count == 5 && !strcmp(words[1], "fastest");
    if (!fastest && !(count == 5 && !strcmp(words[1], "libcrypto"))) {
        fprintf(stderr, "usage: floor fastest|libcrypto TUN_DEVICE BIND_IPV4 PEER_IPV4\n");
        return 2;
    }
    if (fastest && (!(crypto = nrs_crypto_new(NULL)) || !nrs_crypto_chosen(crypto, 0))) die("nrs_crypto_new");
    key_states();
    open_device(words[2]);
    open_socket(words[3], words[4]);
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    event.data.fd = device;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, device, &event)) die("epoll_ctl");
    event.data.fd = udp;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, udp, &event)) die("epoll_ctl");
    for (;;) {
        struct epoll_event ready[2];
        int n = epoll_wait(poller, ready, 2, -1);
        for (int i = 0; i < n; i++) {
            int (*serve)(void) = ready[i].data.fd == device ? from_device : from_peer;
            for (int turn = 0; turn < TURNS && serve(); turn++) {}
        }
    }
}
