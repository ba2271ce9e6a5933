// The three standard descriptors and what is known of them: data goes to `out`, prose, progress and questions to `err`.
// Tests make one that keeps everything in memory.
#pragma once

#include <cstddef>

#include "channel.hpp"

namespace webhookd::whctl {

struct Console {
  Channel& out;
  Channel& err;
  int in = 0;  // descriptor
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  std::size_t width = 80;
  std::size_t height = 24;
};

}  // namespace webhookd::whctl
