#include "meant_name.hpp"

#include <array>

#include "base/text.hpp"

namespace webhookd::whctl {

namespace {

constexpr std::size_t names_max = 1000;

struct Known {
  Role role;
  std::string_view collection;
  std::string_view name;
};
constexpr std::array known{Known{Role::webhook, "webhooks", "display_name"},
                           Known{Role::subject, "webhooks", "display_name"}, Known{Role::event_type, "types", "name"}};

std::optional<std::string> nearest(Session& session, const Known& place, const std::vector<std::string>& words) {
  const auto listed = session.list("/v1/" + std::string(place.collection), names_max);
  if (!listed) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& item : listed->items) names.push_back(item[place.name].text());
  for (const auto& word : words) {
    const bool exists = std::find(names.begin(), names.end(), word) != names.end();
    if (auto meant = base::closest(word, names); meant && !exists) return meant;
  }
  return std::nullopt;
}

}  // namespace

client::Failure with_meant_name(Session& session, const Invocation& invocation, client::Failure failure) {
  if (failure.code != client::codes::not_found || !failure.hint.empty()) return failure;
  // The daemon may have said it already, behind what is wrong.
  constexpr std::string_view said = "; did you mean ";
  if (const auto at = failure.why.find(said); at != std::string::npos) {
    failure.hint = failure.why.substr(at + 2);
    failure.why.erase(at);
    return failure;
  }
  for (const auto& argument : invocation.command->arguments) {
    for (const auto& place : known) {
      if (argument.role != place.role || !invocation.has(argument.name)) continue;
      const auto meant = nearest(session, place, invocation.all(argument.name));
      if (meant) failure.hint = "did you mean " + *meant + "?";
      return failure;
    }
  }
  return failure;
}

}  // namespace webhookd::whctl
