// The types that ship (behaviour.md section 3), from two tables: what a resource looks like, and which events it has.
// Schema and example are written from the same rows, so they cannot disagree.

#include <algorithm>

#include "domain/event_type.hpp"

namespace webhookd::domain {

namespace {

// JSON Schema of one member.
namespace shape {
constexpr std::string_view integer = R"({"type":"integer"})";
constexpr std::string_view integer_or_null = R"({"type":["integer","null"]})";
constexpr std::string_view integers_or_null = R"({"type":["array","null"],"items":{"type":"integer"}})";
constexpr std::string_view text = R"({"type":"string"})";
constexpr std::string_view text_or_null = R"({"type":["string","null"]})";
constexpr std::string_view texts = R"({"type":"array","items":{"type":"string"}})";
constexpr std::string_view boolean = R"({"type":"boolean"})";
constexpr std::string_view time = R"({"type":"string","format":"date-time"})";
constexpr std::string_view time_or_null = R"({"type":["string","null"],"format":"date-time"})";
constexpr std::string_view approval = R"({"type":"string","enum":["PENDING","APPROVED","DECLINED"]})";
constexpr std::string_view deployment =
    R"({"type":"string","enum":["DEPLOYMENT_REQUIRED","DEPLOYMENT_IN_PROGRESS","DEPLOYED","DEPLOYMENT_FAILED","DELETION_IN_PROGRESS"]})";
}  // namespace shape

struct Field {
  std::string_view name;
  std::string_view schema;
  std::string_view example;  // JSON
};

struct Resource {
  std::string_view name;  // the member of `data` that holds it
  std::vector<Field> fields;
};

using namespace shape;

const Resource& subscription() {
  static const Resource resource{"subscription",
                                 {{"id", integer, "4711"},
                                  {"application", integer, "1203"},
                                  {"apiProduct", integer, "88"},
                                  {"plan", integer, "3"},
                                  {"environments", integers_or_null, "[1,4]"},
                                  {"approvalStatus", approval, R"("PENDING")"},
                                  {"approvalRequest", integer_or_null, "915"},
                                  {"deploymentStatus", deployment, R"("DEPLOYMENT_REQUIRED")"},
                                  {"apiProductDisplayName", text, R"("Payments API")"}}};
  return resource;
}

// Only subscription.create carries it (behaviour.md section 3).
const Resource& new_subscription() {
  static const Resource resource = [] {
    Resource extended = subscription();
    extended.fields.push_back({"termsOfUseAccepted", boolean, "true"});
    return extended;
  }();
  return resource;
}

const Resource& approval_request() {
  static const Resource resource{"approvalRequest",
                                 {{"id", integer, "915"},
                                  {"subscription", integer, "4711"},
                                  {"createdByUser", integer, "52"},
                                  {"createdByOrganization", integer, "7"},
                                  {"resolvingOrganization", integer, "1"},
                                  {"resolvedByUser", integer_or_null, "null"},
                                  {"status", text, R"("PENDING")"},
                                  {"comment", text, R"("We need this for the new checkout.")"},
                                  {"createdAt", time, R"("2026-03-02T09:15:27.000Z")"},
                                  {"resolvedAt", time_or_null, "null"}}};
  return resource;
}

const Resource& user() {
  static const Resource resource{"user",
                                 {{"id", integer, "52"},
                                  {"organization", integer, "7"},
                                  {"username", text, R"("j.doe")"},
                                  {"displayName", text, R"("Jane Doe")"},
                                  {"email", text, R"("jane.doe@example.com")"},
                                  {"status", text, R"("ACTIVE")"},
                                  {"role", text, R"("DEVELOPER")"},
                                  {"origin", text, R"("LOCAL")"},
                                  {"termsOfUseAccepted", boolean, "true"},
                                  {"hasImage", boolean, "false"}}};
  return resource;
}

const Resource& application() {
  static const Resource resource{"application",
                                 {{"id", integer, "1203"},
                                  {"organization", integer, "7"},
                                  {"displayName", text, R"("Web shop")"},
                                  {"description", text_or_null, R"("Checkout and orders")"},
                                  {"createdByUser", integer, "52"},
                                  {"createdAt", time, R"("2026-02-11T14:03:00.000Z")"}}};
  return resource;
}

const Resource& api() {
  static const Resource resource{"api",
                                 {{"id", integer, "310"},
                                  {"organization", integer, "1"},
                                  {"displayName", text, R"("Payments")"},
                                  {"version", text, R"("2.1.0")"},
                                  {"basePath", text, R"("/payments/v2")"},
                                  {"lifecycle", text, R"("ACTIVE")"},
                                  {"createdAt", time, R"("2026-01-20T08:00:00.000Z")"}}};
  return resource;
}

const Resource& api_product() {
  static const Resource resource{"apiProduct",
                                 {{"id", integer, "88"},
                                  {"organization", integer, "1"},
                                  {"displayName", text, R"("Payments API")"},
                                  {"apis", R"({"type":"array","items":{"type":"integer"}})", "[310]"},
                                  {"plans", R"({"type":"array","items":{"type":"integer"}})", "[3,4]"},
                                  {"status", text, R"("DRAFT")"}}};
  return resource;
}

const Resource& credential() {
  static const Resource resource{"credential",
                                 {{"id", integer, "6650"},
                                  {"application", integer, "1203"},
                                  {"kind", text, R"("OAUTH2_CLIENT")"},
                                  {"clientId", text, R"("web-shop-7f3a")"},
                                  {"scopes", texts, R"(["payments.read","payments.write"])"},
                                  {"status", text, R"("ACTIVE")"},
                                  {"expiresAt", time_or_null, R"("2027-03-02T00:00:00.000Z")"}}};
  return resource;
}

const Resource& deployment_run() {
  static const Resource resource{"deployment",
                                 {{"id", integer, "20441"},
                                  {"environment", integer, "4"},
                                  {"api", integer_or_null, "310"},
                                  {"subscription", integer_or_null, "null"},
                                  {"status", text, R"("SUCCESS")"},
                                  {"message", text_or_null, "null"},
                                  {"startedAt", time, R"("2026-03-02T09:20:00.000Z")"},
                                  {"finishedAt", time, R"("2026-03-02T09:20:41.000Z")"}}};
  return resource;
}

const Resource& environment() {
  static const Resource resource{"environment",
                                 {{"id", integer, "4"},
                                  {"displayName", text, R"("Production EU")"},
                                  {"gateway", text, R"("gateway-eu-1")"},
                                  {"status", text, R"("CONNECTED")"},
                                  {"lastSeenAt", time_or_null, R"("2026-03-02T09:14:58.000Z")"}}};
  return resource;
}

// What one event shows differently from its resource's usual example.
struct Override {
  std::string_view field;
  std::string_view example;
};

struct TypeRow {
  std::string_view name;
  std::string_view description;
  std::vector<const Resource*> members;  // of `data`
  std::vector<Override> overrides;       // of the first member
  TypeOrigin origin = TypeOrigin::extension;
};

std::vector<TypeRow> type_rows() {
  return {
      {"subscription.create",
       "An application subscribed to an API product.",
       {&new_subscription(), &approval_request(), &user()},
       {},
       TypeOrigin::builtin},
      {"subscription.delete",
       "A subscription was removed.",
       {&subscription()},
       {{"approvalStatus", R"("APPROVED")"}, {"deploymentStatus", R"("DELETION_IN_PROGRESS")"}},
       TypeOrigin::builtin},
      {"subscription.update",
       "A subscription changed: its plan, environments, approval or deployment.",
       {&subscription()},
       {{"approvalStatus", R"("APPROVED")"}, {"deploymentStatus", R"("DEPLOYED")"}}},
      {"approvalRequest.create", "Somebody asked for an approval.", {&approval_request()}, {}},
      {"approvalRequest.approve",
       "An approval request was approved.",
       {&approval_request()},
       {{"resolvedByUser", "11"}, {"status", R"("APPROVED")"}, {"resolvedAt", R"("2026-03-02T10:02:11.000Z")"}}},
      {"approvalRequest.decline",
       "An approval request was declined.",
       {&approval_request()},
       {{"resolvedByUser", "11"}, {"status", R"("DECLINED")"}, {"resolvedAt", R"("2026-03-02T10:02:11.000Z")"}}},
      {"application.create", "An application was registered.", {&application()}, {}},
      {"application.update", "An application changed.", {&application()}, {{"displayName", R"("Web shop EU")"}}},
      {"application.delete", "An application was removed.", {&application()}, {}},
      {"api.create", "An API was added.", {&api()}, {}},
      {"api.update", "An API changed.", {&api()}, {{"version", R"("2.2.0")"}}},
      {"api.deprecate", "An API was marked as deprecated.", {&api()}, {{"lifecycle", R"("DEPRECATED")"}}},
      {"api.delete", "An API was removed.", {&api()}, {{"lifecycle", R"("RETIRED")"}}},
      {"apiProduct.create", "An API product was added.", {&api_product()}, {}},
      {"apiProduct.publish", "An API product was published.", {&api_product()}, {{"status", R"("PUBLISHED")"}}},
      {"apiProduct.unpublish", "An API product was withdrawn from the portal.", {&api_product()}, {}},
      {"apiProduct.delete", "An API product was removed.", {&api_product()}, {}},
      {"credential.create", "A credential was issued.", {&credential()}, {}},
      {"credential.rotate",
       "A credential was replaced by a new one.",
       {&credential()},
       {{"clientId", R"("web-shop-91bc")"}}},
      {"credential.revoke", "A credential was revoked.", {&credential()}, {{"status", R"("REVOKED")"}}},
      {"deployment.success", "A deployment to an environment succeeded.", {&deployment_run()}, {}},
      {"deployment.fail",
       "A deployment to an environment failed.",
       {&deployment_run()},
       {{"status", R"("FAILED")"}, {"message", R"("gateway-eu-1 refused the configuration")"}}},
      {"environment.connect", "A gateway connected to its environment.", {&environment()}, {}},
      {"environment.disconnect",
       "A gateway lost its environment.",
       {&environment()},
       {{"status", R"("DISCONNECTED")"}}},
      {"user.create", "A user was added.", {&user()}, {}},
      {"user.lock", "A user was locked out.", {&user()}, {{"status", R"("LOCKED")"}}},
      {"user.unlock", "A locked user was let in again.", {&user()}, {}},
      {"user.delete", "A user was removed.", {&user()}, {{"status", R"("DELETED")"}}},
  };
}

// Writes {"a":x,"b":y} with values taken as they are.
class ObjectText {
 public:
  void member(std::string_view name, std::string_view json) {
    text_ += text_.size() == 1 ? "\"" : ",\"";
    text_.append(name).append("\":").append(json);
  }
  std::string end() && { return std::move(text_) + "}"; }

 private:
  std::string text_ = "{";
};

std::string object_schema(const std::vector<std::string_view>& members, std::string_view properties) {
  std::string required = "[";
  for (const std::string_view name : members) {
    required.append(required.size() == 1 ? "\"" : ",\"").append(name).append("\"");
  }
  ObjectText schema;
  schema.member("type", R"("object")");
  schema.member("required", required + "]");
  schema.member("properties", properties);
  return std::move(schema).end();
}

std::string resource_schema(const Resource& resource) {
  std::vector<std::string_view> names;
  ObjectText properties;
  for (const Field& field : resource.fields) {
    names.push_back(field.name);
    properties.member(field.name, field.schema);
  }
  return object_schema(names, std::move(properties).end());
}

std::string type_schema(const TypeRow& row) {
  std::vector<std::string_view> names;
  ObjectText properties;
  for (const Resource* member : row.members) {
    names.push_back(member->name);
    properties.member(member->name, resource_schema(*member));
  }
  return object_schema(names, std::move(properties).end());
}

std::string resource_example(const Resource& resource, const std::vector<Override>& overrides) {
  ObjectText example;
  for (const Field& field : resource.fields) {
    const auto changed =
        std::find_if(overrides.begin(), overrides.end(), [&](const Override& o) { return o.field == field.name; });
    example.member(field.name, changed == overrides.end() ? field.example : changed->example);
  }
  return std::move(example).end();
}

std::string type_example(const TypeRow& row) {
  ObjectText example;
  for (const Resource* member : row.members) {
    const bool is_first = member == row.members.front();
    example.member(member->name, resource_example(*member, is_first ? row.overrides : std::vector<Override>()));
  }
  return std::move(example).end();
}

}  // namespace

const std::vector<EventType>& shipped_catalogue() {
  static const std::vector<EventType> catalogue = [] {
    std::vector<EventType> types;
    for (const TypeRow& row : type_rows()) {
      types.push_back(
          {std::string(row.name), std::string(row.description), type_schema(row), type_example(row), row.origin, {}});
    }
    return types;
  }();
  return catalogue;
}

}  // namespace webhookd::domain
