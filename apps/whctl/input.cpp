#include "input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::size_t read_bytes = 256 * 1024;

Result<int> open_for_reading(const std::string& name) {
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failure(client::codes::usage, name, std::strerror(errno));
  return descriptor;
}

Result<std::string> read_all(int descriptor, const std::string& name) {
  std::string text;
  std::string piece(read_bytes, '\0');
  for (;;) {
    const auto count = ::read(descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(client::codes::usage, name, std::strerror(errno));
    if (count == 0) return text;
    text.append(piece, 0, static_cast<std::size_t>(count));
    if (text.size() > input_bytes_max) return failure(client::codes::usage, name, "is longer than 32 MiB");
  }
}

}  // namespace

Result<std::string> read_input(const std::string& name, int standard_input) {
  if (name == "-") return read_all(standard_input, "standard input");
  const auto descriptor = open_for_reading(name);
  if (!descriptor) return descriptor.error();
  auto text = read_all(*descriptor, name);
  ::close(*descriptor);
  return text;
}

Result<std::vector<KeyLine>> read_key_lines(const std::string& name, int standard_input) {
  const auto text = read_input(name, standard_input);
  if (!text) return text.error();
  std::vector<KeyLine> lines;
  std::string_view rest = *text;
  for (int number = 1; !rest.empty(); ++number) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    lines.push_back({std::string(line), name + ":" + std::to_string(number)});
  }
  if (lines.empty()) return failure(client::codes::usage, name, "holds no secret");
  return lines;
}

Result<std::vector<domain::Secret>> read_secrets(const std::string& name, int standard_input) {
  const auto lines = read_key_lines(name, standard_input);
  if (!lines) return lines.error();
  std::vector<domain::Secret> secrets;
  for (const auto& line : *lines) {
    auto secret = domain::parse_secret(line.text);
    if (!secret) return failure(client::codes::usage, line.place, secret.error().detail);
    secrets.push_back(std::move(*secret));
  }
  return secrets;
}

LineReader::LineReader(std::string name, int descriptor, bool owns)
    : name_(std::move(name)), descriptor_(descriptor), owns_(owns) {}

LineReader::LineReader(LineReader&& other) noexcept
    : name_(std::move(other.name_)), descriptor_(other.descriptor_), owns_(other.owns_) {
  other.owns_ = false;
}

LineReader::~LineReader() {
  if (owns_) ::close(descriptor_);
}

Result<LineReader> LineReader::open(const std::string& name, int standard_input) {
  if (name == "-") return LineReader("standard input", standard_input, false);
  const auto descriptor = open_for_reading(name);
  if (!descriptor) return descriptor.error();
  return LineReader(name, *descriptor, true);
}

// False at the end of the input.
Result<bool> LineReader::fill() {
  buffer_.erase(0, start_);
  start_ = 0;
  const std::size_t used = buffer_.size();
  buffer_.resize(used + read_bytes);
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, buffer_.data() + used, read_bytes);
  } while (count < 0 && errno == EINTR);
  buffer_.resize(used + static_cast<std::size_t>(count > 0 ? count : 0));
  if (count < 0) return failure(client::codes::usage, name_, std::strerror(errno));
  is_at_end_ = count == 0;
  return count > 0;
}

Result<LineReader::Line> LineReader::next(std::string& line) {
  bool is_too_long = false;
  std::size_t searched = start_;
  for (;;) {
    const auto end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      is_too_long = is_too_long || end - start_ > input_bytes_max;
      line.assign(buffer_, start_, end - start_);
      start_ = end + 1;
      return is_too_long ? Line::too_long : Line::read;
    }
    if (buffer_.size() - start_ > input_bytes_max) {
      is_too_long = true;
      start_ = buffer_.size();
    }
    const std::size_t kept = buffer_.size() - start_;
    const auto filled = fill();
    if (!filled) return filled.error();
    searched = kept;
    if (*filled) continue;
    line.assign(buffer_, start_);
    start_ = buffer_.size();
    if (is_too_long) return Line::too_long;
    return line.empty() ? Line::end : Line::read;
  }
}

bool LineReader::is_ready() const {
  if (is_at_end_ || buffer_.find('\n', start_) != std::string::npos) return true;
  pollfd entry{descriptor_, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

}  // namespace webhookd::whctl
