#define _GNU_SOURCE 1 /* struct in6_pktinfo */
#include "nrs_carrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LEVEL_UDP = 17, UDP_SEGMENT = 103, UDP_GRO = 104 };
enum { LARGEST_FRAME = 65546, MOST_TRAINS = 16 };

_Static_assert(sizeof(nrs_path) == NRS_PATH, "what NRS_PATH says");

/* -- the TUN device */

int nrs_read_frames(int fd, uint8_t *arena, uint32_t capacity, nrs_frames *f) {
    uint32_t used = 0;
    f->count = 0;
    while (f->count < NRS_MOST_FRAMES && capacity - used >= LARGEST_FRAME) {
        ssize_t n = read(fd, arena + used, capacity - used);
        if (n <= 0) {
            if (n < 0 && errno == EINTR) continue;
            return n == 0 || errno == EAGAIN ? 0 : -errno;
        }
        f->offset[f->count] = used;
        f->length[f->count++] = (uint32_t)n;
        used += (uint32_t)n;
    }
    return 1;
}

uint32_t nrs_flow(const uint8_t *arena, const nrs_frames *f, uint32_t first, uint8_t key[NRS_FLOW_KEY]) {
    uint32_t frames = nrs_group(arena, f, first), bytes = nrs_flow_key(arena, f, first, key), flags = 0;
    if (bytes) flags = nrs_tcp_flags(arena, f, first, first + frames);
    return frames << 16 | flags << 8 | bytes;
}

void nrs_write_frames(int fd, const uint8_t *out, uint32_t used, uint32_t *full, uint32_t *refused) {
    *full = *refused = 0;
    for (uint32_t at = 0, length; at < used; at += 4 + length) {
        memcpy(&length, out + at, 4);
        ssize_t n;
        do n = write(fd, out + at + 4, length);
        while (n < 0 && errno == EINTR);
        if (n < 0) {
            if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
                ++*full;
            else
                ++*refused;
        }
    }
}

/* -- sending */

static void add_control(struct msghdr *m, int level, int type, const void *data, size_t length) {
    struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)m->msg_control + m->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(c), data, length);
    m->msg_controllen += CMSG_SPACE(length);
}

/* One system call, repeated once where that may help; 0 or errno. */
static int send_once(const nrs_path *path, const uint8_t *data, uint32_t length, uint32_t each, uint32_t ecn) {
    struct iovec part = {(void *)(uintptr_t)data, length};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(20) + CMSG_SPACE(sizeof(int))];
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
    memset(control, 0, sizeof control);
    if (path->address_length) {
        m.msg_name = (void *)(uintptr_t)path->address;
        m.msg_namelen = path->address_length;
    }
    if (each) {
        uint16_t size = (uint16_t)each;
        add_control(&m, LEVEL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    if (path->local_length == sizeof(struct in_pktinfo))
        add_control(&m, IPPROTO_IP, IP_PKTINFO, path->local, path->local_length);
    else if (path->local_length)
        add_control(&m, IPPROTO_IPV6, IPV6_PKTINFO, path->local, path->local_length);
    if (ecn) {
        int class = (int)ecn;
        if (path->ipv4)
            add_control(&m, IPPROTO_IP, IP_TOS, &class, sizeof class);
        else
            add_control(&m, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
    }
    if (!m.msg_controllen) m.msg_control = NULL;
    for (int attempt = 1;; attempt++) {
        if (sendmsg(path->fd, &m, 0) >= 0) return 0;
        if (errno == EINTR) continue;
        /* An ICMP error of an earlier datagram is reported once, and this one was not sent. */
        if (errno != ECONNREFUSED || attempt == 2) return errno;
    }
}

static void send_train(nrs_path *path, const uint8_t *out, const nrs_send *send, nrs_totals *t) {
    uint32_t count = (send->length + send->each - 1) / send->each;
    if (send->length > send->each && path->segmentation) {
        int error = send_once(path, out + send->offset, send->length, send->each, send->ecn);
        if (!error) {
            t->datagrams += count;
            return;
        }
        if (error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT) {
            path->segmentation = 0;
        } else if (error != EMSGSIZE && error != EINVAL) {
            t->full += count;
            return;
        }
    }
    for (uint32_t at = 0; at < send->length; at += send->each) {
        uint32_t length = send->length - at < send->each ? send->length - at : send->each;
        if (send_once(path, out + send->offset + at, length, 0, send->ecn))
            t->full++;
        else
            t->datagrams++;
    }
}

/* To the candidate what may go there, and the rest along the path; nothing goes twice. */
static void send_either_way(nrs_path *path, nrs_candidate *candidate, const uint8_t *out, const nrs_send *send, nrs_totals *t) {
    nrs_send there = *send, rest = *send;
    if (candidate->challenges_only)
        there.length = 0;
    else if (send->length > candidate->left)
        there.length = (uint32_t)candidate->left / send->each * send->each;
    rest.offset += there.length;
    rest.length -= there.length;
    candidate->left -= there.length;
    if (there.length) send_train(&candidate->path, out, &there, t);
    if (rest.length) send_train(path, out, &rest, t); /* which fails where it leads nowhere */
}

int nrs_carry_out(nrs_sealer *sealer, nrs_path *path, nrs_candidate *candidate, const uint8_t *arena,
                  const nrs_frames *frames, uint32_t first, uint32_t end, uint8_t *out, uint32_t capacity,
                  nrs_sealed *s, nrs_totals *t) {
    int segmented = path->segmentation;
    uint64_t too_long = 0;
    while (first < end) {
        memset(s, 0, offsetof(nrs_sealed, sends));
        nrs_seal(sealer, arena, frames, first, end, out, capacity, s);
        uint64_t before = t->full;
        for (uint32_t i = 0; i < s->count; i++) {
            if (candidate)
                send_either_way(path, candidate, out, &s->sends[i], t);
            else
                send_train(path, out, &s->sends[i], t);
        }
        /* Of what the socket had no room for, packets and bytes are left out by their share. */
        uint64_t lost = t->full - before, of = s->datagrams ? s->datagrams : 1;
        t->packets += s->packets - s->packets * lost / of;
        t->bytes += s->bytes - s->bytes * lost / of;
        t->batches += s->batches;
        t->batched += s->batched;
        t->malformed += s->malformed;
        if (s->next == first) { /* more than a whole buffer */
            t->malformed++;
            first++;
        } else {
            first = s->next;
        }
        too_long |= s->too_long;
    }
    s->too_long = too_long;
    return (too_long ? 1 : 0) | (segmented && !path->segmentation ? 2 : 0);
}

/* -- receiving */

int nrs_receive(int fd, uint8_t *buffer, uint32_t capacity, nrs_train *t) {
    struct iovec part = {buffer, capacity};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(20) + 2 * CMSG_SPACE(sizeof(int))];
    struct msghdr m = {.msg_name = t->address,
                       .msg_namelen = sizeof t->address,
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    ssize_t n;
    do n = recvmsg(fd, &m, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    t->length = t->each = (uint32_t)n;
    t->ecn = t->local_length = 0;
    t->address_length = m.msg_namelen;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == LEVEL_UDP && c->cmsg_type == UDP_GRO) {
            int each;
            memcpy(&each, CMSG_DATA(c), sizeof each);
            if (each > 0) t->each = (uint32_t)each;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(t->local, CMSG_DATA(c), 20);
            int link_local = t->local[0] == 0xfe && (t->local[1] & 0xc0) == 0x80;
            if (!link_local) memset(t->local + 16, 0, 4); /* any interface: routes may change */
            t->local_length = 20;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info, own = {0};
            memcpy(&info, CMSG_DATA(c), sizeof info);
            own.ipi_spec_dst = info.ipi_spec_dst;
            memset(t->local, 0, sizeof t->local);
            memcpy(t->local, &own, sizeof own);
            t->local_length = sizeof own;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int class;
            memcpy(&class, CMSG_DATA(c), sizeof class);
            t->ecn = (uint32_t)class & 3;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            t->ecn = CMSG_DATA(c)[0] & 3u;
        }
    }
    t->index = 0;
    if (n >= 8) t->index = (uint32_t)buffer[4] << 24 | (uint32_t)buffer[5] << 16 | (uint32_t)buffer[6] << 8 | buffer[7];
    return 1;
}

static void sift(nrs_sieve *sieve, const uint8_t *buffer, const nrs_train *t, nrs_sifted *r) {
    uint64_t wrong = r->tag;
    nrs_sift(sieve, buffer, t->length, t->each, r);
    if (r->tag == wrong) return;
    r->address_length = t->address_length;
    memcpy(r->address, t->address, sizeof r->address);
}

static int passes(nrs_sieve *sieve, const uint8_t *buffer, const nrs_train *t, nrs_sifted *r) {
    r->count = 0;
    if (t->length >= 8 && nrs_sieve_knows(sieve, buffer)) return 1;
    sift(sieve, buffer, t, r);
    return r->count > 0;
}

/* A train costs one; one of HELLOs as many as it has. */
static uint64_t cost(uint64_t wrong) { return wrong ? wrong : 1; }

int nrs_receive_strays(nrs_sieve *sieve, int fd, uint8_t *buffer, uint32_t capacity, nrs_train *t, uint32_t most,
                       nrs_sifted *r) {
    r->count = 0;
    for (uint64_t spent = 0, wrong; spent < most; spent += cost(r->tag - wrong)) {
        int received = nrs_receive(fd, buffer, capacity, t);
        if (received <= 0) return received;
        wrong = r->tag;
        sift(sieve, buffer, t, r);
        if (r->count) return NRS_WORTH;
    }
    return NRS_SPENT;
}

int nrs_receive_known(nrs_sieve *sieve, int fd, uint8_t *buffer, uint32_t capacity, nrs_train *t, uint32_t most,
                      nrs_sifted *r) {
    for (uint64_t spent = 0, wrong; spent < most; spent += cost(r->tag - wrong)) {
        int received = nrs_receive(fd, buffer, capacity, t);
        if (received <= 0) return received;
        wrong = r->tag;
        if (passes(sieve, buffer, t, r)) return NRS_WORTH;
    }
    return NRS_SPENT;
}

static int is_from(const nrs_path *path, const nrs_train *t) {
    return path->address_length == t->address_length && !memcmp(path->address, t->address, t->address_length);
}

/* And to where the path sends from. */
static int came_along(const nrs_path *path, const nrs_train *t) {
    return is_from(path, t) && path->local_length == t->local_length && !memcmp(path->local, t->local, t->local_length);
}

static uint32_t carry_train(nrs_opener *opener, nrs_joiner *joiner, const nrs_path *path, const nrs_candidate *candidate,
                            nrs_sieve *sieve, uint8_t *buffer, const nrs_train *train, uint32_t start, int udp_offload,
                            uint8_t *out, uint32_t capacity, int tun, nrs_opened *o, nrs_totals *t, nrs_sifted *r) {
    uint32_t full, refused;
    int connected = !path->address_length && !candidate;
    int elsewhere = sieve && !connected && !is_from(path, train) && !(candidate && is_from(&candidate->path, train));
    memset(o, 0, sizeof *o);
    if (elsewhere && !nrs_sieve_lets(sieve, (train->length - start + train->each - 1) / train->each, r)) {
        o->at = train->length;
        return 0;
    }
    nrs_open(opener, joiner, buffer, train->length, train->each, start, train->ecn, udp_offload, out, capacity, o);
    if (elsewhere && !o->newest) nrs_sieve_charge(sieve, o->drops[NRS_DROP_TAG] + o->drops[NRS_DROP_REPLAY]);
    nrs_write_frames(tun, out, o->used, &full, &refused);
    t->datagrams += o->datagrams;
    t->packets += o->packets;
    t->bytes += o->bytes;
    t->full += full;
    t->refused += refused;
    for (int i = 1; i < NRS_DROPS; i++) t->drops[i] += o->drops[i];
    return (o->authentic ? NRS_AUTHENTIC : 0u) | (o->data ? NRS_CARRIED_DATA : 0u) |
           (o->drops[NRS_DROP_TAG] ? NRS_BAD_TAG : 0u) |
           (o->newest && !connected && !came_along(path, train) ? NRS_ELSEWHERE : 0u);
}

int nrs_carry_in(nrs_opener *opener, nrs_joiner *joiner, const nrs_path *path, const nrs_candidate *candidate,
                 nrs_sieve *sieve, int fd, uint8_t *buffer, uint32_t size, nrs_train *train, uint32_t start,
                 int udp_offload, uint8_t *out, uint32_t capacity, int tun, nrs_opened *o, nrs_totals *t, nrs_sifted *r) {
    uint32_t bits = 0;
    for (int trains = 1;; start = 0) {
        train->start = start;
        bits |= carry_train(opener, joiner, path, candidate, sieve, buffer, train, start, udp_offload, out, capacity, tun,
                            o, t, r);
        if (o->stop != NRS_TRAIN_DONE || fd < 0 || bits & NRS_ELSEWHERE) return (int)(o->stop | bits);
        int own;
        do {
            if (trains++ == MOST_TRAINS) return (int)(o->stop | bits);
            int received = nrs_receive(fd, buffer, size, train);
            if (received <= 0) return (int)(o->stop | bits | (received ? 0u : NRS_DRAINED));
            own = train->index == nrs_opener_index(opener);
        } while (!own && sieve && !passes(sieve, buffer, train, r));
        if (!own) return (int)(o->stop | bits | NRS_WAITING);
    }
}
