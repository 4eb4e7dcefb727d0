/* Every function of the C codec at its limits, for a build with sanitizers: each buffer is a
   heap block of exactly the size that the function is told. */
#include "packets.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { INDEX = 0x01020304, ROOM = 512 * 1024, BODY = 1400 };

static nrs_joiner *joiner;
static uint32_t cipher, overhead; /* of all sealers and openers */

static void frames_of(nrs_frames *f, uint32_t length, uint32_t count) {
    memset(f, 0, sizeof *f);
    f->count = count;
    for (uint32_t i = 0; i < count; i++) f->offset[i] = i * length, f->length[i] = length;
}

static uint32_t small(uint8_t *frame, uint32_t version, uint32_t payload, uint32_t tos, int partial) {
    struct layout l = {.version = version, .protocol = UDP, .tos = tos, .payload = payload};
    uint32_t total = make_packet(frame + NRS_VNET, &l, 3);
    make_vnet(frame, &l, partial, 0);
    return NRS_VNET + total;
}

static uint32_t super(uint8_t *frame, uint32_t protocol, uint32_t payload, uint32_t gso) {
    struct layout l = {.version = 4, .protocol = protocol, .payload = payload};
    uint32_t total = make_packet(frame + NRS_VNET, &l, 5);
    make_vnet(frame, &l, 1, gso);
    return NRS_VNET + total;
}

static nrs_opener *open_all(void) {
    static const uint8_t any[16];
    nrs_opener *o = nrs_opener_new(crypto(), cipher, KEY, INDEX, 1, NRS_CHECK_SOURCE, NULL);
    CHECK(o && nrs_opener_own(o, 4, any, 0) && nrs_opener_own(o, 6, any, 0));
    return o;
}

static void tags(void) {
    nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 7, 9, NULL);
    CHECK(s);
    for (uint32_t length = 0; length <= BODY; length++) {
        uint8_t *body = exactly(length), *out = exactly(length + OVERHEAD), tag[32];
        unsigned size = 0;
        memset(body, (int)length, length);
        CHECK(nrs_seal_control(s, WIRE_PROBE, 1, 0xa1b2c3d4, body, length, out) == length + OVERHEAD);
        CHECK(HMAC(EVP_sha256(), KEY, 32, out, NRS_HEADER + length, tag, &size) && size == 32);
        CHECK(!memcmp(tag, out + NRS_HEADER + length, 32));
        CHECK(!memcmp(out, "\x26\1\7\x9\1\2\3\4", 8) && !memcmp(out + 16, "\xa1\xb2\xc3\xd4", 4));
        CHECK(load16(out + 14) == length + 1 && nrs_sealer_sequence(s) == length + 1);
        CHECK(!memcmp(out + NRS_HEADER, body, length));
        free(body), free(out);
    }
    nrs_sealer_free(s);
    nrs_sealer_free(NULL);
    nrs_opener_free(NULL);
}

static void lanes_and_addresses(void) {
    CHECK(!nrs_opener_new(crypto(), cipher, KEY, INDEX, 0, 0, NULL) && !nrs_opener_new(crypto(), cipher, KEY, INDEX, NRS_MOST_LANES + 1, 0, NULL));
    nrs_opener *o = nrs_opener_new(crypto(), cipher, KEY, INDEX, NRS_MOST_LANES, 0, NULL);
    uint8_t address[16] = {0};
    CHECK(!nrs_opener_own(o, 4, address, 33) && !nrs_opener_own(o, 6, address, 129));
    for (uint32_t i = 0; i < NRS_MOST_OWNED; i++) CHECK(nrs_opener_own(o, i & 1 ? 4 : 6, address, i & 1 ? 32 : 128));
    CHECK(!nrs_opener_own(o, 4, address, 32));
    for (uint32_t lane = 0; lane < NRS_MOST_LANES + 2; lane++) {
        nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 0, (uint8_t)lane, NULL);
        uint8_t datagram[OVERHEAD], again[OVERHEAD];
        CHECK(nrs_seal_control(s, WIRE_PROBE, 0, 0, NULL, 0, datagram) == overhead);
        memcpy(again, datagram, sizeof again);
        CHECK(nrs_verify(o, datagram, overhead) == (lane < NRS_MOST_LANES ? NRS_OK : NRS_DROP_MALFORMED));
        if (lane < NRS_MOST_LANES) {
            CHECK(nrs_opener_highest(o, lane) == 1 && nrs_opener_received(o, lane) == 1);
            CHECK(nrs_verify(o, again, overhead) == NRS_DROP_REPLAY);
        }
        for (uint32_t length = 0; length < overhead; length++) {
            uint8_t *cut = exactly(length);
            memcpy(cut, datagram, length);
            CHECK(nrs_verify(o, cut, length) == NRS_DROP_MALFORMED);
            free(cut);
        }
        nrs_sealer_free(s);
    }
    nrs_opener_free(o);
}

/* A packet from `source` comes through exactly if the prefix covers it. */
static void prefixes(void) {
    for (uint32_t version = 4; version <= 6; version += 2) {
        uint32_t bits = version == 4 ? 32 : 128;
        for (uint32_t prefix = 0; prefix <= bits; prefix++) {
            for (uint32_t flipped = 0; flipped < bits; flipped++) {
                uint8_t frame[128], datagram[256], out[8192];
                nrs_opener *o = nrs_opener_new(crypto(), cipher, KEY, INDEX, 1, NRS_CHECK_SOURCE, NULL);
                nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 0, 0, NULL);
                CHECK(nrs_opener_own(o, version, version == 4 ? OWN4 : OWN6, prefix));
                uint32_t total = small(frame, version, 4, 0, 0) - NRS_VNET;
                frame[NRS_VNET + (version == 4 ? 12 : 8) + flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);
                uint32_t size = nrs_seal_control(s, WIRE_DATA, 0, 0, frame + NRS_VNET, total, datagram);
                nrs_opened r;
                memset(&r, 0, sizeof r);
                nrs_open(o, joiner, datagram, size, size, 0, 0, 1, out, sizeof out, &r);
                CHECK(r.packets == (flipped >= prefix) && r.drops[NRS_DROP_SOURCE] == (flipped < prefix));
                nrs_sealer_free(s), nrs_opener_free(o);
            }
        }
    }
}

static void replay(void) {
    static const struct { uint64_t sequence; int drop; } cases[] = {
        {0, NRS_DROP_REPLAY}, {1, NRS_OK}, {1, NRS_DROP_REPLAY}, {8192, NRS_OK}, {2, NRS_OK}, {8193, NRS_OK},
        {1, NRS_DROP_REPLAY}, {3, NRS_OK}, {24577, NRS_OK}, {16385, NRS_DROP_REPLAY}, {16386, NRS_OK},
        {UINT64_MAX - 1, NRS_OK}, {UINT64_MAX, NRS_OK}, {UINT64_MAX, NRS_DROP_REPLAY}, {0, NRS_DROP_REPLAY},
        {1, NRS_DROP_REPLAY}, {UINT64_MAX - 8191, NRS_OK}, {UINT64_MAX - 8192, NRS_DROP_REPLAY},
    };
    nrs_opener *o = open_all();
    nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 0, 0, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t datagram[OVERHEAD];
        nrs_sealer_set_sequence(s, cases[i].sequence - 1);
        nrs_seal_control(s, WIRE_PROBE, 0, 0, NULL, 0, datagram);
        CHECK(nrs_verify(o, datagram, overhead) == cases[i].drop);
    }
    CHECK(nrs_opener_highest(o, 0) == UINT64_MAX && nrs_opener_received(o, 0) == 10);
    nrs_sealer_free(s), nrs_opener_free(o);
}

/* Seal `count` frames of `length` bytes with room for `capacity`; the sends are consistent. */
static uint32_t seal(nrs_sealer *s, const uint8_t *arena, uint32_t length, uint32_t count, uint32_t capacity,
                     nrs_sealed *r, uint8_t **kept) {
    nrs_frames f;
    frames_of(&f, length, count);
    uint8_t *exact = exactly((size_t)length * count), *out = exactly(capacity);
    memcpy(exact, arena, (size_t)length * count);
    memset(r, 0, sizeof *r);
    CHECK(nrs_group(exact, &f, 0) >= 1);
    nrs_seal(s, exact, &f, 0, count, out, capacity, r);
    CHECK(r->used <= capacity && r->count <= NRS_MOST_SENDS);
    uint32_t end = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        CHECK(r->sends[i].offset == end);
        end += r->sends[i].length;
    }
    CHECK(end == r->used);
    free(exact);
    if (kept)
        *kept = out;
    else
        free(out);
    return r->next;
}

/* From no room to enough: nothing is sealed, then everything; never a byte beyond. */
static void every_capacity(nrs_sealer *s, uint8_t *frame, uint32_t length, uint32_t most) {
    static nrs_sealed r;
    frame[NRS_VNET + 6] &= (uint8_t)~0x40; /* without DF, as what may be refused takes no room */
    uint32_t low = 0, high = most;
    CHECK(seal(s, frame, length, 1, 0, &r, NULL) == 0 && !r.used);
    CHECK(seal(s, frame, length, 1, most, &r, NULL) == 1 && r.used);
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;
        if (seal(s, frame, length, 1, middle, &r, NULL))
            high = middle;
        else
            low = middle;
    }
    CHECK(high >= r.used);
    for (uint32_t capacity = high > 80 ? high - 80 : 0; capacity < high + 80; capacity++)
        CHECK(seal(s, frame, length, 1, capacity, &r, NULL) == (capacity >= high));
}

static void sealing(void) {
    static nrs_sealed r;
    static uint8_t arena[NRS_MOST_FRAMES * 2048 + LARGEST_FRAME];
    nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 0, 0, NULL);
    memset(arena, 0x45, sizeof arena);
    nrs_sealer_limit(s, BODY, 0);
    for (uint32_t length = 0; length < 64; length++) { /* too short to be anything */
        CHECK(seal(s, arena, length, 2, ROOM, &r, NULL) == 2);
        CHECK(length >= NRS_VNET + 20 || r.malformed == 2);
    }
    for (uint32_t version = 4; version <= 6; version += 2)
        for (uint32_t payload = 0; payload <= 1400; payload += 7)
            for (int partial = 0; partial < 2; partial++) {
                uint32_t length = small(arena, version, payload, 0, partial);
                uint32_t whole = length - NRS_VNET <= BODY;
                CHECK(seal(s, arena, length, 1, ROOM, &r, NULL) == 1 && r.packets == 1 && r.datagrams == (whole ? 1 : 2));
            }
    every_capacity(s, arena, small(arena, 4, 100, 0, 1), 4000);
    every_capacity(s, arena, small(arena, 6, 1392, 0, 0), 5000);
    every_capacity(s, arena, super(arena, TCP, 20000, 1000), 100000);
    every_capacity(s, arena, super(arena, UDP, 640, 10), 100000);
    for (uint32_t body = 0; body <= NRS_MOST + 40; body += 40) { /* slices and pieces of every size */
        nrs_sealer_limit(s, body, 1);
        every_capacity(s, arena, super(arena, UDP, 20000, 1300), 200000);
        every_capacity(s, arena, super(arena, TCP, 20000, 8800), 200000);
        every_capacity(s, arena, small(arena, 4, NRS_MOST_PACKET - 28, 0, 1), 100000);
        small(arena, 4, NRS_MOST_PACKET - 28, 0, 1);
        arena[NRS_VNET + 6] = 0; /* without DF */
        CHECK(seal(s, arena, NRS_VNET + NRS_MOST_PACKET, 1, ROOM, &r, NULL) == 1 && r.packets == 1 && !r.too_long);
        CHECK(seal(s, arena, NRS_VNET + NRS_MOST_PACKET + 1, 1, ROOM, &r, NULL) == 1 && r.malformed == 1);
    }
    nrs_sealer_limit(s, BODY, 0);

    /* As many frames as there may be, in every out buffer that holds a part of them. */
    uint32_t length = small(arena, 4, 500, 0, 0);
    for (uint32_t i = 1; i < NRS_MOST_FRAMES; i++) memcpy(arena + i * length, arena, length);
    for (uint32_t capacity = 0; capacity < 45000; capacity += 97) {
        uint32_t next = seal(s, arena, length, NRS_MOST_FRAMES, capacity, &r, NULL);
        CHECK(next <= NRS_MOST_FRAMES && r.packets == next);
    }
    CHECK(seal(s, arena, length, NRS_MOST_FRAMES, ROOM, &r, NULL) == NRS_MOST_FRAMES && r.batched == 64);

    /* A super-packet of as many slices as an index can number, and of one more. */
    length = super(arena, TCP, 256 * 100, 100);
    CHECK(seal(s, arena, length, 1, ROOM, &r, NULL) == 1 && r.packets == 256 && r.datagrams == 256);
    length = super(arena, TCP, 256 * 100 + 1, 100);
    CHECK(seal(s, arena, length, 1, ROOM, &r, NULL) == 1 && r.malformed == 1 && !r.used);
    length = super(arena, TCP, LARGEST_FRAME - NRS_VNET - 40, 1);
    CHECK(length == LARGEST_FRAME && seal(s, arena, length, 1, ROOM, &r, NULL) == 1 && r.malformed == 1); /* 65,496 slices */
    length = super(arena, TCP, LARGEST_FRAME - NRS_VNET - 40, 1360);
    CHECK(seal(s, arena, length, 1, ROOM, &r, NULL) == 1 && r.packets == 49 && r.count == 2);
    length = super(arena, TCP, 3000, 1361); /* cut to the body */
    CHECK(seal(s, arena, length, 1, ROOM, &r, NULL) == 1 && r.datagrams == 3 && r.sends[0].each == BODY + overhead);
    length = super(arena, UDP, 3000, NRS_MOST_PACKET - 27); /* no slice is as long as that */
    CHECK(seal(s, arena, length, 1, ROOM, &r, NULL) == 1 && r.malformed == 1);
    for (uint32_t start = 0; start < 65536; start += 5) /* wherever a broken header points to */
        for (uint32_t offset = 0; offset < 20; offset += 2) {
            super(arena, TCP, 300, 100);
            store_native16(arena + 6, start), store_native16(arena + 8, offset);
            CHECK(seal(s, arena, NRS_VNET + 340, 1, 8192, &r, NULL) == 1);
        }

    /* Sends that cannot be joined, appended until the list is full. */
    memset(&r, 0, sizeof r);
    uint8_t *out = exactly(ROOM);
    nrs_frames f;
    memset(arena, 0, sizeof arena);
    for (uint32_t i = 0; i < 16; i++) length = small(arena + i * 128, 4, 20, i & 1, 0);
    frames_of(&f, 128, 16);
    for (uint32_t i = 0; i < 16; i++) f.length[i] = length;
    uint32_t calls = 0;
    do nrs_seal(s, arena, &f, 0, 16, out, ROOM, &r);
    while (r.next == 16 && ++calls < 1000);
    CHECK(r.count <= NRS_MOST_SENDS && r.count > NRS_MOST_SENDS - 4 && r.datagrams == r.count && r.next < 16);
    free(out);
    nrs_sealer_free(s);
}

/* What was sealed, opened into less and less room: dropped and counted, never written beyond. */
static void opening(void) {
    static nrs_sealed r;
    static uint8_t frame[LARGEST_FRAME];
    for (uint32_t what = 0; what < 8; what++) {
        nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 0, 0, NULL);
        uint32_t count = 1, length, udp_offload = what & 1;
        if (what < 2) {
            length = super(frame, UDP, 6000, 100);
        } else if (what < 4) {
            length = super(frame, TCP, 60000, 1200);
        } else if (what < 6) {
            length = super(frame, UDP, 1500, 1500); /* in two pieces */
        } else {
            length = small(frame, 4, 0, 0, 1);
            for (count = 1; count < 40; count++) memcpy(frame + count * length, frame, length);
        }
        uint8_t *out = NULL;
        CHECK(seal(s, frame, length, count, ROOM, &r, &out) == count && r.count == 1);
        uint8_t *train = exactly(r.used);
        memcpy(train, out, r.used);
        uint32_t enough = 0;
        for (uint32_t capacity = 0; capacity < 80000; capacity += capacity < 8000 ? 61 : 1709) {
            nrs_opener *o = open_all();
            uint8_t *room = exactly(capacity);
            nrs_opened opened;
            memset(&opened, 0, sizeof opened);
            memcpy(train, out, r.used);
            nrs_open(o, joiner, train, r.used, r.sends[0].each, 0, 0, (int)udp_offload, room, capacity, &opened);
            CHECK(opened.used <= capacity && opened.authentic == r.datagrams && opened.at >= r.used);
            CHECK(opened.drops[NRS_DROP_MALFORMED] <= r.datagrams);
            if (!opened.drops[NRS_DROP_MALFORMED]) {
                CHECK(opened.packets == r.packets);
                enough++;
            }
            free(room), nrs_opener_free(o);
        }
        CHECK(enough);
        /* Every length of train and of its datagrams, and a start anywhere. */
        for (uint32_t cut = 1; cut <= r.used && cut < 400; cut++) {
            nrs_opener *o = open_all();
            uint8_t *exact = exactly(cut), *room = exactly(65536);
            nrs_opened opened;
            memcpy(exact, out, cut);
            for (uint32_t each = 1; each < 500; each += 31)
                for (uint32_t start = 0; start <= cut; start += 53) {
                    memset(&opened, 0, sizeof opened);
                    nrs_open(o, joiner, exact, cut, each, start, 3, 0, room, 65536, &opened);
                    CHECK(opened.used <= 65536);
                }
            free(exact), free(room), nrs_opener_free(o);
        }
        free(train), free(out), nrs_sealer_free(s);
    }
}

/* A key is made of what is there, whatever the length and whatever the headers say. */
static void flows(void) {
    static const uint32_t protocols[] = {TCP, UDP, ICMP, 58, 0, 43};
    for (uint32_t version = 4; version <= 6; version += 2)
        for (uint32_t i = 0; i < 6; i++)
            for (uint32_t length = 0; length <= NRS_VNET + 90; length++) {
                uint8_t whole[NRS_VNET + 200] = {0}, key[NRS_FLOW_KEY];
                struct layout l = {.version = version, .protocol = UDP, .payload = 60};
                make_packet(whole + NRS_VNET, &l, 1);
                whole[NRS_VNET + (version == 4 ? 9 : 6)] = (uint8_t)protocols[i];
                whole[NRS_VNET + (version == 4 ? 20 : 40)] = version == 4 ? 8 : 128;
                uint8_t *arena = exactly(length);
                memcpy(arena, whole, length);
                static nrs_frames f;
                frames_of(&f, length, 1);
                uint32_t bytes = nrs_flow_key(arena, &f, 0, key), address = version == 4 ? 4 : 16;
                uint32_t least = NRS_VNET + (version == 4 ? 20 : 40);
                CHECK((bytes != 0) == (length >= least));
                CHECK(!bytes || bytes == 1 + 2 * address || bytes == 3 + 2 * address || bytes == 5 + 2 * address);
                if (bytes) {
                    CHECK(!memcmp(key + 1, whole + NRS_VNET + (version == 4 ? 12 : 8), 2 * address));
                    CHECK(nrs_tcp_flags(arena, &f, 0, 1) == 0 || protocols[i] == TCP);
                }
                free(arena);
            }
}

/* A packet in pieces: joined once, into as much room as it takes, and forgotten in time. */
static void pieces(void) {
    static nrs_sealed r;
    static uint8_t frame[LARGEST_FRAME];
    nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 0, 0, NULL);
    for (uint32_t capacity = 8900; capacity < 8930; capacity++)
        for (uint32_t ages = 0; ages < 3; ages++) {
            uint32_t length = small(frame, 6, NRS_MOST_PACKET - 48, 0, 1);
            uint8_t *out = NULL, *room = exactly(capacity);
            nrs_opener *o = open_all();
            nrs_opened opened;
            CHECK(seal(s, frame, length, 1, ROOM, &r, &out) == 1 && r.datagrams == 8);
            memset(&opened, 0, sizeof opened);
            for (uint32_t at = 0; at < r.used; at += NRS_SAFE) {
                uint32_t size = r.used - at < NRS_SAFE ? r.used - at : NRS_SAFE;
                uint8_t *datagram = exactly(size);
                memcpy(datagram, out + at, size);
                nrs_open(o, joiner, datagram, size, size, 0, 0, 1, room, capacity, &opened);
                if (!at)
                    for (uint32_t age = 0; age < ages; age++) nrs_joiner_age(joiner);
                free(datagram);
            }
            CHECK(opened.data == 8 && opened.used <= capacity);
            CHECK(opened.packets == (ages < 2 && capacity >= 4 + length + 4));
            nrs_joiner_age(joiner), nrs_joiner_age(joiner);
            free(out), free(room), nrs_opener_free(o);
        }
    nrs_sealer_free(s);
}

/* What an AEAD has sealed under RFC 5116's rules by libcrypto's own interface. */
static void encryption(void) {
    const EVP_CIPHER *own = cipher == NRS_AES_256_GCM ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
    nrs_sealer *s = nrs_sealer_new(crypto(), cipher, KEY, INDEX, 7, 9, NULL);
    nrs_opener *o = nrs_opener_new(crypto(), cipher, KEY, INDEX, NRS_MOST_LANES, 0, NULL);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    CHECK(s && o && context);
    for (uint32_t length = 0; length <= BODY; length++) {
        uint8_t *body = exactly(length), *out = exactly(length + overhead), *known = exactly(length), tag[16];
        uint8_t nonce[12] = {0, 0, 0, 9};
        int n;
        memset(body, (int)length, length);
        CHECK(nrs_seal_control(s, WIRE_PROBE, 1, 0xa1b2c3d4, body, length, out) == length + overhead);
        memcpy(nonce + 4, out + 8, 8);
        CHECK(EVP_EncryptInit_ex(context, own, NULL, KEY, nonce) && EVP_EncryptUpdate(context, NULL, &n, out, NRS_HEADER));
        CHECK(!length || EVP_EncryptUpdate(context, known, &n, body, (int)length));
        CHECK(EVP_EncryptFinal_ex(context, tag, &n) && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag));
        CHECK(!memcmp(out + NRS_HEADER, known, length) && !memcmp(out + NRS_HEADER + length, tag, 16));
        CHECK(!memcmp(out, "\x26\1\7\x9\1\2\3\4", 8) && load16(out + 14) == length + 1);
        CHECK(nrs_verify(o, out, length + overhead) == NRS_OK && !memcmp(out + NRS_HEADER, body, length));
        free(body), free(out), free(known);
    }
    EVP_CIPHER_CTX_free(context);
    nrs_sealer_free(s), nrs_opener_free(o);
}

int main(void) {
    CHECK(!nrs_sealer_new(crypto(), NRS_CIPHERS, KEY, INDEX, 0, 0, NULL));
    CHECK(!nrs_opener_new(crypto(), NRS_CIPHERS, KEY, INDEX, 1, 0, NULL));
    joiner = nrs_joiner_new();
    CHECK(joiner);
    flows();
    tags();
    for (cipher = 0; cipher < NRS_CIPHERS; cipher++) {
        overhead = NRS_HEADER + (cipher ? 16 : 32);
        if (cipher) encryption();
        pieces();
        lanes_and_addresses();
        prefixes();
        replay();
        sealing();
        opening();
    }
    nrs_joiner_free(joiner);
    puts("every limit held");
    return 0;
}
