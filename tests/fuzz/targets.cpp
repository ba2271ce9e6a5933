#include "fuzz/targets.hpp"

#include <iterator>

#include "base/random.hpp"

namespace webhookd::fuzz {

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> joined;
    for (const auto& room :
         {text_targets, request_targets, document_targets, stored_targets, answer_targets, program_targets}) {
      auto some = room();
      joined.insert(joined.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    }
    return joined;
  }();
  return all;
}

std::uint64_t choice_of(std::string_view input) {
  std::uint64_t choice = input.size();
  for (const char c : input) {
    choice = base::mix64(choice ^ static_cast<unsigned char>(c)) + 1;
  }
  return choice;
}

Halves split_at_first(std::string_view input, std::string_view separator) {
  const std::size_t at = input.find(separator);
  if (at == std::string_view::npos) {
    return {input, {}};
  }
  return {input.substr(0, at), input.substr(at + separator.size())};
}

}  // namespace webhookd::fuzz
