#include "channel.hpp"

#include <unistd.h>

#include <cerrno>

#include "safe_text.hpp"

namespace webhookd::whctl {

void Channel::write(std::string_view text) {
  if (fault_ != 0) return;
  if (is_ascii_) {
    buffer_.append(ascii_text(text));
  } else {
    buffer_.append(text);
  }
  if (descriptor_ >= 0 && buffer_.size() >= flush_bytes) flush();
}

void Channel::flush() {
  if (descriptor_ < 0) return;
  std::string_view rest = buffer_;
  while (!rest.empty() && fault_ == 0) {
    const auto written = ::write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      fault_ = errno;
    }
  }
  buffer_.clear();
}

}  // namespace webhookd::whctl
