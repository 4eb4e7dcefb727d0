/* libFuzzer: what a peer sends, authentic or not, against nrs_open.

   The input is a little program: parameters, then datagrams. Most are given a right tag
   with the session's own key, so that everything behind the tag is reached; a peer that
   holds its key may be a stolen one. After each train the frames are held against what
   may reach a TUN device. */
#include "packets.h"

enum { INDEX = 0x01020304, MOST_TRAIN = 65535, LANES = 3 };

struct peer {
    nrs_sealer *lanes[LANES + 2]; /* one lane more than the opener has, and a foreign index */
    nrs_opener *opener;
    nrs_joiner *joiner;
    uint32_t check, udp_offload, ecn, capacity, cipher, overhead;
    uint8_t *train;
    uint32_t length, each;
};

static int is_own(const uint8_t *p, uint32_t version, uint32_t check) {
    if (version == 4) return check ? !memcmp(p + 16, FAR4, 4) : !memcmp(p + 12, OWN4, 4);
    return check ? !memcmp(p + 24, FAR6, 16) : !memcmp(p + 8, OWN6, 16);
}

static void check_frame(const struct peer *peer, const uint8_t *frame, uint32_t length) {
    CHECK(length >= NRS_VNET + 20);
    const uint8_t *p = frame + NRS_VNET;
    uint32_t total = length - NRS_VNET, version = p[0] >> 4;
    CHECK(version == 4 || (version == 6 && total >= 40));
    CHECK(is_own(p, version, peer->check));
    uint32_t ip = version == 4 ? (p[0] & 15u) * 4 : 40, type = frame[1] & 0x7f;
    CHECK(frame[0] <= 1);
    CHECK(type == 0 || type == (version == 4 ? 1 : 4) || (type == 5 && peer->udp_offload));
    CHECK(frame[0] || !frame[1]);
    if (frame[0]) {
        uint32_t start = native16(frame + 6), offset = native16(frame + 8);
        CHECK(start >= ip && start >= 20 && start + offset + 2 <= total);
    }
    if (type) {
        uint32_t head = native16(frame + 2), gso = native16(frame + 4);
        CHECK(gso && head > ip && head < total && total - head > gso);
        CHECK((total - head + gso - 1) / gso <= 256);
        if (version == 4)
            CHECK(load16(p + 2) == total && !(load16(p + 6) & 0x3fff));
        else
            CHECK(load16(p + 4) == total - 40);
    }
}

static void open_train(struct peer *peer) {
    if (!peer->length) return;
    uint8_t *train = exactly(peer->length), *out = exactly(peer->capacity);
    memcpy(train, peer->train, peer->length);
    uint32_t start = 0;
    while (start < peer->length) {
        nrs_opened r;
        memset(&r, 0, sizeof r);
        nrs_open(peer->opener, peer->joiner, train, peer->length, peer->each, start, peer->ecn, (int)peer->udp_offload, out,
                 peer->capacity, &r);
        CHECK(r.used <= peer->capacity);
        uint32_t at = 0, frames = 0, length;
        for (; at < r.used; at += 4 + length, frames++) {
            CHECK(r.used - at >= 4);
            memcpy(&length, out + at, 4);
            CHECK(length <= r.used - at - 4);
            check_frame(peer, out + at + 4, length);
        }
        uint32_t behind = r.drops[NRS_DROP_SOURCE] + r.drops[NRS_DROP_MALFORMED];
        CHECK(r.packets >= frames && (r.bytes > 0) == (frames > 0));
        CHECK(r.stop <= NRS_FOREIGN && r.data + (r.stop == NRS_CONTROL) == r.authentic);
        CHECK(r.authentic + r.drops[NRS_DROP_TAG] + r.drops[NRS_DROP_REPLAY] <= r.datagrams);
        CHECK(r.datagrams <= r.authentic + r.drops[NRS_DROP_TAG] + r.drops[NRS_DROP_REPLAY] + behind);
        CHECK(behind <= r.datagrams && r.newest <= 1 && !r.drops[NRS_OK]);
        CHECK(r.at >= start && (r.at - start) % peer->each == 0);
        CHECK(r.datagrams == (r.at - start) / peer->each + (r.stop == NRS_CONTROL));
        if (r.stop == NRS_TRAIN_DONE) {
            CHECK(r.at >= peer->length);
            break;
        }
        CHECK(r.at < peer->length);
        if (r.stop == NRS_CONTROL) CHECK(r.size >= peer->overhead && r.size <= peer->each && r.size <= peer->length - r.at);
        start = r.at + peer->each;
    }
    if (peer->cipher == NRS_CLEAR) CHECK(!memcmp(train, peer->train, peer->length));
    free(out);
    free(train);
    peer->length = 0;
}

/* As the kernel puts a train together: equal lengths, the last may be shorter. */
static void add(struct peer *peer, const uint8_t *datagram, uint32_t length) {
    if (peer->length && (length > peer->each || peer->length % peer->each || peer->length + length > MOST_TRAIN))
        open_train(peer);
    if (!peer->length) peer->each = length;
    memcpy(peer->train + peer->length, datagram, length);
    peer->length += length;
}

static void seal_one(struct peer *peer, struct input *in, uint32_t kind, uint32_t flags, uint32_t specific,
                     const uint8_t *body, uint32_t length) {
    uint8_t datagram[4096];
    uint32_t how = take8(in), lane = how & 7;
    nrs_sealer *sealer = peer->lanes[how < 0xc0 || lane >= LANES + 2 ? 0 : lane];
    if (how >= 0x80 && how < 0xc0) /* a jump, or a number that was used before */
        nrs_sealer_set_sequence(sealer, nrs_sealer_sequence(sealer) + (how & 1 ? take32(in) : 0) - (how & 2 ? take16(in) : 0));
    uint32_t size = nrs_seal_control(sealer, kind, flags, specific, body, length, datagram);
    CHECK(size == length + peer->overhead);
    if (how == 0x7f) {
        uint32_t position = take16(in) % size;
        datagram[position] ^= (uint8_t)take8(in);
    }
    add(peer, datagram, size);
}

/* A packet of a template or raw bytes, with some bytes changed. */
static uint32_t take_packet(struct input *in, uint8_t *p, struct layout *l) {
    uint32_t how = take8(in), total;
    if (how < 0x30) {
        memset(l, 0, sizeof *l);
        return take_bytes(in, p, 300);
    }
    *l = take_layout(in, 1200);
    if (how & 1) l->payload %= 32;
    total = make_packet(p, l, (uint8_t)how);
    for (uint32_t edits = how >> 1 & 3; edits; edits--) {
        uint32_t position = take8(in) % total;
        p[position] = (uint8_t)take8(in);
    }
    return how & 8 ? take8(in) % (total + 1) : total;
}

static void take_segments(struct peer *peer, struct input *in) {
    uint8_t body[2048], packet[2048];
    struct layout l;
    uint32_t total = take_packet(in, packet, &l), how = take8(in), index = take8(in), count = how & 0x3f;
    uint32_t head = l.head <= total ? l.head : 0;
    if (total > 20 && take8(in) >= 0xf0) packet[6] ^= 0x20; /* of IPv4: a first fragment */
    if (how & 0x40) head = take8(in);
    if (head > total) head = total;
    uint32_t payload = total - head, gso = how & 0x80 ? take16(in) : payload;
    memcpy(body, packet, total);
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t odd = in->left ? take8(in) : 0, length = total;
        uint32_t last = i == count ? 2 : odd & 2;
        if (odd >= 0xe0 && head) body[odd % head] ^= (uint8_t)(1 + take8(in) % 255);
        if (odd >= 0xc0 && odd < 0xe0) index += odd & 3;
        if (last && payload) length = head + 1 + odd % payload;
        seal_one(peer, in, WIRE_SEGMENT, 1 | last, (index & 255) << 24 | head << 16 | (gso & 0xffff), body, length);
        index++;
    }
}

/* A packet in pieces, in order or not, some of them wrong. */
static void take_pieces(struct peer *peer, struct input *in) {
    uint8_t content[4 + 2048];
    struct layout l;
    uint32_t total = 4 + take_packet(in, content + 4, &l), count = 2 + take8(in) % 6, flags = take8(in);
    uint32_t each = (total + count - 1) / count;
    store16(content, flags & 2 ? l.start : take8(in) & 63);
    store16(content + 2, checksum_at(l.protocol));
    for (uint32_t i = 0; i < count && i * each < total; i++) {
        uint32_t odd = in->left ? take8(in) : 0, index = odd >= 0xf0 ? take8(in) : i, said = total;
        uint32_t length = total - i * each < each ? total - i * each : each;
        if (odd >= 0xe0 && odd < 0xf0) said = take16(in);
        if (odd >= 0xd0 && odd < 0xe0) length = odd & 15 ? length / (odd & 15) : 0;
        if (odd >= 0xc0 && odd < 0xd0) nrs_joiner_age(peer->joiner);
        seal_one(peer, in, WIRE_FRAGMENT, flags & 1, (index & 255) << 24 | count << 16 | said, content + i * each, length);
    }
}

static void take_batch(struct peer *peer, struct input *in) {
    uint8_t body[3000], packet[2048];
    uint32_t length = 0, entries = 1 + take8(in) % 40;
    for (uint32_t i = 0; i < entries && length < 1000; i++) {
        struct layout l;
        uint32_t size = take_packet(in, packet, &l), how = take8(in), entry = size | (how & 1) << 15;
        if (how >= 0xe0) entry ^= take16(in);
        store16(body + length, entry);
        memcpy(body + length + 2, packet, size);
        length += 2 + size;
    }
    if (entries > 39 && length) length--;
    seal_one(peer, in, WIRE_BATCH, 0, entries, body, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t capacities[8] = {262144, 262144, 262144, 0, 1, 1500, 3000, 9000};
    struct input in = {data, size};
    struct peer peer = {0};
    uint32_t options = take8(&in), room = take8(&in);
    peer.cipher = take8(&in) % NRS_CIPHERS;
    peer.overhead = NRS_HEADER + (peer.cipher ? 16 : 32);
    peer.check = options & 1;
    peer.udp_offload = options >> 1 & 1;
    peer.ecn = options >> 2 & 3;
    peer.capacity = capacities[room & 7] + (room >> 3);
    peer.train = malloc(MOST_TRAIN + 4096);
    peer.opener = nrs_opener_new(crypto(), peer.cipher, KEY, INDEX, LANES, peer.check, NULL);
    peer.joiner = nrs_joiner_new();
    CHECK(peer.train && peer.opener && peer.joiner);
    CHECK(nrs_opener_own(peer.opener, 4, peer.check ? FAR4 : OWN4, 32));
    CHECK(nrs_opener_own(peer.opener, 6, peer.check ? FAR6 : OWN6, 128));
    for (uint32_t i = 0; i < LANES + 2; i++) {
        peer.lanes[i] = nrs_sealer_new(crypto(), peer.cipher, KEY, i == LANES + 1 ? INDEX + 1 : INDEX, 0, (uint8_t)(i == LANES + 1 ? 0 : i), NULL);
        CHECK(peer.lanes[i]);
        nrs_sealer_set_sequence(peer.lanes[i], (uint64_t)(options >> 4) << 60);
    }
    while (in.left) {
        uint8_t body[4096];
        struct layout l;
        uint32_t kind = take8(&in);
        if (kind < 0x10) {
            take_pieces(&peer, &in);
        } else if (kind < 0x40) {
            take_segments(&peer, &in);
        } else if (kind < 0x70) {
            take_batch(&peer, &in);
        } else if (kind < 0xb0) { /* DATA */
            uint32_t length = take_packet(&in, body, &l), flags = take8(&in), specific = l.start << 16 | checksum_at(l.protocol);
            if (flags & 0x80) specific = take32(&in);
            if (flags & 0x40) specific = (take8(&in) & 63) << 16 | (take8(&in) & 31); /* near the right place */
            seal_one(&peer, &in, WIRE_DATA, flags, specific, body, length);
        } else if (kind < 0xc8) { /* any type, any body */
            uint32_t length = take_bytes(&in, body, 64), flags = take8(&in);
            seal_one(&peer, &in, kind & 15, flags, take32(&in), body, length);
        } else if (kind < 0xe0) { /* raw bytes of any length */
            uint32_t length = 1 + take8(&in);
            memset(body, NRS_VERSION, length);
            take_bytes(&in, body, length);
            add(&peer, body, length);
        } else if (kind < 0xf0) {
            open_train(&peer);
        } else if (peer.length) { /* datagrams cut at other places than they were made */
            peer.each = 1 + take16(&in) % peer.length;
            open_train(&peer);
        }
    }
    open_train(&peer);
    for (uint32_t i = 0; i < LANES + 2; i++) nrs_sealer_free(peer.lanes[i]);
    nrs_opener_free(peer.opener);
    nrs_joiner_free(peer.joiner);
    free(peer.train);
    return 0;
}
