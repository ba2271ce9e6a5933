// CRC-32C (Castagnoli, RFC 3720 appendix B.4): what tells a damaged record or backup from a good one. It is no defence
// against somebody who means harm: whoever can write the store's files owns the store.
//
// Never here: what is covered by a checksum (store/codec.hpp, domain/backup.hpp).
#pragma once

#include <cstdint>
#include <string_view>

namespace webhookd::base {

// Goes on from `crc`, the checksum of what came before (0 at the beginning).
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);

// The same without the processor's own instruction; its peer in tests and the way on processors that lack it.
std::uint32_t crc32c_by_table(std::uint32_t crc, std::string_view bytes);

}  // namespace webhookd::base
