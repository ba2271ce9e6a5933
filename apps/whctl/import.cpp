#include "import.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/time.hpp"
#include "control/protocol/json_write.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;
using protocol::JsonWriter;

namespace {

// The first of these members that is a text.
std::string first_text(Json endpoint, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (auto text = endpoint[name].text(); !text.empty()) return text;
  }
  return {};
}

void write_events(JsonWriter& json, Json exported, const std::vector<std::string>& replacement) {
  std::vector<std::string> events = replacement;
  if (events.empty()) {
    for (const auto& event : exported.elements()) events.push_back(event.text());
  }
  if (events.empty()) events.emplace_back("*");
  json.name("events").begin_array();
  for (const auto& event : events) json.string(event);
  json.end_array();
}

void write_common(JsonWriter& json, const std::string& name, const std::string& url, const std::string& description,
                  bool is_active) {
  json.name("display_name").string(name).name("url").string(url);
  if (!description.empty()) json.name("description").string(description);
  json.name("status").string(is_active ? "active" : "inactive");
}

// "10s", or a number of seconds.
std::optional<base::Duration> span_of(Json value) {
  if (const auto seconds = value.number()) return base::Duration{std::llround(*seconds * 1000)};
  return base::parse_duration(value.text());
}

void write_svix(JsonWriter& json, Json endpoint, const std::vector<std::string>& events) {
  write_common(json, first_text(endpoint, {"uid", "description", "id"}), endpoint["url"].text(),
               endpoint["description"].text(), !endpoint["disabled"].truth());
  write_events(json, endpoint["filterTypes"], events);
  if (endpoint["rateLimit"].number()) json.name("rate").raw(endpoint["rateLimit"].raw());
  if (!endpoint["headers"].members().empty()) json.name("headers").raw(endpoint["headers"].raw());
}

void write_convoy(JsonWriter& json, Json endpoint, const std::vector<std::string>& events) {
  const std::string status = endpoint["status"].text();
  write_common(json, first_text(endpoint, {"name", "title", "uid"}), first_text(endpoint, {"target_url", "url"}),
               endpoint["description"].text(), status.empty() || status == "active");
  write_events(json, Json(), events);
  const auto limit = endpoint["rate_limit"].number();
  const auto span = span_of(endpoint["rate_limit_duration"]);
  if (limit && *limit > 0 && span && span->count() > 0) json.name("rate").number(*limit / base::to_seconds(*span));
  const auto timeout = span_of(endpoint["http_timeout"]);
  if (timeout && timeout->count() > 0) json.name("timeout").seconds(*timeout);
}

void write_stripe(JsonWriter& json, Json endpoint, const std::vector<std::string>& events) {
  write_common(json, first_text(endpoint, {"description", "id"}), endpoint["url"].text(),
               endpoint["description"].text(), endpoint["status"].text() != "disabled");
  write_events(json, endpoint["enabled_events"], events);
  json.name("signature").string("stripe").name("format").string("raw");
}

struct Source {
  std::string_view name;
  void (*write)(JsonWriter& json, Json endpoint, const std::vector<std::string>& events);
};
constexpr std::array sources{Source{"svix", write_svix}, Source{"convoy", write_convoy},
                             Source{"stripe", write_stripe}};

// A list, the list inside an answer, or one endpoint.
std::vector<Json> endpoints_of(Json root) {
  for (const std::string_view wrapper : {"data", "content"}) {
    if (root.has(wrapper)) root = root[wrapper];
  }
  return root.is_array() ? root.elements() : std::vector<Json>{root};
}

}  // namespace

std::vector<std::string_view> import_sources() {
  std::vector<std::string_view> names;
  for (const auto& source : sources) names.push_back(source.name);
  return names;
}

Result<Manifest> manifest_of_export(const std::string& text, std::string_view source,
                                    const std::vector<std::string>& events, const std::string& place) {
  const auto document = Document::parse(text);
  if (!document) return failure(client::codes::usage, place, "is not JSON");
  const auto row = std::find_if(sources.begin(), sources.end(), [&](const Source& one) { return one.name == source; });
  Manifest manifest;
  std::size_t number = 0;
  for (const auto& endpoint : endpoints_of(document->root())) {
    ++number;
    Declared declared;
    JsonWriter json(declared.members);
    json.begin_object();
    row->write(json, endpoint, events);
    json.end_object();
    const Json members(declared.members);
    declared.name = members["display_name"].text();
    if (declared.name.empty() || members["url"].text().empty()) {
      return failure(
          client::codes::usage, place,
          "entry " + std::to_string(number) + " has no URL or no name: is it from " + std::string(source) + "?");
    }
    manifest.webhooks.push_back(std::move(declared));
  }
  return manifest;
}

}  // namespace webhookd::whctl
