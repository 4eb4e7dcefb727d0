#include "nrs_libcrypto_aead.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static void *prepared(const EVP_CIPHER *cipher, const uint8_t secret[32], int opening) {
    EVP_CIPHER_CTX *key = EVP_CIPHER_CTX_new();
    if (key && EVP_CipherInit_ex(key, cipher, NULL, secret, NULL, !opening) == 1) return key;
    EVP_CIPHER_CTX_free(key);
    return NULL;
}

static void *aes_256_gcm(void *none, const uint8_t secret[32], int opening) {
    (void)none;
    return prepared(EVP_aes_256_gcm(), secret, opening);
}

static void *chacha20_poly1305(void *none, const uint8_t secret[32], int opening) {
    (void)none;
    return prepared(EVP_chacha20_poly1305(), secret, opening);
}

static void forget(void *key) { EVP_CIPHER_CTX_free(key); }

static int seal_one(EVP_CIPHER_CTX *key, const struct nrs_text *t) {
    int n;
    return EVP_EncryptInit_ex(key, NULL, NULL, NULL, t->nonce) == 1 &&
           EVP_EncryptUpdate(key, NULL, &n, t->known, (int)t->known_length) == 1 &&
           (!t->length || EVP_EncryptUpdate(key, t->text, &n, t->text, (int)t->length) == 1) &&
           EVP_EncryptFinal_ex(key, t->tag, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(key, EVP_CTRL_AEAD_GET_TAG, NRS_AEAD_TAG, t->tag) == 1;
}

static int open_one(EVP_CIPHER_CTX *key, const struct nrs_text *t) {
    int n;
    uint8_t nothing[16];
    return EVP_DecryptInit_ex(key, NULL, NULL, NULL, t->nonce) == 1 &&
           EVP_CIPHER_CTX_ctrl(key, EVP_CTRL_AEAD_SET_TAG, NRS_AEAD_TAG, t->tag) == 1 &&
           EVP_DecryptUpdate(key, NULL, &n, t->known, (int)t->known_length) == 1 &&
           (!t->length || EVP_DecryptUpdate(key, t->text, &n, t->text, (int)t->length) == 1) &&
           EVP_DecryptFinal_ex(key, nothing, &n) == 1;
}

static void seal(void *none, void *key, const struct nrs_text *texts, uint32_t count) {
    (void)none;
    for (uint32_t i = 0; i < count; i++) {
        if (seal_one(key, &texts[i])) continue;
        OPENSSL_cleanse(texts[i].text, texts[i].length);
        OPENSSL_cleanse(texts[i].tag, NRS_AEAD_TAG);
    }
}

static uint64_t open(void *none, void *key, const struct nrs_text *texts, uint32_t count) {
    uint64_t right = 0;
    (void)none;
    for (uint32_t i = 0; i < count; i++) right |= (uint64_t)open_one(key, &texts[i]) << i;
    return right;
}

const struct nrs_aead nrs_libcrypto_gcm = {aes_256_gcm, forget, seal, open};
const struct nrs_aead nrs_libcrypto_chacha = {chacha20_poly1305, forget, seal, open};
