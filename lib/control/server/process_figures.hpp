// What the kernel says of this process, under the names that Prometheus has for every process.
#pragma once

#include <cstdint>
#include <optional>

namespace webhookd::server {

struct ProcessFigures {
  std::optional<double> started_at;  // unix seconds
  double cpu_seconds = 0;
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> open_descriptors;
  std::uint64_t descriptors_max = 0;
};

ProcessFigures read_process_figures();
// When it was started, in unix seconds. Asked once: the clock may be set later.
std::optional<double> read_process_start();

}  // namespace webhookd::server
