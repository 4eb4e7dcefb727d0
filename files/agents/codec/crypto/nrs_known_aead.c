#include "nrs_known_answers.h"

#include <string.h>

enum { CASES = 3, FULL = 1420, SHORT = 700, TAG = NRS_AEAD_TAG };

struct known {
    const char *key, *nonce, *known, *text; /* NULL: the bytes 0, 1, ...; of a text 0 to 250 again and again */
    uint32_t known_length, length;
    uint8_t tag[TAG];
};

#define GCM_KEY "\xfe\xff\xe9\x92\x86\x65\x73\x1c\x6d\x6a\x8f\x94\x67\x30\x83\x08"
#define CHACHA_KEY                                                     \
    "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f" \
    "\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f"

/* Test case 16 of McGrew and Viega's GCM submission to NIST, and RFC 8439 section 2.8.2. The other two are as long as
   datagrams are, by Python's cryptography. */
static const struct known CASE[NRS_CIPHERS][CASES] = {
    [NRS_AES_256_GCM] = {
        {GCM_KEY GCM_KEY, "\xca\xfe\xba\xbe\xfa\xce\xdb\xad\xde\xca\xf8\x88",
         "\xfe\xed\xfa\xce\xde\xad\xbe\xef\xfe\xed\xfa\xce\xde\xad\xbe\xef\xab\xad\xda\xd2",
         "\xd9\x31\x32\x25\xf8\x84\x06\xe5\xa5\x59\x09\xc5\xaf\xf5\x26\x9a\x86\xa7\xa9\x53"
         "\x15\x34\xf7\xda\x2e\x4c\x30\x3d\x8a\x31\x8a\x72\x1c\x3c\x0c\x95\x95\x68\x09\x53"
         "\x2f\xcf\x0e\x24\x49\xa6\xb5\x25\xb1\x6a\xed\xf5\xaa\x0d\xe6\x57\xba\x63\x7b\x39",
         20, 60, {0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68, 0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b}},
        {NULL, NULL, NULL, NULL, 20, FULL,
         {0xa1, 0x68, 0xb5, 0x3a, 0xbd, 0xb2, 0x9c, 0x2d, 0x8c, 0x7a, 0xaa, 0x3e, 0x7d, 0x5f, 0xab, 0x3a}},
        {NULL, NULL, NULL, NULL, 20, SHORT,
         {0x7d, 0xf2, 0xdb, 0xc0, 0xa2, 0x04, 0x78, 0xa7, 0x2a, 0x2a, 0xb0, 0x31, 0x15, 0x8e, 0xe2, 0xd0}},
    },
    [NRS_CHACHA20_POLY1305] = {
        {CHACHA_KEY, "\x07\0\0\0\x40\x41\x42\x43\x44\x45\x46\x47", "\x50\x51\x52\x53\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7",
         "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
         12, 114, {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91}},
        {NULL, NULL, NULL, NULL, 20, FULL,
         {0xe6, 0x22, 0x44, 0x95, 0x6e, 0xcc, 0x0e, 0xf2, 0x9a, 0x59, 0xcc, 0xd2, 0x16, 0x15, 0x4b, 0x2e}},
        {NULL, NULL, NULL, NULL, 20, SHORT,
         {0xfd, 0x6a, 0xbf, 0xf1, 0xb8, 0x59, 0x70, 0x9a, 0x36, 0x59, 0x18, 0xed, 0x91, 0xd2, 0x2b, 0xb4}},
    },
};

struct room {
    uint8_t text[3][FULL], tag[3][TAG];
};

static void fill(uint8_t *to, const char *from, uint32_t length) {
    if (from) memcpy(to, from, length);
    for (uint32_t i = 0; i < length && !from; i++) to[i] = (uint8_t)(i % 251);
}

/* Three texts at once under the key of the first case, of which the second may be of another length. */
static int answers(const struct nrs_provider *provider, const struct nrs_aead *aead, const struct known *known,
                   const struct known *beside) {
    const struct known *cases[3] = {known, beside, known};
    uint8_t secret[32], other[20], clear[FULL];
    struct room room;
    struct nrs_text texts[3];
    fill(secret, known->key, sizeof secret);
    fill(other, known->known, known->known_length);
    for (uint32_t i = 0; i < 3; i++) {
        texts[i] = (struct nrs_text){{0}, known->known_length, cases[i]->length, other, room.text[i], room.tag[i]};
        fill(texts[i].nonce, known->nonce, NRS_NONCE);
        fill(room.text[i], cases[i]->text, cases[i]->length);
    }
    void *sealing = aead->key(provider->state, secret, 0), *opening = aead->key(provider->state, secret, 1);
    int right = sealing && opening;
    if (right) {
        aead->seal(provider->state, sealing, texts, 3);
        for (uint32_t i = 0; i < 3; i++) right &= !memcmp(room.tag[i], cases[i]->tag, TAG);
        room.tag[1][TAG - 1] ^= 1;
        right &= aead->open(provider->state, opening, texts, 3) == 5;
        for (uint32_t i = 0; i < 3; i += 2) {
            fill(clear, cases[i]->text, cases[i]->length);
            right &= !memcmp(room.text[i], clear, cases[i]->length);
        }
    }
    if (sealing) aead->forget(sealing);
    if (opening) aead->forget(opening);
    return right;
}

int nrs_knows_aeads(const struct nrs_provider *provider) {
    for (uint32_t cipher = NRS_CLEAR + 1; cipher < NRS_CIPHERS; cipher++) {
        const struct nrs_aead *aead = provider->aead[cipher];
        const struct known *known = CASE[cipher];
        if (aead && !(answers(provider, aead, &known[0], &known[0]) && answers(provider, aead, &known[1], &known[2]) &&
                      answers(provider, aead, &known[2], &known[1])))
            return 0;
    }
    return 1;
}
