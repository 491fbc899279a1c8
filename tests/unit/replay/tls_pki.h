// Keys and certificates that a test makes for itself.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

namespace umbra::test {

struct Identity {
    std::shared_ptr<EVP_PKEY> key;
    std::shared_ptr<X509> certificate;
};

// A file that goes with the object.
class TempFile {
public:
    explicit TempFile(const std::string& text = "") {
        const int fd = ::mkstemp(path_.data());
        EXPECT_GE(fd, 0);
        EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
        ::close(fd);
    }
    ~TempFile() { ::unlink(path_.c_str()); }
    const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/umbra-tls-XXXXXX";
};

class TestAuthority {
public:
    TestAuthority() : root_(make(new_name(), "", nullptr, 3600)), file_(pem(root_)) {}

    // names: as OpenSSL writes subject alternative names, "DNS:a,IP:127.0.0.1".
    Identity issue(const std::string& names, long valid_seconds = 3600) const {
        return make("server", names, &root_, valid_seconds);
    }
    const std::string& file() const { return file_.path(); }

private:
    static std::string new_name() {
        static int count = 0;
        return "test authority " + std::to_string(++count);
    }
    static void extend(X509* certificate, X509* issuer, int nid, const char* value) {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
        ASSERT_NE(extension, nullptr) << value;
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    static Identity make(const std::string& name, const std::string& names, const Identity* issuer, long seconds) {
        static long serial = 1;
        Identity made{{EVP_EC_gen("P-256"), EVP_PKEY_free}, {X509_new(), X509_free}};
        X509* certificate = made.certificate.get();
        X509* by = issuer ? issuer->certificate.get() : certificate;
        X509_set_version(certificate, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
        X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
        X509_set_pubkey(certificate, made.key.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        X509_set_issuer_name(certificate, X509_get_subject_name(by));
        extend(certificate, by, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
        if (!names.empty()) extend(certificate, by, NID_subject_alt_name, names.c_str());
        EXPECT_GT(X509_sign(certificate, issuer ? issuer->key.get() : made.key.get(), EVP_sha256()), 0);
        return made;
    }
    static std::string pem(const Identity& identity) {
        const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
        PEM_write_bio_X509(memory.get(), identity.certificate.get());
        char* data = nullptr;
        const long size = BIO_get_mem_data(memory.get(), &data);
        return {data, static_cast<std::size_t>(size)};
    }

    Identity root_;
    TempFile file_;
};

}  // namespace umbra::test
