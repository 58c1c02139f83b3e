// Reading metadata, and what may be written into it.

#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

namespace workshop {

// Metadata as it was received: keys in lower case, a key perhaps several times.
using ReceivedMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// A copy of what stands under `key`, which must be in lower case; `fallback` if
// nothing does. A string_ref ends by its length and not by a zero.
inline std::string MetadataOr(const ReceivedMetadata& metadata,
                              const std::string& key, std::string fallback) {
  const auto entry = metadata.find(key);
  if (entry == metadata.end()) return fallback;
  return std::string(entry->second.data(), entry->second.size());
}

// Whether `value` may be sent under a key that does not end in "-bin": gRPC
// aborts a process that tries to send anything but printable ASCII there.
inline bool IsSendable(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= ' ' && c <= '~'; });
}

// Metadata as lines "  KIND KEY: VALUE", binary values in hexadecimal.
inline std::string Describe(const std::string& kind,
                            const ReceivedMetadata& metadata) {
  std::string lines;
  for (const auto& [key, value] : metadata) {
    lines += "  " + kind + " " + std::string(key.data(), key.size()) + ": ";
    if (key.ends_with("-bin")) {
      for (const unsigned char c : value) lines += fmt::format("{:02x}", c);
    } else {
      lines.append(value.data(), value.size());
    }
    lines += "\n";
  }
  return lines;
}

}  // namespace workshop
