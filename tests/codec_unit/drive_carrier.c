/* Every function of the carrier, on real descriptors, for a build with sanitizers. */
#include "packets.h"

#include "nrs_carrier.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INDEX = 0x01020304, ROOM = 256 * 1024 };
enum { LEVEL_UDP = 17, OPTION_GRO = 104 };

static void reading(void) {
    int pair[2];
    static nrs_frames f;
    uint8_t message[1500];
    memset(message, 7, sizeof message);
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
    uint32_t capacity = NRS_MOST_FRAMES * 1500 + LARGEST_FRAME, sent = 0;
    uint8_t *arena = exactly(capacity);
    while (sent < 200 && send(pair[1], message, 1 + sent * 7, 0) > 0) sent++;
    CHECK(sent > NRS_MOST_FRAMES);
    for (uint32_t left = sent, number = 0; left;) {
        CHECK(nrs_read_frames(pair[0], arena, capacity, &f) == (left >= NRS_MOST_FRAMES));
        CHECK(f.count == (left < NRS_MOST_FRAMES ? left : NRS_MOST_FRAMES));
        for (uint32_t i = 0, used = 0; i < f.count; i++, number++) {
            CHECK(f.offset[i] == used && f.length[i] == 1 + number * 7);
            used += f.length[i];
        }
        left -= f.count;
    }
    CHECK(nrs_read_frames(pair[0], arena, capacity, &f) == 0 && f.count == 0);
    CHECK(send(pair[1], message, 100, 0) == 100);
    CHECK(nrs_read_frames(pair[0], arena, LARGEST_FRAME - 1, &f) == 1 && f.count == 0); /* no room for any */
    CHECK(nrs_read_frames(pair[0], arena, LARGEST_FRAME, &f) == 1 && f.count == 1);
    close(pair[1]);
    CHECK(nrs_read_frames(pair[0], arena, capacity, &f) == 0 && f.count == 0);
    close(pair[0]);
    CHECK(nrs_read_frames(pair[0], arena, capacity, &f) == -EBADF && f.count == 0);
    free(arena);
}

static void writing(void) {
    uint32_t full = 9, refused = 9, length = 100, used = 0;
    uint8_t *out = exactly(1000 * 104);
    memset(out, 1, 1000 * 104);
    for (uint32_t i = 0; i < 1000; i++, used += 104) memcpy(out + used, &length, 4);
    nrs_write_frames(-1, out, 0, &full, &refused);
    CHECK(!full && !refused);
    int pair[2], device = open("/dev/full", O_WRONLY);
    CHECK(device >= 0);
    nrs_write_frames(device, out, used, &full, &refused);
    CHECK(!full && refused == 1000);
    close(device);
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
    nrs_write_frames(pair[0], out, used, &full, &refused);
    CHECK(full && full < 1000 && !refused);
    uint32_t arrived = 0;
    uint8_t message[200];
    while (recv(pair[1], message, sizeof message, 0) == 100) arrived++;
    CHECK(arrived + full == 1000);
    close(pair[0]), close(pair[1]), free(out);
}

/* A UDP socket on the loopback, and how a path names it. */
static int bound(int family, nrs_path *there) {
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), one = 1, most = 4 << 20;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = family == AF_INET ? sizeof four : sizeof six;
    CHECK(fd >= 0);
    CHECK(!bind(fd, family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six, length));
    memset(there, 0, sizeof *there);
    there->address_length = sizeof there->address;
    CHECK(!getsockname(fd, (struct sockaddr *)there->address, &there->address_length));
    there->ipv4 = family == AF_INET;
    there->segmentation = 1;
    setsockopt(fd, LEVEL_UDP, OPTION_GRO, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof most);
    if (family == AF_INET) {
        setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof one);
    } else {
        CHECK(!setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one));
        CHECK(!setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one));
    }
    return fd;
}

/* Let a path lead to where a train came from. */
static void lead_to(nrs_path *path, const nrs_train *t) {
    path->address_length = t->address_length;
    memcpy(path->address, t->address, sizeof path->address);
    path->local_length = t->local_length;
    memcpy(path->local, t->local, sizeof path->local);
}

static nrs_opener *open_all(void) {
    static const uint8_t any[16];
    nrs_opener *o = nrs_opener_new(crypto(), NRS_CLEAR, KEY, INDEX, 1, NRS_CHECK_SOURCE, NULL);
    CHECK(o && nrs_opener_own(o, 4, any, 0) && nrs_opener_own(o, 6, any, 0));
    return o;
}

/* A super-packet and small packets with ECN go over, with the kernel's segmentation and without. */
static void carrying(int family, int segmentation) {
    nrs_path there, here, path;
    int from = bound(family, &here), to = bound(family, &there), tun[2];
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, tun));
    uint8_t *arena = exactly(ROOM), *out = exactly(512 * 1024), *buffer = exactly(70000), *room = exactly(ROOM);
    static nrs_frames f;
    static nrs_sealed sealed;
    nrs_totals sent = {0}, received = {0};
    struct layout big = {.version = 4, .protocol = TCP, .tos = 2, .payload = 40000};
    struct layout little = {.version = 6, .protocol = UDP, .payload = 30};
    uint32_t whole = NRS_VNET + make_packet(arena + NRS_VNET, &big, 5), used = whole;
    make_vnet(arena, &big, 1, 1000);
    f = (nrs_frames){.count = 4, .length = {whole}};
    for (uint32_t i = 1; i < 4; i++) {
        f.offset[i] = used;
        f.length[i] = NRS_VNET + make_packet(arena + used + NRS_VNET, &little, i);
        make_vnet(arena + used, &little, 0, 0);
        used += f.length[i];
    }
    path = there;
    path.fd = from;
    path.segmentation = segmentation;
    nrs_sealer *sealer = nrs_sealer_new(crypto(), NRS_CLEAR, KEY, INDEX, 0, 0, NULL);
    CHECK(!nrs_carry_out(sealer, &path, NULL, arena, &f, 0, 4, out, 512 * 1024, &sealed, &sent));
    CHECK(sent.packets == 44 - 1 && sent.datagrams == 41 && sent.batches == 1 && sent.batched == 3);
    CHECK(!sent.full && !sent.malformed);

    nrs_opener *opener = open_all();
    nrs_joiner *joiner = nrs_joiner_new();
    CHECK(joiner);
    nrs_path back = {.fd = to, .segmentation = 1, .address_length = 1};
    nrs_train train;
    nrs_opened opened;
    int trains = 0, bits = 0, got;
    while ((got = nrs_receive(to, buffer, 70000, &train))) {
        CHECK(got == 1 && train.index == INDEX && train.address_length);
        if (!trains++) CHECK(train.ecn == 2);
        CHECK((family == AF_INET6) == (train.local_length == 20));
        bits = nrs_carry_in(opener, joiner, &back, NULL, NULL, -1, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &received, NULL);
        CHECK(bits == (NRS_TRAIN_DONE | NRS_AUTHENTIC | NRS_CARRIED_DATA | (trains == 1 ? NRS_ELSEWHERE : 0)));
        lead_to(&back, &train);
    }
    CHECK(trains >= 2 && received.packets == 43 && received.datagrams == 41 && !received.full);
    CHECK(back.address_length == here.address_length && !memcmp(back.address, here.address, here.address_length));
    uint32_t frames = 0;
    while (recv(tun[1], buffer, 70000, 0) > 0) frames++;
    CHECK(frames >= 4);

    /* All at once: the trains after the first one are received by the call itself. */
    nrs_opener *another = open_all();
    nrs_totals together = {0};
    nrs_sealer_set_sequence(sealer, 0);
    nrs_carry_out(sealer, &path, NULL, arena, &f, 0, 4, out, 512 * 1024, &sealed, &together);
    memset(&together, 0, sizeof together);
    CHECK(nrs_receive(to, buffer, 70000, &train) == 1);
    bits = nrs_carry_in(another, joiner, &back, NULL, NULL, to, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &together, NULL);
    while (!(bits & NRS_DRAINED)) {
        CHECK(bits == (NRS_TRAIN_DONE | NRS_AUTHENTIC | NRS_CARRIED_DATA));
        CHECK(nrs_receive(to, buffer, 70000, &train) == 1);
        bits = nrs_carry_in(another, joiner, &back, NULL, NULL, to, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &together, NULL);
    }
    CHECK(together.packets == 43 && together.datagrams == 41);
    while (recv(tun[1], buffer, 70000, 0) > 0) continue;
    nrs_opener_free(another);

    /* Another session's train is left in the buffer. */
    nrs_sealer *other = nrs_sealer_new(crypto(), NRS_CLEAR, KEY, INDEX + 1, 0, 0, NULL);
    nrs_sealer_set_sequence(sealer, 9000);
    nrs_carry_out(sealer, &path, NULL, arena, &f, 1, 4, out, 512 * 1024, &sealed, &sent);
    nrs_carry_out(other, &path, NULL, arena, &f, 1, 4, out, 512 * 1024, &sealed, &sent);
    CHECK(nrs_receive(to, buffer, 70000, &train) == 1);
    if (train.length == train.each) { /* not coalesced with the first one's */
        bits = nrs_carry_in(opener, joiner, &back, NULL, NULL, to, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &together, NULL);
        CHECK(bits == (NRS_TRAIN_DONE | NRS_AUTHENTIC | NRS_CARRIED_DATA | NRS_WAITING));
        CHECK(train.index == INDEX + 1);
    } else {
        bits = nrs_carry_in(opener, joiner, &back, NULL, NULL, to, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &together, NULL);
        CHECK(bits == (NRS_FOREIGN | NRS_AUTHENTIC | NRS_CARRIED_DATA) && opened.at == train.each);
    }
    while (recv(tun[1], buffer, 70000, 0) > 0) continue;
    nrs_sealer_free(other);

    /* Again: replayed, nothing is written, and the path stays. */
    back.address_length = 1;
    nrs_sealer_set_sequence(sealer, 0);
    nrs_carry_out(sealer, &path, NULL, arena, &f, 1, 4, out, 512 * 1024, &sealed, &sent);
    CHECK(nrs_receive(to, buffer, 70000, &train) == 1);
    CHECK(nrs_carry_in(opener, joiner, &back, NULL, NULL, -1, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &received, NULL) == NRS_TRAIN_DONE);
    CHECK(received.drops[NRS_DROP_REPLAY] == 1 && back.address_length == 1);
    buffer[30] ^= 1;
    CHECK(nrs_carry_in(opener, joiner, &back, NULL, NULL, -1, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &received, NULL) ==
          (NRS_TRAIN_DONE | NRS_BAD_TAG));
    CHECK(received.drops[NRS_DROP_TAG] == 1);
    CHECK(recv(tun[1], buffer, 70000, 0) < 0 && errno == EAGAIN);

    /* By a router's sieve: strangers' trains between those of a session are dropped, and old ones from elsewhere soon. */
    static nrs_sifted sifted;
    memset(&sifted, 0, sizeof sifted);
    nrs_sieve *sieve = nrs_sieve_new(crypto());
    CHECK(sieve && nrs_sieve_know(sieve, INDEX));
    uint8_t junk[OVERHEAD + 1] = {NRS_VERSION};
    nrs_sealer_set_sequence(sealer, 9500);
    for (int i = 0; i < 3; i++) {
        nrs_carry_out(sealer, &path, NULL, arena, &f, 1, 4, out, 512 * 1024, &sealed, &sent);
        CHECK(sendto(from, junk, sizeof junk, 0, (struct sockaddr *)there.address, there.address_length) == sizeof junk);
    }
    uint64_t before = received.packets;
    lead_to(&back, &train);
    CHECK(nrs_receive_known(sieve, to, buffer, 70000, &train, 9, &sifted) == NRS_WORTH && train.index == INDEX);
    nrs_sieve_allow(sieve, 0, 1);
    bits = nrs_carry_in(opener, joiner, &back, NULL, sieve, to, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &received, &sifted);
    CHECK(bits == (NRS_TRAIN_DONE | NRS_AUTHENTIC | NRS_CARRIED_DATA | NRS_DRAINED));
    CHECK(received.packets == before + 9 && sifted.no_session == 3 && sifted.datagrams == 3 && !sifted.rate);
    while (recv(tun[1], buffer, 70000, 0) > 0) continue;
    for (int i = 0; i < 3; i++) {
        back.address_length = 1;
        nrs_sealer_set_sequence(sealer, 9500);
        nrs_carry_out(sealer, &path, NULL, arena, &f, 1, 4, out, 512 * 1024, &sealed, &sent);
        CHECK(nrs_receive_known(sieve, to, buffer, 70000, &train, 9, &sifted) == NRS_WORTH);
        CHECK(nrs_carry_in(opener, joiner, &back, NULL, sieve, to, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &received, &sifted) ==
              (NRS_TRAIN_DONE | NRS_DRAINED));
        CHECK(sifted.rate == (i ? (uint64_t)i : 0) && received.drops[NRS_DROP_REPLAY] == 2 && back.address_length == 1);
    }
    nrs_sieve_free(sieve);

    /* A control datagram stops the train. */
    uint8_t control[OVERHEAD];
    nrs_sealer_set_sequence(sealer, 5000);
    nrs_seal_control(sealer, 9, 0, 0, NULL, 0, control);
    CHECK(sendto(from, control, sizeof control, 0, (struct sockaddr *)there.address, there.address_length) == OVERHEAD);
    CHECK(nrs_receive(to, buffer, 70000, &train) == 1);
    bits = nrs_carry_in(opener, joiner, &back, NULL, NULL, -1, buffer, 70000, &train, 0, 1, room, ROOM, tun[0], &opened, &received, NULL);
    CHECK(bits == (NRS_CONTROL | NRS_AUTHENTIC) && opened.at == 0 && opened.size == OVERHEAD);

    /* Nothing, next to nothing, and nobody there. */
    CHECK(nrs_receive(to, buffer, 70000, &train) == 0);
    CHECK(sendto(from, control, 0, 0, (struct sockaddr *)there.address, there.address_length) == 0);
    CHECK(nrs_receive(to, buffer, 70000, &train) == 1 && !train.length && train.index == 0);
    CHECK(sendto(from, control, 7, 0, (struct sockaddr *)there.address, there.address_length) == 7);
    CHECK(nrs_receive(to, buffer, 70000, &train) == 1 && train.index == 0);
    memset(&sent, 0, sizeof sent);
    path.fd = -1;
    nrs_carry_out(sealer, &path, NULL, arena, &f, 0, 4, out, 512 * 1024, &sealed, &sent);
    CHECK(sent.full == 41 && !sent.datagrams && !sent.packets && !sent.bytes);

    close(from), close(to), close(tun[0]), close(tun[1]);
    free(arena), free(out), free(buffer), free(room);
    nrs_sealer_free(sealer), nrs_opener_free(opener), nrs_joiner_free(joiner);
}

/* The datagrams that wait at a socket. */
static uint32_t waiting(int fd, uint8_t *buffer) {
    nrs_train train;
    uint32_t count = 0;
    while (nrs_receive(fd, buffer, 70000, &train) == 1) count += (train.length + train.each - 1) / train.each;
    return count;
}

/* A super-packet goes to a candidate as far as it may, the rest along the path, and nothing twice. */
static void splitting(int segmentation) {
    nrs_path before, here;
    nrs_candidate candidate = {0};
    int from = bound(AF_INET, &here), old = bound(AF_INET, &before), new = bound(AF_INET, &candidate.path);
    uint8_t *arena = exactly(ROOM), *out = exactly(512 * 1024), *buffer = exactly(70000);
    static nrs_frames f;
    static nrs_sealed sealed;
    struct layout big = {.version = 4, .protocol = TCP, .payload = 40000};
    f = (nrs_frames){.count = 1, .length = {NRS_VNET + make_packet(arena + NRS_VNET, &big, 5)}};
    make_vnet(arena, &big, 1, 1000);
    before.fd = candidate.path.fd = from;
    before.segmentation = candidate.path.segmentation = segmentation;
    nrs_sealer *sealer = nrs_sealer_new(crypto(), NRS_CLEAR, KEY, INDEX, 0, 0, NULL);
    nrs_totals t = {0};
    nrs_carry_out(sealer, &before, NULL, arena, &f, 0, 1, out, 512 * 1024, &sealed, &t);
    CHECK(t.datagrams == 40 && waiting(old, buffer) == 40);
    uint32_t each = sealed.sends[0].each;
    for (uint32_t fit = 0; fit <= 40; fit++) {
        for (uint32_t more = 0; more < each; more += each - 1) {
            candidate.left = fit * (uint64_t)each + more;
            nrs_carry_out(sealer, &before, &candidate, arena, &f, 0, 1, out, 512 * 1024, &sealed, &t);
            CHECK(waiting(new, buffer) == fit && waiting(old, buffer) == 40 - fit && candidate.left == more);
        }
    }
    CHECK(!t.full);
    candidate.left = 1ull << 40;
    candidate.challenges_only = 1;
    nrs_carry_out(sealer, &before, &candidate, arena, &f, 0, 1, out, 512 * 1024, &sealed, &t);
    CHECK(waiting(new, buffer) == 0 && waiting(old, buffer) == 40 && candidate.left == 1ull << 40);
    candidate.left = 7 * each;
    candidate.challenges_only = 0;
    before.address_length = 0;
    nrs_carry_out(sealer, &before, &candidate, arena, &f, 0, 1, out, 512 * 1024, &sealed, &t);
    CHECK(waiting(new, buffer) == 7 && t.full == 33);
    close(from), close(old), close(new);
    free(arena), free(out), free(buffer);
    nrs_sealer_free(sealer);
}

int main(void) {
    reading();
    writing();
    for (int segmentation = 0; segmentation < 2; segmentation++) {
        carrying(AF_INET, segmentation);
        carrying(AF_INET6, segmentation);
        splitting(segmentation);
    }
    puts("every limit held");
    return 0;
}
