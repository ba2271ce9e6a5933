// The grammar of every record: one byte of version, four bytes of checksum, then fields one after the other. Whole
// numbers are varints (7 bits a byte, lowest first; signed ones zigzag), texts are a length and bytes, so that a
// waiting message costs tens of bytes. The checksum covers the key as well: a record that turns up under another key is
// damaged.
//
// Reading is bounds-checked and sticky: after the first fault every field reads as nothing, and `finished` is false.
// Never here: what a record consists of (records.hpp).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/checksum.hpp"
#include "base/time.hpp"

namespace webhookd::store {

inline constexpr std::size_t record_overhead = 5;

class RecordWriter {
 public:
  // Writes into `out`, whose memory is used again from record to record.
  RecordWriter(std::string& out, std::uint8_t version) : out_(out) {
    out_.assign(record_overhead, '\0');
    out_[0] = static_cast<char>(version);
  }

  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void flag(bool value) { byte(value ? 1 : 0); }
  template <class Enum>
  void choice(Enum value) {
    byte(static_cast<std::uint8_t>(value));
  }
  void number(std::uint64_t value) {
    std::array<char, 10> bytes;
    std::size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
      bytes[size++] = static_cast<char>(value | 0x80);
    }
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes.data(), size);
  }
  void signed_number(std::int64_t value) {
    number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void time(base::Time value) { signed_number(base::to_ms(value)); }
  // Neighbouring times differ by little; others wrap, as the reader does.
  void time(base::Time value, base::Time since) {
    const auto ms = static_cast<std::uint64_t>(base::to_ms(value)) - static_cast<std::uint64_t>(base::to_ms(since));
    signed_number(static_cast<std::int64_t>(ms));
  }
  void duration(base::Duration value) { signed_number(value.count()); }
  void word(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
      byte(static_cast<std::uint8_t>(value >> shift));
    }
  }
  void real(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    word(static_cast<std::uint32_t>(bits));
    word(static_cast<std::uint32_t>(bits >> 32));
  }
  void text(std::string_view value) {
    number(value.size());
    out_.append(value);
  }

  // The last call: fills in the checksum.
  void seal(std::string_view key) {
    const std::uint32_t crc = checksum(key, out_);
    for (std::size_t i = 0; i < 4; ++i) {
      out_[1 + i] = static_cast<char>(crc >> (8 * i));
    }
  }

  static std::uint32_t checksum(std::string_view key, std::string_view record) {
    const std::uint32_t crc = base::crc32c(base::crc32c(0, key), record.substr(0, 1));
    return base::crc32c(crc, record.substr(record_overhead));
  }

 private:
  std::string& out_;
};

// The version that a record says it has; 0 for none.
inline std::uint8_t record_version(std::string_view record) {
  return record.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(record.front());
}

class RecordReader {
 public:
  // The record under `key`; a checksum or version that does not fit reads as nothing.
  RecordReader(std::string_view key, std::string_view record, std::uint8_t version) {
    if (record.size() < record_overhead || static_cast<std::uint8_t>(record[0]) != version) {
      fail("its head does not fit");
      return;
    }
    rest_ = record.substr(1);
    if (word() != RecordWriter::checksum(key, record)) {
      fail("its checksum does not fit");
    }
  }

  std::uint8_t byte() {
    if (rest_.empty()) {
      fail("it ends early");
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  bool flag() { return byte() != 0; }
  // One of the first `count` values of Enum.
  template <class Enum>
  Enum choice(int count) {
    const std::uint8_t value = byte();
    if (value >= count) {
      fail("a choice is out of range");
      return Enum{};
    }
    return static_cast<Enum>(value);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if (part < 0x80) {
        return value;
      }
    }
    fail("a number is too long");
    return 0;
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  template <class Small>
  Small small_number() {
    return static_cast<Small>(number());
  }
  base::Time time() { return base::time_from_ms(signed_number()); }
  base::Time time(base::Time since) {
    const auto ms = static_cast<std::uint64_t>(base::to_ms(since)) + static_cast<std::uint64_t>(signed_number());
    return base::time_from_ms(static_cast<std::int64_t>(ms));
  }
  base::Duration duration() { return base::Duration{signed_number()}; }
  std::uint32_t word() {
    std::uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      value |= static_cast<std::uint32_t>(byte()) << shift;
    }
    return value;
  }
  double real() {
    const std::uint64_t low = word();
    return std::bit_cast<double>(low | (static_cast<std::uint64_t>(word()) << 32));
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      fail("a text ends early");
      return {};
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  // How many elements follow; each takes a byte at least, so a damaged count cannot ask for much memory.
  std::size_t count() {
    const std::uint64_t elements = number();
    if (elements > rest_.size()) {
      fail("a list ends early");
      return 0;
    }
    return elements;
  }

  void fail(std::string_view why) {
    fault_ = fault_.empty() ? why : fault_;
    rest_ = {};
  }
  // Every byte was read and none was missing; otherwise `fault` says what is wrong.
  bool finished() {
    if (fault_.empty() && !rest_.empty()) {
      fail("it is too long");
    }
    return fault_.empty();
  }
  std::string_view fault() const { return fault_; }

 private:
  std::string_view rest_;
  std::string_view fault_;
};

}  // namespace webhookd::store
