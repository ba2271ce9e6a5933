#include "domain/authentication.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "domain/header.hpp"

namespace webhookd::domain {

namespace {

using FieldErrors = std::vector<base::FieldError>;

std::optional<std::string> path_fault(const std::string& path) {
  if (path.empty()) {
    return "is required";
  }
  if (path.front() != '/') {
    return "must be an absolute path, as the daemon sees it";
  }
  if (path.size() > limits::file_path_bytes) {
    return "must have at most " + std::to_string(limits::file_path_bytes) + " bytes";
  }
  if (!base::is_valid_utf8(path) || base::has_control_characters(path)) {
    return "must be UTF-8 without control characters";
  }
  return std::nullopt;
}

// RFC 6749 appendix A.1.
std::optional<std::string> client_id_fault(const std::string& id) {
  const auto is_visible = [](char c) { return c >= 0x20 && c <= 0x7e; };
  if (id.empty()) {
    return "is required";
  }
  if (id.size() > limits::client_id_bytes || !std::all_of(id.begin(), id.end(), is_visible)) {
    return "must be printable ASCII of at most " + std::to_string(limits::client_id_bytes) + " bytes";
  }
  return std::nullopt;
}

// RFC 6749 section 3.3: a scope is a word.
std::optional<std::string> scopes_fault(const std::vector<std::string>& scopes) {
  const auto is_scope_character = [](char c) { return c > 0x20 && c <= 0x7e && c != '"' && c != '\\'; };
  if (scopes.size() > limits::scopes) {
    return "at most " + std::to_string(limits::scopes) + " scopes";
  }
  for (const std::string& scope : scopes) {
    if (scope.empty() || scope.size() > limits::scope_bytes ||
        !std::all_of(scope.begin(), scope.end(), is_scope_character)) {
      return "a scope is one word of 1 to " + std::to_string(limits::scope_bytes) +
             " visible ASCII characters, without quotes and backslashes";
    }
  }
  return std::nullopt;
}

std::optional<std::string> token_url_fault(const Url& url) {
  return url.host().empty() ? std::optional<std::string>("is required") : std::nullopt;
}

// Adds the fault of one member, named as in JSON.
void add(FieldErrors& faults, std::string_view object, std::string_view member, std::optional<std::string> fault) {
  if (fault) {
    faults.push_back({"/" + std::string(object) + "/" + std::string(member),
                      std::string(object) + "." + std::string(member) + ": " + *fault});
  }
}

struct FaultsOf {
  FieldErrors operator()(std::monostate) const { return {}; }
  FieldErrors operator()(const HeaderFile& header_file) const {
    FieldErrors faults;
    add(faults, "auth", "header", header_name_fault(header_file.header));
    add(faults, "auth", "file", path_fault(header_file.file));
    return faults;
  }
  FieldErrors operator()(const Oauth2& oauth2) const {
    FieldErrors faults;
    add(faults, "auth", "token_url", token_url_fault(oauth2.token_url));
    add(faults, "auth", "client_id", client_id_fault(oauth2.client_id));
    add(faults, "auth", "client_secret_file", path_fault(oauth2.client_secret_file));
    add(faults, "auth", "scopes", scopes_fault(oauth2.scopes));
    return faults;
  }
};

constexpr std::array<std::string_view, 3> type_words = {"", "header_file", "oauth2"};
static_assert(type_words.size() == std::variant_size_v<Authentication>);

}  // namespace

std::string_view type_of(const Authentication& auth) { return type_words[auth.index()]; }

FieldErrors identity_faults(const TlsIdentity& identity) {
  FieldErrors faults;
  if (identity.is_set()) {
    add(faults, "tls", "client_cert", path_fault(identity.client_cert));
    add(faults, "tls", "client_key", path_fault(identity.client_key));
  }
  return faults;
}

FieldErrors authentication_faults(const Authentication& auth) { return std::visit(FaultsOf{}, auth); }

}  // namespace webhookd::domain
