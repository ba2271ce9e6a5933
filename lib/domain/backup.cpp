#include "domain/backup.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/checksum.hpp"
#include "base/text.hpp"

namespace webhookd::domain {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::string_view opening = "webhookd-backup 1 ";
constexpr std::string_view sealing = "webhookd-backup-end crc32c=";
constexpr std::size_t line_bytes_max = 512;
constexpr std::uint64_t data_bytes_max = std::uint64_t{1} << 60;

Error refusal(std::string detail) { return {ErrorCode::invalid_request, std::move(detail), {}}; }

std::string hexadecimal(std::uint32_t value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) {
    text += digits[(value >> shift) & 15];
  }
  return text;
}

// The word behind " NAME=" in the line.
std::string_view word_of(std::string_view line, std::string_view name) {
  const std::string mark = " " + std::string(name) + "=";
  const std::size_t at = line.find(mark);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = line.substr(at + mark.size());
  return rest.substr(0, rest.find(' '));
}

std::optional<BackupHead> parse_head(std::string_view line) {
  const auto schema = base::parse_whole_number(word_of(line, "schema"), 0xffffffff);
  const auto bytes = base::parse_whole_number(word_of(line, "bytes"), data_bytes_max);
  const auto created_at = base::parse_time(word_of(line, "created"));
  if (!line.starts_with(opening) || !schema || !bytes || !created_at || word_of(line, "store").empty()) {
    return std::nullopt;
  }
  BackupHead head;
  head.store_id = word_of(line, "store");
  head.schema = static_cast<std::uint32_t>(*schema);
  head.version = word_of(line, "version");
  head.created_at = *created_at;
  head.data_bytes = *bytes;
  return head;
}

}  // namespace

std::string BackupWriter::begin(const BackupHead& head) {
  std::string line = std::string(opening) + "store=" + head.store_id + " schema=" + std::to_string(head.schema) +
                     " version=" + head.version + " created=" + base::format_time(head.created_at) +
                     " bytes=" + std::to_string(head.data_bytes) + "\n";
  checksum_ = base::crc32c(0, line);
  return line;
}

void BackupWriter::add(std::string_view data) { checksum_ = base::crc32c(checksum_, data); }

std::string BackupWriter::seal() const { return std::string(sealing) + hexadecimal(checksum_) + "\n"; }

Result<void> BackupReader::take_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view piece = bytes.substr(0, end);
  const std::string_view expected = part_ == Part::head ? opening : sealing;
  line_.append(piece.substr(0, line_bytes_max));
  bytes.remove_prefix(piece.size());
  const std::size_t known = std::min(line_.size(), expected.size());
  if (line_.size() >= line_bytes_max || line_.substr(0, known) != expected.substr(0, known)) {
    return refusal(part_ == Part::head ? "this is no backup of webhookd (or one of another format)"
                                       : "behind its data stands no seal: the backup is damaged");
  }
  if (end == std::string_view::npos) {
    return {};
  }
  bytes.remove_prefix(1);
  if (part_ == Part::seal) {
    if (line_ != std::string(sealing) + hexadecimal(checksum_)) {
      return refusal("the checksum of the backup does not fit: it is damaged");
    }
    part_ = Part::done;
    return {};
  }
  auto head = parse_head(line_);
  if (!head) {
    return refusal("the first line of the backup cannot be read: it is damaged");
  }
  head_ = std::move(*head);
  checksum_ = base::crc32c(base::crc32c(0, line_), "\n");
  data_left_ = head_.data_bytes;
  part_ = data_left_ > 0 ? Part::data : Part::seal;
  line_.clear();
  return {};
}

Result<void> BackupReader::feed(std::string_view bytes, const DataSink& sink) {
  while (!bytes.empty()) {
    if (part_ == Part::done) {
      return refusal("more bytes follow the end of the backup: it is damaged");
    }
    if (part_ != Part::data) {
      if (auto taken = take_line(bytes); !taken) {
        return taken;
      }
      continue;
    }
    const std::string_view piece =
        bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(data_left_, bytes.size())));
    checksum_ = base::crc32c(checksum_, piece);
    sink(piece);
    data_left_ -= piece.size();
    bytes.remove_prefix(piece.size());
    part_ = data_left_ == 0 ? Part::seal : Part::data;
  }
  return {};
}

Result<void> BackupReader::end() const {
  if (part_ == Part::done) {
    return {};
  }
  return refusal(part_ == Part::head
                     ? "this is no backup of webhookd: it ends within its first line"
                     : "the backup is cut short: it ends " + std::to_string(data_left_) + " bytes before its seal");
}

}  // namespace webhookd::domain
