/* libFuzzer: frames of a TUN device through nrs_group and nrs_seal, and back through nrs_open.

   Frames are ones that a kernel makes, or in the wild mode anything. Whatever they are,
   the out buffer is never exceeded and the sends tell the truth; what a kernel's frames
   make opens without a drop and carries the same payload. */
#include "packets.h"

enum { INDEX = 0x01020304, ROOM = 512 * 1024, OPENED = 200000, WILD = 1 };

struct expected {
    uint32_t offset, length; /* in the arena: the packet */
    uint32_t head;           /* of a super-packet; 0 for a small one */
    uint32_t gso;
    int tcp;
};

struct box {
    nrs_frames frames;
    uint8_t *arena;
    uint32_t used;
    struct expected expected[NRS_MOST_FRAMES];
    uint32_t sealed_frames;
    uint64_t too_long;   /* refused: not to be opened */
    uint32_t body;       /* the longest of a datagram */
    uint32_t at, inside; /* how far opening has come: frame, byte of its payload */
    nrs_opener *opener;
    nrs_joiner *joiner;
    uint8_t *opened; /* of OPENED bytes */
    int udp_offload;
};

static void take_frame(struct box *box, struct input *in, int wild) {
    uint32_t what = take8(in), index = box->frames.count;
    uint8_t *frame = box->arena + box->used;
    struct expected *e = &box->expected[index];
    uint32_t length;
    memset(e, 0, sizeof *e);
    if (wild && what < 0x60) {
        length = take_bytes(in, frame, what < 0x10 ? what : 80);
        if (what & 1) { /* at most a large frame of whatever came first */
            uint32_t more = take16(in);
            memset(frame + length, 0x45, more);
            length += more;
        }
    } else {
        int super = what & 1;
        struct layout l = take_layout(in, super ? 60000 : 1250);
        uint32_t gso = 0;
        if (super) {
            if (l.protocol == ICMP) l.protocol = TCP;
            gso = 1 + take16(in) % 1200;
            if (!l.payload) l.payload = 1;
            if (l.payload > 256 * gso) l.payload = 256 * gso;
        }
        e->length = make_packet(frame + NRS_VNET, &l, (uint8_t)what);
        e->tcp = l.protocol == TCP;
        make_vnet(frame, &l, l.protocol != ICMP && what & 2, gso);
        e->head = super ? l.head : 0;
        e->gso = gso;
        length = NRS_VNET + e->length;
        if (wild)
            for (uint32_t edits = what >> 2 & 7; edits; edits--) {
                uint32_t position = take8(in) % length;
                frame[position] = (uint8_t)take8(in);
            }
    }
    if (length > LARGEST_FRAME) length = LARGEST_FRAME;
    e->offset = box->used + NRS_VNET;
    box->frames.offset[index] = box->used;
    box->frames.length[index] = length;
    box->frames.count++;
    box->used += length;
}

static void skip_refused(struct box *box) {
    while (box->at < box->frames.count && box->too_long >> box->at & 1) box->at++;
}

/* Small UDP packets that came out as one super-packet: their payloads, and no others. */
static void check_joined(struct box *box, const uint8_t *packet, uint32_t total) {
    uint32_t head = native16(packet - 8), gso = native16(packet - 6), count = 0;
    CHECK(packet[-10] == 1 && (head == 28 || head == 48) && gso && total > head);
    for (uint32_t at = head; at < total; at += gso, count++) {
        uint32_t payload = total - at < gso ? total - at : gso;
        skip_refused(box);
        CHECK(box->at < box->sealed_frames);
        const struct expected *e = &box->expected[box->at++];
        CHECK(!e->head && e->length == head + payload);
        CHECK(!memcmp(packet + at, box->arena + e->offset + head, payload));
    }
    CHECK(count > 1);
}

/* The frames that came out of the tunnel, in the order in which they went in. */
static void check_opened(struct box *box, const uint8_t *out, uint32_t used, int wild) {
    for (uint32_t at = 0, length; at < used; at += 4 + length) {
        CHECK(used - at >= 4);
        memcpy(&length, out + at, 4);
        CHECK(length <= used - at - 4 && length >= NRS_VNET + 20);
        if (wild) continue;
        const uint8_t *packet = out + at + 4 + NRS_VNET;
        uint32_t total = length - NRS_VNET;
        skip_refused(box);
        CHECK(box->at < box->sealed_frames);
        const struct expected *e = &box->expected[box->at];
        const uint8_t *original = box->arena + e->offset;
        if (!e->head && packet[-9] == 5) {
            CHECK(box->udp_offload);
            check_joined(box, packet, total);
            continue;
        }
        if (!e->head) {
            CHECK(total == e->length && !memcmp(packet, original, total));
            CHECK(!memcmp(packet - NRS_VNET, original - NRS_VNET, NRS_VNET));
            box->at++;
            continue;
        }
        uint32_t gso = e->gso, payload = total - e->head;
        if (e->tcp && gso + e->head > box->body) gso = box->body - e->head;
        uint32_t slices = (payload + gso - 1) / gso;
        CHECK(total > e->head && payload <= e->length - e->head - box->inside);
        CHECK(!memcmp(packet + e->head, original + e->head + box->inside, payload));
        CHECK(packet[-10] == 1);
        if (slices > 1) {
            CHECK(packet[-9] & 7 && native16(packet - 8) == e->head && native16(packet - 6) == gso);
        } else {
            CHECK(!packet[-9]);
        }
        box->inside += payload;
        if (box->inside == e->length - e->head) box->at++, box->inside = 0;
    }
}

static void open_sends(struct box *box, const uint8_t *out, const nrs_sealed *sealed, int wild) {
    for (uint32_t i = 0; i < sealed->count; i++) {
        const nrs_send *send = &sealed->sends[i];
        uint8_t *train = exactly(send->length);
        memcpy(train, out + send->offset, send->length);
        nrs_opened r;
        memset(&r, 0, sizeof r);
        nrs_open(box->opener, box->joiner, train, send->length, send->each, 0, send->ecn, box->udp_offload, box->opened, OPENED,
                 &r);
        uint32_t count = (send->length + send->each - 1) / send->each;
        CHECK(r.stop == NRS_TRAIN_DONE && r.datagrams == count && r.authentic == count && r.data == count);
        CHECK(!r.drops[NRS_DROP_TAG] && !r.drops[NRS_DROP_REPLAY] && !r.drops[NRS_DROP_SOURCE]);
        if (!wild) CHECK(!r.drops[NRS_DROP_MALFORMED]);
        check_opened(box, box->opened, r.used, wild);
        free(train);
    }
}

static void check_sends(const nrs_sealed *r, uint32_t capacity, uint32_t asked, uint32_t body, uint32_t overhead) {
    uint32_t datagrams = 0, end = 0;
    CHECK(r->used <= capacity && r->count <= NRS_MOST_SENDS);
    for (uint32_t i = 0; i < r->count; i++) {
        const nrs_send *send = &r->sends[i];
        uint32_t count = (send->length + send->each - 1) / send->each;
        CHECK(send->offset == end && send->length && send->each >= overhead && send->each <= send->length);
        CHECK(count == 1 || (count <= 64 && send->length <= 65507));
        CHECK(send->ecn <= 3 && send->each <= overhead + body);
        end += send->length;
        datagrams += count;
    }
    CHECK(end == r->used && datagrams == r->datagrams);
    CHECK(r->batched >= 2 * r->batches && r->batches <= r->datagrams && r->batched <= r->packets);
    CHECK(r->malformed <= asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t scratch[NRS_MOST_FRAMES * (size_t)(LARGEST_FRAME + 65536)];
    static const uint8_t any[16];
    struct input in = {data, size};
    struct box box;
    memset(&box, 0, sizeof box);
    uint32_t options = take8(&in), room = take8(&in), most = 1 + take8(&in) % NRS_MOST_FRAMES;
    uint32_t cipher = take8(&in) % NRS_CIPHERS, overhead = NRS_HEADER + (cipher ? 16 : 32);
    int wild = (int)(options & WILD);
    uint32_t capacity = room & 1 ? ROOM : take16(&in) * (room >> 1 & 15);
    box.udp_offload = options >> 1 & 1;
    box.arena = scratch;
    box.body = options & 8 ? 400 + take16(&in) % 9000 : 1400;
    int settled = (int)(options >> 4 & 1);
    while (box.frames.count < most && in.left) take_frame(&box, &in, wild);
    if (!box.frames.count) return 0;
    uint8_t *arena = exactly(box.used), *out = exactly(capacity);
    memcpy(arena, scratch, box.used);
    box.arena = arena;
    nrs_sealer *sealer = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 0, 0, NULL);
    nrs_sealed *r = calloc(1, sizeof *r);
    box.opener = nrs_opener_new(crypto(), cipher, KEY, INDEX, 1, NRS_CHECK_SOURCE, NULL);
    box.joiner = nrs_joiner_new();
    box.opened = exactly(OPENED);
    CHECK(sealer && r && box.opener && box.joiner);
    nrs_sealer_limit(sealer, box.body, settled);
    if (box.body < NRS_LEAST - overhead) box.body = NRS_LEAST - overhead;
    if (box.body > NRS_MOST - overhead) box.body = NRS_MOST - overhead;
    CHECK(nrs_opener_own(box.opener, 4, any, 0) && nrs_opener_own(box.opener, 6, any, 0));

    uint64_t datagrams = 0;
    for (uint32_t first = 0, end; first < box.frames.count;) {
        end = options & 4 ? box.frames.count : first + nrs_group(arena, &box.frames, first);
        CHECK(end > first && end <= box.frames.count);
        while (first < end) {
            memset(r, 0, sizeof *r);
            nrs_seal(sealer, arena, &box.frames, first, end, out, capacity, r);
            CHECK(r->next >= first && r->next <= end);
            check_sends(r, capacity, r->next - first, box.body, overhead);
            datagrams += r->datagrams;
            CHECK(nrs_sealer_sequence(sealer) == datagrams);
            box.sealed_frames = r->next;
            box.too_long |= r->too_long;
            CHECK(settled || !r->too_long);
            CHECK(wild || !r->malformed);
            open_sends(&box, out, r, wild);
            skip_refused(&box);
            CHECK(wild || (box.at == r->next && !box.inside));
            /* What does not fit into an empty buffer is given up, as the engine does. */
            first = r->next == first ? first + 1 : r->next;
            if (box.at < first) box.at = first;
        }
    }
    CHECK(nrs_opener_received(box.opener, 0) == datagrams && nrs_opener_highest(box.opener, 0) == datagrams);
    nrs_sealer_free(sealer);
    nrs_opener_free(box.opener);
    nrs_joiner_free(box.joiner);
    free(box.opened);
    free(r);
    free(arena);
    free(out);
    return 0;
}
