/* A security key in software, as a library that OpenSSH loads (`ssh-keygen -w`, SSH_SK_PROVIDER; API version 10). For tests of
 * signatures by tokens, with and without a touch. The key handle is the private key: nothing is kept, nothing is safe. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ECDSA = 0, ED25519 = 1, FAILED = -1, UNSUPPORTED = -2 };

struct enrolled {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *certificate;
    size_t certificate_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct signature {
    uint8_t flags;
    uint32_t counter;
    uint8_t *r;
    size_t r_len;
    uint8_t *s;
    size_t s_len;
};

static uint8_t *number(const BIGNUM *n, size_t *len) {
    uint8_t *bytes = malloc(32);
    *len = 32;
    return BN_bn2binpad(n, bytes, 32) == 32 ? bytes : NULL;
}

static EC_KEY *curve_key(void) { return EC_KEY_new_by_curve_name(NID_X9_62_prime256v1); }

uint32_t sk_api_version(void) { return 0x000a0000; }

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags,
              const char *pin, void **options, struct enrolled **out) {
    struct enrolled *key = calloc(1, sizeof *key);
    key->flags = flags;
    if (alg == ED25519) {
        EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        key->public_key = malloc(key->public_key_len = 32);
        key->key_handle = malloc(key->key_handle_len = 32);
        if (pair == NULL || EVP_PKEY_get_raw_public_key(pair, key->public_key, &key->public_key_len) != 1 ||
            EVP_PKEY_get_raw_private_key(pair, key->key_handle, &key->key_handle_len) != 1)
            return FAILED;
    } else if (alg == ECDSA) {
        EC_KEY *pair = curve_key();
        if (pair == NULL || EC_KEY_generate_key(pair) != 1)
            return FAILED;
        key->public_key_len = EC_KEY_key2buf(pair, POINT_CONVERSION_UNCOMPRESSED, &key->public_key, NULL);
        key->key_handle = number(EC_KEY_get0_private_key(pair), &key->key_handle_len);
    } else {
        return UNSUPPORTED;
    }
    *out = key;
    return 0;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *handle,
            size_t handle_len, uint8_t flags, const char *pin, void **options, struct signature **out) {
    /* SHA-256 of the application, flags, counter, SHA-256 of the data. */
    uint8_t text[32 + 1 + 4 + 32] = {0}, digest[32];
    struct signature *made = calloc(1, sizeof *made);
    made->flags = flags & 1;
    made->counter = 7;
    SHA256((const uint8_t *)application, strlen(application), text);
    text[32] = made->flags;
    text[36] = (uint8_t)made->counter;
    SHA256(data, data_len, text + 37);
    if (alg == ED25519) {
        EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, handle_len);
        EVP_MD_CTX *with = EVP_MD_CTX_new();
        made->r = malloc(made->r_len = 64);
        if (key == NULL || EVP_DigestSignInit(with, NULL, NULL, NULL, key) != 1 ||
            EVP_DigestSign(with, made->r, &made->r_len, text, sizeof text) != 1)
            return FAILED;
    } else if (alg == ECDSA) {
        EC_KEY *key = curve_key();
        BIGNUM *private = BN_bin2bn(handle, (int)handle_len, NULL);
        if (key == NULL || EC_KEY_set_private_key(key, private) != 1)
            return FAILED;
        SHA256(text, sizeof text, digest);
        ECDSA_SIG *pair = ECDSA_do_sign(digest, sizeof digest, key);
        if (pair == NULL)
            return FAILED;
        made->r = number(ECDSA_SIG_get0_r(pair), &made->r_len);
        made->s = number(ECDSA_SIG_get0_s(pair), &made->s_len);
    } else {
        return UNSUPPORTED;
    }
    *out = made;
    return 0;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *count) {
    *keys = NULL;
    *count = 0;
    return UNSUPPORTED;
}
