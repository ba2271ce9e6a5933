// A line on a terminal's standard error that is written over and over while something long is done, and gone at its
// end.
#pragma once

#include <chrono>
#include <string>

#include "session.hpp"

namespace webhookd::whctl {

class ProgressLine {
 public:
  explicit ProgressLine(Session& session)
      : session_(session), is_shown_(session.console().err_is_terminal && !session.settings().is_quiet) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_shown_ || now - shown_at_ < std::chrono::milliseconds(100)) return;
    shown_at_ = now;
    has_text_ = true;
    session_.console().err.write("\r\x1b[K" + text);
    session_.console().err.flush();
  }
  // Before other words are written.
  void clear() {
    if (has_text_) session_.console().err.write("\r\x1b[K");
    has_text_ = false;
  }

 private:
  Session& session_;
  bool is_shown_;
  bool has_text_ = false;
  std::chrono::steady_clock::time_point shown_at_{};
};

}  // namespace webhookd::whctl
