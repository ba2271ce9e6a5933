// The file of a backup: one line of text that says what it is, the store's data as they are, and one line that seals
// both with a checksum. A copy that was cut off or changed is told from a good one by its end, without knowing what is
// in it; so the daemon writes it, the tool verifies it while it arrives, and a restore verifies it again.
//
//   webhookd-backup 1 store=… schema=… version=… created=… bytes=…
//   (that many bytes)
//   webhookd-backup-end crc32c=…
//
// Never here: files, sockets, what the data mean.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace webhookd::domain {

struct BackupHead {
  std::string store_id;
  std::uint32_t schema = 0;
  std::string version;  // of the webhookd that wrote it
  base::Time created_at{};
  std::uint64_t data_bytes = 0;
  bool operator==(const BackupHead&) const = default;
};

// Head, then each piece of the data, then the seal; what the functions answer is to be written in that order.
class BackupWriter {
 public:
  std::string begin(const BackupHead& head);
  void add(std::string_view data);
  std::string seal() const;

 private:
  std::uint32_t checksum_ = 0;
};

// Fed with the bytes of a backup in pieces of any size.
class BackupReader {
 public:
  using DataSink = std::function<void(std::string_view)>;

  // An error says what is wrong, and holds for good.
  base::Result<void> feed(std::string_view bytes, const DataSink& sink);
  // After the last byte: nothing is missing.
  base::Result<void> end() const;
  bool has_head() const { return part_ != Part::head; }
  const BackupHead& head() const { return head_; }

 private:
  enum class Part { head, data, seal, done };

  base::Result<void> take_line(std::string_view& bytes);

  Part part_ = Part::head;
  std::string line_;  // head or seal, as far as it is here
  BackupHead head_;
  std::uint64_t data_left_ = 0;
  std::uint32_t checksum_ = 0;
};

}  // namespace webhookd::domain
