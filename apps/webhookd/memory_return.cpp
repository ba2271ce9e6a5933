#include "memory_return.hpp"

namespace webhookd::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto quiet_time = 5s;
constexpr std::uint64_t work_min = 1000;  // less leaves too little behind

}  // namespace

MemoryReturn::Step MemoryReturn::look(Time now, std::uint64_t work, bool is_busy) {
  if (work != seen_ || is_busy) {
    seen_ = work;
    changed_at_ = now;
  }
  if (work - returned_ < work_min) {
    return {};
  }
  if (now < changed_at_ + quiet_time) {
    return {false, changed_at_ + quiet_time};
  }
  returned_ = work;
  return {true, std::nullopt};
}

}  // namespace webhookd::daemon
