// SHA-256, by OpenSSL.

#pragma once

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace workshop::files {

// The SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256() { Check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr)); }

  void Add(std::string_view bytes) {
    Check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
  }

  // Of all bytes added, as 64 lower-case hexadecimal digits. To be called once,
  // and last.
  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    Check(EVP_DigestFinal_ex(context_.get(), digest, &size));
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
      hex += kDigits[digest[i] >> 4];
      hex += kDigits[digest[i] & 15];
    }
    return hex;
  }

 private:
  // OpenSSL says 1 for success. It fails here only without memory.
  static void Check(int result) {
    if (result != 1) throw std::runtime_error("OpenSSL cannot compute SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{
      EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

}  // namespace workshop::files
