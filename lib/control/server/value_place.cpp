#include "control/server/value_place.hpp"

#include <vector>

namespace webhookd::server {

namespace {

constexpr std::size_t pointer_bytes_max = 1024;

}  // namespace

protocol::Place spelled(const ValuePlace& place, std::string_view root) {
  std::vector<const ValuePlace*> way;
  for (const ValuePlace* step = &place; step->above != nullptr; step = step->above) {
    way.push_back(step);
  }
  protocol::Place out = protocol::Place::of(root);
  for (auto step = way.rbegin(); step != way.rend() && out.pointer.size() < pointer_bytes_max; ++step) {
    out = (*step)->is_element ? out.at((*step)->index) : out.below((*step)->member.substr(0, protocol::name_shown_max));
  }
  return out;
}

}  // namespace webhookd::server
