// Where words go: a buffered file descriptor whose failures are kept, not lost (`whctl list > /dev/full` must not exit
// 0), or memory, for tests and for the pager. Nothing here formats; what a terminal without UTF-8 cannot show is
// written as escapes, because every word goes through here.
#pragma once

#include <string>
#include <string_view>

namespace webhookd::whctl {

class Channel {
 public:
  // Keeps everything in memory: kept().
  Channel() = default;
  // Does not own the descriptor.
  explicit Channel(int descriptor) : descriptor_(descriptor) {}
  ~Channel() { flush(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // From now on everything beyond ASCII is escaped.
  void limit_to_ascii() { is_ascii_ = true; }
  void write(std::string_view text);
  void line(std::string_view text) {
    write(text);
    write("\n");
  }
  void flush();
  // errno of the first write that failed; 0 while all went well. What comes after a failure is dropped.
  int fault() const { return fault_; }
  const std::string& kept() const { return buffer_; }

 private:
  static constexpr std::size_t flush_bytes = 32 * 1024;

  int descriptor_ = -1;
  int fault_ = 0;
  bool is_ascii_ = false;
  std::string buffer_;
};

}  // namespace webhookd::whctl
