// What the server counts since its start, for the metrics: what became of requests, and of events that it refused. And
// what may happen all the time and is logged now and then.
//
// Never here: names of metrics (metrics.hpp).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace webhookd::server {

// The words are the labels of metrics. The last row takes what no other does.
struct RefusalKind {
  std::string_view word;
  base::ErrorCode code;
};
inline constexpr std::array refusal_kinds = {
    RefusalKind{"store_full", base::ErrorCode::store_full},
    RefusalKind{"schema_mismatch", base::ErrorCode::schema_mismatch},
    RefusalKind{"unknown_type", base::ErrorCode::unknown_type},
    RefusalKind{"idempotency_conflict", base::ErrorCode::idempotency_conflict},
    RefusalKind{"too_large", base::ErrorCode::too_large},
    RefusalKind{"unavailable", base::ErrorCode::unavailable},
    RefusalKind{"failed", base::ErrorCode::internal},
    RefusalKind{"invalid", base::ErrorCode::invalid_request},
};

inline constexpr std::array<std::string_view, 4> request_results = {"answered", "refused", "forbidden", "failed"};

struct Tally {
  std::array<std::uint64_t, refusal_kinds.size()> refused_events{};
  std::array<std::uint64_t, request_results.size()> requests{};
  std::optional<base::Time> last_backup_at;  // that a client has the whole of

  void count_refused_event(base::ErrorCode code) {
    std::size_t kind = 0;
    while (kind + 1 < refusal_kinds.size() && refusal_kinds[kind].code != code) {
      ++kind;
    }
    ++refused_events[kind];
  }
  void count_request(unsigned status) { ++requests[status < 400 ? 0 : status == 403 ? 2 : status < 500 ? 1 : 3]; }
};

// One record in a while of what may happen all the time.
class Seldom {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Seldom(std::chrono::steady_clock::duration pause) : pause_(pause) {}

  // How often it happened since this last said so; nothing when that was a moment ago.
  std::optional<std::uint64_t> note(Time now) {
    ++count_;
    if (is_silent(now)) {
      return std::nullopt;
    }
    silent_until_ = now + pause_;
    const std::uint64_t count = count_;
    count_ = 0;
    return count;
  }
  bool is_silent(Time now) const { return now < silent_until_; }

 private:
  std::chrono::steady_clock::duration pause_;
  Time silent_until_{};
  std::uint64_t count_ = 0;
};

// The same for each of a bounded number of users; who comes when all places are taken is not told of.
class SeldomByUser {
 public:
  std::optional<std::uint64_t> note(std::uint32_t user, Seldom::Time now) {
    if (users_.size() >= users_max) {
      std::erase_if(users_, [now](const auto& entry) { return !entry.second.is_silent(now); });
    }
    const bool has_place = users_.contains(user) || users_.size() < users_max;
    return has_place ? users_.try_emplace(user, pause).first->second.note(now) : std::nullopt;
  }

 private:
  static constexpr std::size_t users_max = 64;
  static constexpr auto pause = std::chrono::minutes(1);
  std::map<std::uint32_t, Seldom> users_;
};

}  // namespace webhookd::server
