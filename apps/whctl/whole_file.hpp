// A file that takes its name only when all of it is on the disk: until then the bytes stand beside it as NAME.part,
// readable by their owner alone, because what people keep this way (backups, exports) holds secrets. What is not
// finished leaves nothing behind, and a file of that name as it was. Nothing here knows what the bytes say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "channel.hpp"
#include "control/client/failure.hpp"

namespace webhookd::whctl {

class WholeFile {
 public:
  explicit WholeFile(std::string name) : name_(std::move(name)), unfinished_(name_ + ".part") {}
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  // Refused: something stands there that is no file.
  client::Result<void> open();
  // A first failure is kept for finish(); the rest is then dropped.
  void write(std::string_view bytes) { channel_->write(bytes); }
  client::Result<void> finish();

 private:
  std::string name_;
  std::string unfinished_;
  base::FileDescriptor file_;
  std::optional<Channel> channel_;
};

}  // namespace webhookd::whctl
