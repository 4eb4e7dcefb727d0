/* ipsec-mb (https://github.com/intel/intel-ipsec-mb), where this is built with it: several messages at once, by a path
   for each family of instructions. The one that it would choose by itself is not always the fastest. */
#include "nrs_hmac.h"
#include "nrs_ipsec_mb_aead.h"

#ifdef NRS_IPSEC_MB

#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

static void tags(void *state, const struct nrs_key *key, const struct nrs_message *messages, uint32_t count) {
    IMB_JOB jobs[NRS_MOST_MESSAGES];
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct nrs_message *message = &messages[i];
        if (!message->length) { /* it would spoil whatever comes after it */
            struct nrs_provider other;
            nrs_libcrypto(&other);
            other.tags(other.state, key, message, 1);
            continue;
        }
        IMB_JOB *job = &jobs[used++];
        job->hash_alg = IMB_AUTH_HMAC_SHA_256;
        job->src = message->data;
        job->hash_start_src_offset_in_bytes = 0;
        job->msg_len_to_hash_in_bytes = message->length;
        job->auth_tag_output = message->tag;
        job->auth_tag_output_len_in_bytes = 32;
        job->u.HMAC._hashed_auth_key_xor_ipad = (const uint8_t *)key->inner;
        job->u.HMAC._hashed_auth_key_xor_opad = (const uint8_t *)key->outer;
    }
    if (used) IMB_SUBMIT_HASH_BURST_NOCHECK((IMB_MGR *)state, jobs, used, IMB_AUTH_HMAC_SHA_256);
}

static void release(void *state) { free_mb_mgr(state); }

static uint32_t path(struct nrs_provider *found, const char *name, void (*init)(IMB_MGR *)) {
    IMB_MGR *manager = alloc_mb_mgr(0);
    if (!manager) return 0;
    init(manager);
    if (imb_get_errno(manager)) { /* the processor lacks something */
        free_mb_mgr(manager);
        return 0;
    }
    *found = (struct nrs_provider){
        .name = name,
        .tags = tags,
        .state = manager,
        .free = release,
        .aead = {[NRS_AES_256_GCM] = &nrs_ipsec_mb_gcm, [NRS_CHACHA20_POLY1305] = &nrs_ipsec_mb_chacha},
    };
    return 1;
}

uint32_t nrs_ipsec_mb(struct nrs_provider *found) {
    uint32_t count = 0;
    if (!__builtin_cpu_supports("sse4.2")) return 0;
    count += path(found + count, "ipsec-mb sse", init_mb_mgr_sse);
    if (count && ((IMB_MGR *)found->state)->features & IMB_FEATURE_SHANI) found->name = "ipsec-mb sse/sha-ni";
    /* Not only the processor but the system too has to know wider registers. */
    if (__builtin_cpu_supports("avx2")) count += path(found + count, "ipsec-mb avx2", init_mb_mgr_avx2);
    if (__builtin_cpu_supports("avx512f")) count += path(found + count, "ipsec-mb avx512", init_mb_mgr_avx512);
    return count;
}

#else

uint32_t nrs_ipsec_mb(struct nrs_provider *found) {
    (void)found;
    return 0;
}

#endif
