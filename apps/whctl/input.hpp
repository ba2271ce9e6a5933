// Reading what the user hands over: files, standard input, lines. Bounded, because a wrong file name should not fill
// the memory.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/client/failure.hpp"
#include "domain/webhook.hpp"

namespace webhookd::whctl {

inline constexpr std::size_t input_bytes_max = std::size_t{32} << 20;

// The whole of a file, or of `standard_input` when the name is "-".
client::Result<std::string> read_input(const std::string& name, int standard_input);

// Lines that hold a secret or a key, with their places; blank ones and those that start with # are skipped. At least
// one.
struct KeyLine {
  std::string text;
  std::string place;
};
client::Result<std::vector<KeyLine>> read_key_lines(const std::string& name, int standard_input);
// Secrets, one a line; blank lines and lines that start with # are skipped. At least one.
client::Result<std::vector<domain::Secret>> read_secrets(const std::string& name, int standard_input);

// Hands out the lines of a file or descriptor one by one, in bounded memory.
class LineReader {
 public:
  enum class Line { read, too_long, end };

  static client::Result<LineReader> open(const std::string& name, int standard_input);
  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  ~LineReader();

  // The next line without its line feed. A line over input_bytes_max is skipped to its end and named too_long.
  client::Result<Line> next(std::string& line);
  // Another line can be had without waiting for the writer of a pipe.
  bool is_ready() const;

 private:
  LineReader(std::string name, int descriptor, bool owns);
  client::Result<bool> fill();

  std::string name_;
  int descriptor_;
  bool owns_;
  bool is_at_end_ = false;
  std::string buffer_;
  std::size_t start_ = 0;  // of what is not yet handed out
};

}  // namespace webhookd::whctl
