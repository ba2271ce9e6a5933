#include "control/protocol/webhook_codec.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/json_write.hpp"
#include "control/protocol/members.hpp"
#include "control/protocol/problems.hpp"

namespace webhookd::protocol {

namespace {

using domain::Webhook;

// A definition being changed: what stands now, and what null goes back to.
struct Draft {
  Webhook webhook;
  const Webhook& defaults;
};

using Write = void (*)(JsonWriter&, const Webhook&, const WebhookLive&);
using Read = void (*)(std::string_view, Draft&, Faults&);

struct Field {
  std::string_view name;
  std::string_view schema;
  Write write;    // none: never shown here
  Read read;      // none: kept by the daemon
  bool required;  // in a create; cannot be removed
};

// ---- reading --------------------------------------------------------------------------------------------------

bool is_null(std::string_view value) { return kind_of(value) == JsonKind::null; }

void refuse_null(const Place& place, Faults& faults) { add_fault(faults, place, "is required and cannot be removed"); }

void read_name(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("display_name");
  if (is_null(value)) {
    refuse_null(place, faults);
  } else if (auto text = read_string(value, place, faults)) {
    draft.webhook.display_name = std::move(*text);
  }
}

void read_url(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("url");
  if (is_null(value)) {
    refuse_null(place, faults);
    return;
  }
  const auto text = read_string(value, place, faults);
  if (!text) {
    return;
  }
  if (auto url = domain::Url::parse(*text)) {
    draft.webhook.url = std::move(*url);
  } else {
    faults.add(url.error());
  }
}

void read_events(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("events");
  if (is_null(value)) {
    refuse_null(place, faults);
    return;
  }
  if (!expect_kind(value, JsonKind::array, place, faults)) {
    return;
  }
  auto elements = elements_of(value);
  // One more than allowed is enough for check_webhook to say so.
  elements.resize(std::min(elements.size(), domain::limits::events_per_webhook + 1));
  draft.webhook.events.clear();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    draft.webhook.events.push_back(read_string(elements[i], place.at(i), faults).value_or(""));
  }
}

void read_status(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("status");
  if (is_null(value)) {
    set_status(draft.webhook, domain::WebhookStatus::active);
    return;
  }
  const auto text = read_string(value, place, faults);
  for (const auto status : {domain::WebhookStatus::active, domain::WebhookStatus::inactive}) {
    if (text && *text == to_string(status)) {
      set_status(draft.webhook, status);
      return;
    }
  }
  if (text) {
    add_fault(faults, place, "must be active or inactive");
  }
}

void read_description(std::string_view value, Draft& draft, Faults& faults) {
  if (is_null(value)) {
    draft.webhook.description.clear();
  } else if (auto text = read_string(value, Place::of("description"), faults)) {
    draft.webhook.description = std::move(*text);
  }
}

void put_header(std::vector<domain::Header>& headers, const std::string& name, std::optional<std::string> value) {
  std::erase_if(headers, [&](const domain::Header& header) { return base::equals_ignoring_case(header.name, name); });
  if (value) {
    headers.push_back({name, std::move(*value)});
  }
}

void read_headers(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("headers");
  if (is_null(value)) {
    draft.webhook.headers.clear();
    return;
  }
  if (!expect_kind(value, JsonKind::object, place, faults)) {
    return;
  }
  std::vector<std::string> seen;
  for (const JsonMember& member : members_of(value)) {
    // One more than allowed is enough for check_webhook to say so.
    if (draft.webhook.headers.size() > domain::limits::headers || seen.size() > 2 * domain::limits::headers) {
      break;
    }
    const std::string lowered = base::to_lower(member.name);
    if (std::find(seen.begin(), seen.end(), lowered) != seen.end()) {
      add_fault(faults, place.below(member.name), "is given twice");
    }
    seen.push_back(lowered);
    if (is_null(member.value)) {
      put_header(draft.webhook.headers, member.name, std::nullopt);
    } else if (auto text = read_string(member.value, place.below(member.name), faults)) {
      put_header(draft.webhook.headers, member.name, std::move(text));
    }
  }
}

void read_secrets(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("secrets");
  if (!expect_kind(value, JsonKind::array, place, faults)) {
    return;
  }
  auto elements = elements_of(value);
  if (elements.empty()) {
    add_fault(faults, place, "at least one secret is required (leave the member out to keep or generate one)");
  }
  elements.resize(std::min(elements.size(), domain::limits::secrets_per_webhook + 1));
  draft.webhook.secrets.clear();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const auto text = read_string(elements[i], place.at(i), faults);
    if (!text) {
      continue;
    }
    if (auto secret = domain::parse_secret(*text)) {
      draft.webhook.secrets.push_back(std::move(*secret));
    } else {
      faults.add(place.at(i).pointer, secret.error().detail);
    }
  }
}

// A member whose value is one of a few words.
template <class Value>
void read_word(std::string_view value, std::string_view member, std::optional<Value> (*parse)(std::string_view),
               std::string_view words, Value& target, Value fallback, Faults& faults) {
  const Place place = Place::of(member);
  if (is_null(value)) {
    target = fallback;
    return;
  }
  const auto text = read_string(value, place, faults);
  if (!text) {
    return;
  }
  if (const auto word = parse(*text)) {
    target = *word;
  } else {
    add_fault(faults, place, "must be one of " + std::string(words));
  }
}

void read_signature(std::string_view value, Draft& draft, Faults& faults) {
  read_word(value, "signature", domain::parse_signature_scheme, "standard, none, github, stripe",
            draft.webhook.signature, draft.defaults.signature, faults);
}

void read_format(std::string_view value, Draft& draft, Faults& faults) {
  read_word(value, "format", domain::parse_payload_format, "standard, raw, cloudevents, cloudevents-binary",
            draft.webhook.format, draft.defaults.format, faults);
}

void read_timeout(std::string_view value, Draft& draft, Faults& faults) {
  if (is_null(value)) {
    draft.webhook.timeout = draft.defaults.timeout;
  } else if (const auto timeout = read_seconds(value, Place::of("timeout"), faults)) {
    draft.webhook.timeout = *timeout;
  }
}

void read_max_in_flight(std::string_view value, Draft& draft, Faults& faults) {
  if (is_null(value)) {
    draft.webhook.max_in_flight = draft.defaults.max_in_flight;
  } else if (const auto count = read_count(value, Place::of("max_in_flight"), faults)) {
    draft.webhook.max_in_flight = *count;
  }
}

void read_rate(std::string_view value, Draft& draft, Faults& faults) {
  if (is_null(value)) {
    draft.webhook.rate.reset();
  } else if (const auto rate = read_number(value, Place::of("rate"), faults)) {
    draft.webhook.rate = *rate;
  }
}

using domain::RetryPolicy;

struct RetryField {
  std::string_view name;
  base::Duration RetryPolicy::*duration;  // or
  double RetryPolicy::*number;
};
constexpr std::array retry_fields = {
    RetryField{"initial", &RetryPolicy::initial, nullptr}, RetryField{"factor", nullptr, &RetryPolicy::factor},
    RetryField{"max", &RetryPolicy::max, nullptr},         RetryField{"jitter", nullptr, &RetryPolicy::jitter},
    RetryField{"window", &RetryPolicy::window, nullptr},
};

void read_retry_field(const RetryField& field, std::string_view value, const Place& place, Draft& draft,
                      Faults& faults) {
  RetryPolicy& retry = draft.webhook.retry;
  const RetryPolicy& defaults = draft.defaults.retry;
  if (field.duration != nullptr) {
    const auto wait = is_null(value) ? defaults.*field.duration : read_seconds(value, place, faults);
    retry.*field.duration = wait.value_or(retry.*field.duration);
  } else {
    const auto number = is_null(value) ? defaults.*field.number : read_number(value, place, faults);
    retry.*field.number = number.value_or(retry.*field.number);
  }
}

void read_retry(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("retry");
  if (is_null(value)) {
    draft.webhook.retry = draft.defaults.retry;
    return;
  }
  if (!expect_kind(value, JsonKind::object, place, faults)) {
    return;
  }
  for (const JsonMember& member : members_of(value)) {
    const auto* field = std::find_if(retry_fields.begin(), retry_fields.end(),
                                     [&](const RetryField& known) { return known.name == member.name; });
    if (field != retry_fields.end()) {
      read_retry_field(*field, member.value, place.below(member.name), draft, faults);
      continue;
    }
    std::vector<std::string> names;
    for (const auto& known : retry_fields) {
      names.emplace_back(known.name);
    }
    add_unknown_member(faults, place.below(member.name), member.name, names);
  }
}

// A member of a nested object that is one text.
template <class Object>
struct TextField {
  std::string_view name;
  std::string Object::*text;
};

template <class Object, std::size_t N>
bool read_text_field(const std::array<TextField<Object>, N>& table, const JsonMember& member, const Place& place,
                     Object& object, Faults& faults) {
  const auto* field =
      std::find_if(table.begin(), table.end(), [&](const auto& known) { return known.name == member.name; });
  if (field == table.end()) {
    return false;
  }
  if (is_null(member.value)) {
    object.*field->text = Object{}.*field->text;
  } else if (auto text = read_string(member.value, place, faults)) {
    object.*field->text = std::move(*text);
  }
  return true;
}

using domain::HeaderFile;
using domain::Oauth2;
using domain::TlsIdentity;

constexpr std::array tls_fields = {TextField<TlsIdentity>{"client_cert", &TlsIdentity::client_cert},
                                   TextField<TlsIdentity>{"client_key", &TlsIdentity::client_key}};
constexpr std::array header_file_fields = {TextField<HeaderFile>{"header", &HeaderFile::header},
                                           TextField<HeaderFile>{"file", &HeaderFile::file}};
constexpr std::array oauth2_fields = {TextField<Oauth2>{"client_id", &Oauth2::client_id},
                                      TextField<Oauth2>{"client_secret_file", &Oauth2::client_secret_file}};
constexpr std::string_view token_url_member = "token_url";
constexpr std::string_view scopes_member = "scopes";
constexpr std::string_view type_member = "type";

template <class Object, std::size_t N>
std::vector<std::string> names_of(const std::array<TextField<Object>, N>& table,
                                  std::initializer_list<std::string_view> more = {}) {
  std::vector<std::string> names(more.begin(), more.end());
  for (const auto& field : table) {
    names.emplace_back(field.name);
  }
  return names;
}

void read_tls(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("tls");
  if (is_null(value)) {
    draft.webhook.tls = {};
    return;
  }
  if (!expect_kind(value, JsonKind::object, place, faults)) {
    return;
  }
  for (const JsonMember& member : members_of(value)) {
    const Place below = place.below(member.name);
    if (!read_text_field(tls_fields, member, below, draft.webhook.tls, faults)) {
      add_unknown_member(faults, below, member.name, names_of(tls_fields));
    }
  }
}

void read_token_url(std::string_view value, const Place& place, Oauth2& oauth2, Faults& faults) {
  const auto text = is_null(value) ? std::optional(std::string()) : read_string(value, place, faults);
  if (!text) {
    return;
  }
  if (auto url = domain::Url::parse(*text)) {
    oauth2.token_url = std::move(*url);
  } else {
    constexpr std::string_view own_name = "url: ";  // of a webhook's url
    const std::string& detail = url.error().detail;
    add_fault(faults, place, detail.starts_with(own_name) ? detail.substr(own_name.size()) : detail);
  }
}

void read_scopes(std::string_view value, const Place& place, Oauth2& oauth2, Faults& faults) {
  oauth2.scopes.clear();
  if (is_null(value) || !expect_kind(value, JsonKind::array, place, faults)) {
    return;
  }
  auto elements = elements_of(value);
  // One more than allowed is enough for check_webhook to say so.
  elements.resize(std::min(elements.size(), domain::limits::scopes + 1));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    oauth2.scopes.push_back(read_string(elements[i], place.at(i), faults).value_or(""));
  }
}

// One overload for each alternative of Authentication.
void read_auth_member(const JsonMember& member, const Place& place, HeaderFile& header_file, Faults& faults) {
  if (!read_text_field(header_file_fields, member, place, header_file, faults)) {
    add_unknown_member(faults, place, member.name, names_of(header_file_fields, {type_member}));
  }
}

void read_auth_member(const JsonMember& member, const Place& place, Oauth2& oauth2, Faults& faults) {
  if (member.name == token_url_member) {
    read_token_url(member.value, place, oauth2, faults);
  } else if (member.name == scopes_member) {
    read_scopes(member.value, place, oauth2, faults);
  } else if (!read_text_field(oauth2_fields, member, place, oauth2, faults)) {
    add_unknown_member(faults, place, member.name,
                       names_of(oauth2_fields, {type_member, token_url_member, scopes_member}));
  }
}

void read_auth_member(const JsonMember&, const Place&, std::monostate, Faults&) {}

// The alternative that "type" names: the present one, to be patched, or a fresh one.
void choose_auth(const std::vector<JsonMember>& members, domain::Authentication& auth, Faults& faults) {
  const auto named =
      std::find_if(members.begin(), members.end(), [](const JsonMember& member) { return member.name == type_member; });
  const Place place = Place::of("auth").below(type_member);
  if (named == members.end()) {
    if (std::holds_alternative<std::monostate>(auth)) {
      add_fault(faults, place, "is required: header_file or oauth2");
    }
    return;
  }
  const auto type = read_string(named->value, place, faults);
  const std::array<domain::Authentication, 2> choices{HeaderFile{}, Oauth2{}};
  const auto* chosen = std::find_if(choices.begin(), choices.end(),
                                    [&](const auto& choice) { return type && type_of(choice) == *type; });
  if (chosen == choices.end()) {
    if (type) {
      add_fault(faults, place, "must be header_file or oauth2");
    }
    auth = std::monostate();
  } else if (chosen->index() != auth.index()) {
    auth = *chosen;
  }
}

void read_auth(std::string_view value, Draft& draft, Faults& faults) {
  const Place place = Place::of("auth");
  domain::Authentication& auth = draft.webhook.auth;
  if (is_null(value)) {
    auth = std::monostate();
    return;
  }
  if (!expect_kind(value, JsonKind::object, place, faults)) {
    return;
  }
  const auto members = members_of(value);
  choose_auth(members, auth, faults);
  for (const JsonMember& member : members) {
    if (member.name != type_member) {
      std::visit([&](auto& chosen) { read_auth_member(member, place.below(member.name), chosen, faults); }, auth);
    }
  }
}

// ---- writing --------------------------------------------------------------------------------------------------

void write_headers(JsonWriter& json, const Webhook& webhook, const WebhookLive&) {
  json.begin_object();
  for (const auto& header : webhook.headers) {
    json.name(header.name).string(header.value);
  }
  json.end_object();
}

void write_events(JsonWriter& json, const Webhook& webhook, const WebhookLive&) {
  json.begin_array();
  for (const auto& event : webhook.events) {
    json.string(event);
  }
  json.end_array();
}

void write_retry(JsonWriter& json, const Webhook& webhook, const WebhookLive&) {
  json.begin_object();
  for (const auto& field : retry_fields) {
    json.name(field.name);
    if (field.duration != nullptr) {
      json.seconds(webhook.retry.*field.duration);
    } else {
      json.number(webhook.retry.*field.number);
    }
  }
  json.end_object();
}

void write_tls(JsonWriter& json, const Webhook& webhook, const WebhookLive&) {
  if (!webhook.tls.is_set()) {
    json.null();
    return;
  }
  json.begin_object();
  for (const auto& field : tls_fields) {
    json.name(field.name).string(webhook.tls.*field.text);
  }
  json.end_object();
}

void write_auth_members(JsonWriter& json, const HeaderFile& header_file) {
  for (const auto& field : header_file_fields) {
    json.name(field.name).string(header_file.*field.text);
  }
}

void write_auth_members(JsonWriter& json, const Oauth2& oauth2) {
  json.name(token_url_member).string(oauth2.token_url.text());
  for (const auto& field : oauth2_fields) {
    json.name(field.name).string(oauth2.*field.text);
  }
  json.name(scopes_member).begin_array();
  for (const std::string& scope : oauth2.scopes) {
    json.string(scope);
  }
  json.end_array();
}

void write_auth_members(JsonWriter&, std::monostate) {}

void write_auth(JsonWriter& json, const Webhook& webhook, const WebhookLive&) {
  if (std::holds_alternative<std::monostate>(webhook.auth)) {
    json.null();
    return;
  }
  json.begin_object().name(type_member).string(type_of(webhook.auth));
  std::visit([&](const auto& auth) { write_auth_members(json, auth); }, webhook.auth);
  json.end_object();
}

void write_id(JsonWriter& json, const Webhook& webhook, const WebhookLive&) {
  if (webhook.id.is_set()) {
    json.string(base::to_string(webhook.id));
  } else {
    json.null();  // a dry run of a create
  }
}

// ---- the table ------------------------------------------------------------------------------------------------

using J = JsonWriter;
using W = Webhook;
using L = WebhookLive;

constexpr std::array fields = {
    Field{"id", R"({"type":["string","null"],"description":"wh_ and 13 characters; null in a dry run of a create"})",
          write_id, nullptr, false},
    Field{"display_name", R"({"type":"string","minLength":1,"description":"unique among webhooks"})",
          [](J& j, const W& w, const L&) { j.string(w.display_name); }, read_name, true},
    Field{"url", R"({"type":"string","format":"uri"})", [](J& j, const W& w, const L&) { j.string(w.url.text()); },
          read_url, true},
    Field{
        "events",
        R"({"type":"array","minItems":1,"items":{"type":"string"},"description":"catalogue names, resource.*, or *"})",
        write_events, read_events, true},
    Field{"status", R"({"type":"string","enum":["active","inactive"]})",
          [](J& j, const W& w, const L&) { j.string(to_string(w.status)); }, read_status, false},
    Field{"status_reason", R"({"type":["string","null"],"enum":["manual","gone",null]})",
          [](J& j, const W& w, const L&) { j.text_or_null(to_string(w.status_reason)); }, nullptr, false},
    Field{"description", R"({"type":"string"})", [](J& j, const W& w, const L&) { j.string(w.description); },
          read_description, false},
    Field{"headers", R"({"type":"object","additionalProperties":{"type":"string"}})", write_headers, read_headers,
          false},
    Field{"secrets", R"({"type":"array","items":{"type":"string","description":"whsec_ or whsk_"}})", nullptr,
          read_secrets, false},
    Field{"signature", R"({"type":"string","enum":["standard","none","github","stripe"]})",
          [](J& j, const W& w, const L&) { j.string(to_string(w.signature)); }, read_signature, false},
    Field{"format", R"({"type":"string","enum":["standard","raw","cloudevents","cloudevents-binary"]})",
          [](J& j, const W& w, const L&) { j.string(to_string(w.format)); }, read_format, false},
    Field{"timeout", R"({"type":"number","description":"seconds, of the whole exchange"})",
          [](J& j, const W& w, const L&) { j.seconds(w.timeout); }, read_timeout, false},
    Field{"max_in_flight", R"({"type":"integer","minimum":1})",
          [](J& j, const W& w, const L&) { j.number(std::uint64_t{w.max_in_flight}); }, read_max_in_flight, false},
    Field{"rate", R"({"type":["number","null"],"description":"requests per second"})",
          [](J& j, const W& w, const L&) { w.rate ? j.number(*w.rate) : j.null(); }, read_rate, false},
    Field{"retry",
          R"({"type":"object","properties":{"initial":{"type":"number"},"factor":{"type":"number"},)"
          R"("max":{"type":"number"},"jitter":{"type":"number"},"window":{"type":"number"}},)"
          R"("description":"initial, max and window in seconds"})",
          write_retry, read_retry, false},
    Field{"tls",
          R"({"type":["object","null"],"properties":{"client_cert":{"type":"string"},"client_key":{"type":"string"}},)"
          R"("description":"a client certificate: absolute paths of PEM files that the daemon reads at each attempt, )"
          R"(the key without a passphrase; https only"})",
          write_tls, read_tls, false},
    Field{"auth",
          R"({"oneOf":[{"type":"null"},{"type":"object","properties":{"type":{"const":"header_file"},)"
          R"("header":{"type":"string","default":"Authorization"},"file":{"type":"string"}},)"
          R"("description":"a header whose whole value is the one line of a file, read at each attempt"},)"
          R"({"type":"object","properties":{"type":{"const":"oauth2"},"token_url":{"type":"string","format":"uri"},)"
          R"("client_id":{"type":"string"},"client_secret_file":{"type":"string"},)"
          R"("scopes":{"type":"array","items":{"type":"string"}}},)"
          R"("description":"an access token by client credentials; the secret is the one line of a file"}]})",
          write_auth, read_auth, false},
    Field{"version", R"({"type":"integer","description":"counts edits; the ETag"})",
          [](J& j, const W& w, const L&) { j.number(w.version); }, nullptr, false},
    Field{"created_at", R"({"type":"string","format":"date-time"})",
          [](J& j, const W& w, const L&) { j.time(w.created_at); }, nullptr, false},
    Field{"updated_at", R"({"type":"string","format":"date-time"})",
          [](J& j, const W& w, const L&) { j.time(w.updated_at); }, nullptr, false},
    Field{"health", R"({"type":["string","null"],"enum":["up","down","throttled",null]})",
          [](J& j, const W&, const L& l) { l.health ? j.string(to_string(*l.health)) : j.null(); }, nullptr, false},
    Field{"waiting", R"({"type":["integer","null"],"description":"messages that wait"})",
          [](J& j, const W&, const L& l) { l.waiting ? j.number(*l.waiting) : j.null(); }, nullptr, false},
    Field{"failed_last_day",
          R"({"type":["integer","null"],"description":"messages, as far back as the daemon has run"})",
          [](J& j, const W&, const L& l) { l.failed_last_day ? j.number(*l.failed_last_day) : j.null(); }, nullptr,
          false},
    Field{"last_success_at", R"({"type":["string","null"],"format":"date-time"})",
          [](J& j, const W&, const L& l) { j.time(l.last_success_at); }, nullptr, false},
    Field{
        "certificate_expires_at",
        R"({"type":["string","null"],"format":"date-time","description":"the receiver's, as last seen since the start"})",
        [](J& j, const W&, const L& l) { j.time(l.certificate_expires_at); }, nullptr, false},
};

const Field* field_named(std::string_view name) {
  const auto* found = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
  return found == fields.end() ? nullptr : found;
}

void read_fields(const std::vector<JsonMember>& members, Draft& draft, Faults& faults) {
  for (const JsonMember& member : members) {
    const Field* field = field_named(member.name);
    if (field != nullptr && field->read != nullptr) {
      field->read(member.value, draft, faults);
    } else if (field != nullptr) {
      add_fault(faults, Place::of(member.name), "is kept by the daemon and cannot be set");
    } else {
      std::vector<std::string> names;
      for (const Field& known : fields) {
        if (known.read != nullptr) {
          names.emplace_back(known.name);
        }
      }
      add_unknown_member(faults, Place::of(member.name), member.name, names);
    }
  }
}

// The member that a pointer is in: "/retry" of "/retry/max".
std::string_view top_of(std::string_view pointer) { return pointer.substr(0, pointer.find('/', 1)); }

base::Result<Webhook> checked(Draft draft, Faults faults) {
  if (auto rules = domain::check_webhook(draft.webhook); rules.has_error()) {
    for (auto& fault : rules.error().fields) {
      // What could not even be read has been named already.
      if (!faults.has(top_of(fault.pointer))) {
        faults.add(std::move(fault.pointer), std::move(fault.detail));
      }
    }
  }
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  return std::move(draft.webhook);
}

void write_fields(JsonWriter& json, const Webhook& webhook, const WebhookLive& live) {
  for (const Field& field : fields) {
    if (field.write != nullptr) {
      json.name(field.name);
      field.write(json, webhook, live);
    }
  }
}

}  // namespace

void write_webhook(JsonWriter& json, const Webhook& webhook, const WebhookLive& live) {
  json.begin_object();
  write_fields(json, webhook, live);
  json.end_object();
}

void write_created_webhook(JsonWriter& json, const Webhook& webhook, const WebhookLive& live) {
  json.begin_object();
  write_fields(json, webhook, live);
  json.name("secrets").begin_array();
  for (const auto& secret : webhook.secrets) {
    json.string(domain::format_secret(secret));
  }
  json.end_array().end_object();
}

base::Result<Webhook> read_webhook(std::string_view body, const Webhook& defaults) {
  const auto members = scan_object(body, domain::limits::json_depth);
  if (!members) {
    return members.error();
  }
  Draft draft{defaults, defaults};
  Faults faults;
  for (const Field& field : fields) {
    const auto named = [&](const JsonMember& member) { return member.name == field.name; };
    if (field.required && std::none_of(members->begin(), members->end(), named)) {
      add_fault(faults, Place::of(field.name), "is required");
    }
  }
  read_fields(*members, draft, faults);
  return checked(std::move(draft), std::move(faults));
}

base::Result<Webhook> patch_webhook(std::string_view body, const Webhook& current, const Webhook& defaults) {
  const auto members = scan_object(body, domain::limits::json_depth);
  if (!members) {
    return members.error();
  }
  Draft draft{current, defaults};
  Faults faults;
  read_fields(*members, draft, faults);
  return checked(std::move(draft), std::move(faults));
}

void set_status(Webhook& webhook, domain::WebhookStatus status) {
  if (webhook.status == status) {
    return;  // an inactive webhook keeps the reason it has
  }
  webhook.status = status;
  webhook.status_reason =
      status == domain::WebhookStatus::inactive ? domain::InactiveReason::manual : domain::InactiveReason::none;
}

void write_secrets(JsonWriter& json, const std::vector<domain::Secret>& secrets,
                   const std::vector<std::string>& public_keys) {
  json.begin_object().name("secrets").begin_array();
  for (const auto& secret : secrets) {
    json.begin_object().name("secret").string(domain::format_secret(secret));
    json.name("expires_at").time(secret.expires_at).end_object();
  }
  json.end_array().name("public_keys").begin_array();
  for (const auto& key : public_keys) {
    json.string(key);
  }
  json.end_array().end_object();
}

base::Result<base::Duration> read_rotation(std::string_view body) {
  if (body.empty()) {
    return rotation_grace_default;
  }
  const auto members = scan_object(body, domain::limits::json_depth);
  if (!members) {
    return members.error();
  }
  static constexpr std::array rules = {
      MemberRule<base::Duration>{"grace",
                                 [](std::string_view value, base::Duration& grace, Faults& faults) {
                                   grace = read_seconds(value, Place::of("grace"), faults).value_or(grace);
                                 }},
  };
  base::Duration grace = rotation_grace_default;
  Faults faults;
  read_members(*members, rules, grace, faults);
  if (grace > rotation_grace_max) {
    add_fault(faults, Place::of("grace"), "must be between 0 and 2592000 seconds (30 d)");
  }
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  return grace;
}

void write_webhook_properties(JsonWriter& json, bool in_request) {
  json.begin_object();
  for (const Field& field : fields) {
    if (in_request ? field.read != nullptr : field.write != nullptr) {
      json.name(field.name).raw(field.schema);
    }
  }
  json.end_object();
}

}  // namespace webhookd::protocol
