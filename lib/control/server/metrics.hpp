// What Prometheus may ask, as one table: name, kind, help, and where the value comes from. The text of GET /metrics,
// the list in webhookd-operations(7) and the test of dashboard and alerts come from it. Names follow Prometheus: base
// units,
// `_total` for what only grows. No label names a webhook, an endpoint or a URL: their number has no bound.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "control/server/process_figures.hpp"
#include "engine/engine.hpp"
#include "store/store.hpp"

namespace webhookd::server {

struct MetricFigures {
  store::StoreFigures store;
  engine::EngineFigures engine;
  engine::LaneFigures lanes;
  ProcessFigures process;
  std::uint64_t sessions = 0;  // connections to the socket
  std::uint64_t mismatches_accepted = 0;
  std::uint64_t mismatches_refused = 0;
};

enum class MetricKind { counter, gauge, histogram };

class MetricSamples;

struct Metric {
  std::string_view name;
  MetricKind kind;
  std::string_view help;
  std::string_view labels;  // in words, for the manual; empty: none
  void (*source)(MetricSamples& samples, const MetricFigures& figures);
};

std::span<const Metric> metrics();
std::string_view to_string(MetricKind kind);

inline constexpr std::string_view metrics_media_type = "text/plain; version=0.0.4; charset=utf-8";
// The text exposition format 0.0.4.
std::string metrics_text(const MetricFigures& figures);

}  // namespace webhookd::server
