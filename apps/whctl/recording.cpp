#include "recording.hpp"

#include "base/base64.hpp"
#include "base/text.hpp"
#include "control/protocol/json_write.hpp"
#include "json.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

bool has_line_break(std::string_view text) { return text.find_first_of("\r\n") != std::string_view::npos; }

}  // namespace

std::string recorded_line(const ReceivedRequest& request, const std::string& at, int status) {
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_object().name("at").string(at).name("method").string(request.method);
  json.name("target").string(request.target).name("headers").begin_array();
  for (const auto& [name, value] : request.headers) json.begin_array().string(name).string(value).end_array();
  json.end_array();
  if (base::is_valid_utf8(request.body)) {
    json.name("body").string(request.body);
  } else {
    json.name("body_base64").string(base::base64_encode(request.body));
  }
  json.name("status");
  if (status == Receiver::dropped) {
    json.null();
  } else {
    json.number(static_cast<std::uint64_t>(status));
  }
  json.end_object();
  return text;
}

Result<ReceivedRequest> read_recorded_line(const std::string& line, const std::string& place) {
  const auto document = Document::parse(line);
  if (!document) return failure(client::codes::usage, place, "is not JSON");
  const Json root = document->root();
  ReceivedRequest request;
  request.method = root["method"].text();
  request.target = root["target"].text();
  request.body = root["body"].text();
  if (root.has("body_base64")) {
    auto decoded = base::base64_decode(root["body_base64"].text());
    if (!decoded) return failure(client::codes::usage, place, "body_base64: is not base64");
    request.body = std::move(*decoded);
  }
  bool is_good = !request.method.empty() && request.target.starts_with('/') &&
                 request.target.find_first_of(" \r\n") == std::string::npos &&
                 request.method.find_first_of(" \r\n") == std::string::npos;
  for (const auto& pair : root["headers"].elements()) {
    const auto words = pair.elements();
    if (words.size() != 2) return failure(client::codes::usage, place, "headers: each is a name and a value");
    request.headers.emplace_back(words[0].text(), words[1].text());
    is_good = is_good && !has_line_break(words[0].text() + words[1].text());
  }
  if (!is_good) return failure(client::codes::usage, place, "is no recorded request");
  return request;
}

}  // namespace webhookd::whctl
