#include "views.hpp"

namespace webhookd::whctl {

namespace {

constexpr bool shrinks = true;
constexpr bool stays = false;
constexpr bool wide = true;

}  // namespace

const View& webhook_view() {
  static const View view{"id",
                         "display_name",
                         {{"ID", "id"},
                          {"NAME", "display_name", Look::text, shrinks},
                          {"URL", "url", Look::text, shrinks},
                          {"EVENTS", "events", Look::list, shrinks},
                          {"STATUS", "status", Look::word},
                          {"WAITING", "waiting", Look::text, stays, wide},
                          {"FAILED 24H", "failed_last_day", Look::text, stays, wide},
                          {"HEALTH", "health", Look::word, stays, wide},
                          {"LAST SUCCESS", "last_success_at", Look::time, stays, wide}},
                         {{"Id", "id"},
                          {"Name", "display_name"},
                          {"URL", "url"},
                          {"Events", "events", Look::list},
                          {"Status", "status", Look::word},
                          {"Status reason", "status_reason"},
                          {"Description", "description"},
                          {"Headers", "headers"},
                          {"Signature", "signature"},
                          {"Format", "format"},
                          {"Timeout", "timeout", Look::duration},
                          {"Max in flight", "max_in_flight"},
                          {"Rate", "rate"},
                          {"Retry initial", "retry.initial", Look::duration},
                          {"Retry factor", "retry.factor"},
                          {"Retry max", "retry.max", Look::duration},
                          {"Retry jitter", "retry.jitter"},
                          {"Retry window", "retry.window", Look::duration},
                          {"TLS client certificate", "tls.client_cert"},
                          {"TLS client key", "tls.client_key"},
                          {"Authentication", "auth.type"},
                          {"Header", "auth.header"},
                          {"Value in", "auth.file"},
                          {"Token URL", "auth.token_url"},
                          {"Client id", "auth.client_id"},
                          {"Client secret in", "auth.client_secret_file"},
                          {"Scopes", "auth.scopes", Look::list},
                          {"Health", "health", Look::word},
                          {"Certificate expires", "certificate_expires_at", Look::time},
                          {"Waiting", "waiting"},
                          {"Failed 24h", "failed_last_day"},
                          {"Last success", "last_success_at", Look::time},
                          {"Version", "version"},
                          {"Created", "created_at", Look::time},
                          {"Updated", "updated_at", Look::time}},
                         std::vector<std::string_view>{}};
  return view;
}

const View& deleted_webhook_view() {
  static const std::vector<Column> columns{{"ID", "id"}, {"WAITING CANCELLED", "waiting_cancelled"}};
  static const View view{"id", "id", columns, columns};
  return view;
}

const View& message_view() {
  static const View view{"id",
                         "id",
                         {{"ID", "id"},
                          {"EVENT", "type", Look::text, shrinks},
                          {"STATUS", "status", Look::message_status},
                          {"ATTEMPTS", "attempts"},
                          {"TIMESTAMP", "created_at", Look::time},
                          {"NEXT", "next_attempt_at", Look::time},
                          {"FAILURE", "failure", Look::text, shrinks},
                          {"WEBHOOK", "webhook", Look::text, shrinks, wide},
                          {"EVENT ID", "event_id", Look::text, stays, wide},
                          {"REASON", "reason", Look::text, stays, wide},
                          {"CODE", "last_code", Look::text, stays, wide},
                          {"URL", "url", Look::text, shrinks, wide}},
                         {{"Id", "id"},
                          {"Webhook", "webhook"},
                          {"Webhook id", "webhook_id"},
                          {"Event", "event_id"},
                          {"Type", "type"},
                          {"Status", "status", Look::message_status},
                          {"Reason", "reason"},
                          {"URL", "url"},
                          {"Created", "created_at", Look::time},
                          {"Settled", "settled_at", Look::time},
                          {"Attempts", "attempts"},
                          {"Last attempt", "last_attempt_at", Look::time},
                          {"Last code", "last_code"},
                          {"Failure", "failure"},
                          {"Next attempt", "next_attempt_at", Look::time},
                          {"Deadline", "deadline", Look::time},
                          {"Cancelled by", "cancelled_by.uid"},
                          {"Cancel reason", "cancelled_by.reason"},
                          {"Retried by", "retried_by.uid"},
                          {"Retry reason", "retried_by.reason"}},
                         std::vector<std::string_view>{"cursor"}};
  return view;
}

const View& changed_message_view() {
  static const View view{"id",
                         "id",
                         {{"ID", "id"},
                          {"EVENT", "type", Look::text, shrinks},
                          {"STATUS", "status", Look::message_status},
                          {"ATTEMPTS", "attempts"},
                          {"NEXT", "next_attempt_at", Look::time},
                          {"FAILURE", "failure", Look::text, shrinks}},
                         message_view().details};
  return view;
}

const View& task_view() {
  static const std::vector<Column> columns{{"ID", "id"},
                                           {"ACTION", "action"},
                                           {"WEBHOOK", "webhook", Look::text, shrinks},
                                           {"STATE", "state", Look::word},
                                           {"DONE", "done"},
                                           {"FAILED", "failed"},
                                           {"TOTAL", "total"},
                                           {"STARTED", "started_at", Look::time, stays, wide},
                                           {"ENDED", "ended_at", Look::time, stays, wide},
                                           {"REASON", "reason", Look::text, shrinks, wide}};
  static const View view{"id",
                         "id",
                         columns,
                         {{"Id", "id"},
                          {"Action", "action"},
                          {"Webhook", "webhook"},
                          {"State", "state", Look::word},
                          {"Done", "done"},
                          {"Failed", "failed"},
                          {"Total", "total"},
                          {"Started", "started_at", Look::time},
                          {"Ended", "ended_at", Look::time},
                          {"Reason", "reason"}}};
  return view;
}

const View& attempt_view() {
  static const std::vector<Column> columns{{"#", "number"},
                                           {"AT", "at", Look::time},
                                           {"TRIGGER", "trigger"},
                                           {"OUTCOME", "outcome", Look::word},
                                           {"CODE", "code"},
                                           {"TOOK", "duration_ms", Look::milliseconds},
                                           {"ERROR", "error", Look::text, shrinks},
                                           {"ANSWER", "response_body", Look::text, shrinks}};
  static const View view{"number", "number", columns, columns};
  return view;
}

const View& explanation_view() {
  static const std::vector<Column> columns{{"ID", "id"},
                                           {"STATUS", "status", Look::message_status},
                                           {"CAUSE", "cause"},
                                           {"EXPLANATION", "explanation", Look::list, shrinks}};
  static const View view{"id", "id", columns, columns};
  return view;
}

const View& event_view() {
  static const std::vector<Column> columns{{"ID", "id"},
                                           {"TYPE", "type", Look::text, shrinks},
                                           {"TIMESTAMP", "timestamp", Look::time},
                                           {"MESSAGES", "message_count"}};
  static const View view{"id",
                         "id",
                         columns,
                         {{"Id", "id"},
                          {"Type", "type"},
                          {"Timestamp", "timestamp", Look::time},
                          {"Accepted", "accepted_at", Look::time},
                          {"Idempotency key", "idempotency_key"},
                          {"Messages", "message_count"}}};
  return view;
}

const View& plan_view() {
  static const std::vector<Column> columns{{"ACTION", "action", Look::word},
                                           {"KIND", "kind"},
                                           {"NAME", "name", Look::text, shrinks},
                                           {"CHANGES", "changes", Look::list, shrinks}};
  static const View view{"name", "name", columns, columns};
  return view;
}

const View& type_view() {
  static const View view{
      "name",
      "name",
      {{"NAME", "name"}, {"ORIGIN", "origin"}, {"DESCRIPTION", "description", Look::text, shrinks}},
      {{"Name", "name"}, {"Origin", "origin"}, {"Description", "description"}, {"Created", "created_at", Look::time}}};
  return view;
}

const View& secret_view() {
  static const std::vector<Column> columns{{"SECRET", "secret"}, {"EXPIRES", "expires_at", Look::time}};
  static const View view{"secret", "secret", columns, columns};
  return view;
}

const View& stats_view() {
  static const std::vector<Column> columns{{"Since", "since", Look::time},
                                           {"Until", "until"},
                                           {"Accepted", "accepted"},
                                           {"Attempts", "attempts"},
                                           {"Successes", "successes"},
                                           {"Failures", "failures"},
                                           {"By status", "outcomes.status"},
                                           {"By timeout", "outcomes.timeout"},
                                           {"By connection", "outcomes.connect"},
                                           {"By name", "outcomes.dns"},
                                           {"By TLS", "outcomes.tls"},
                                           {"By reset", "outcomes.reset"},
                                           {"By protocol", "outcomes.protocol"},
                                           {"By denial", "outcomes.denied"},
                                           {"Accepted/s", "per_second.accepted"},
                                           {"Attempts/s", "per_second.attempts"},
                                           {"Delivery p50", "delivery_ms.p50", Look::milliseconds},
                                           {"Delivery p90", "delivery_ms.p90", Look::milliseconds},
                                           {"Delivery p99", "delivery_ms.p99", Look::milliseconds},
                                           {"Ever delivered", "kept.success"},
                                           {"Ever failed", "kept.failed"},
                                           {"Ever cancelled", "kept.cancelled"},
                                           {"Waiting", "kept.waiting"}};
  static const View view{"since", "since", columns, columns};
  return view;
}

const View& status_view() {
  static const std::vector<Column> columns{{"Version", "version"},
                                           {"Started", "started_at", Look::time},
                                           {"Now", "now"},
                                           {"Uptime", "uptime_seconds", Look::duration},
                                           {"Test clock", "test_clock"},
                                           {"Store", "store.id"},
                                           {"Schema", "store.schema"},
                                           {"Webhooks", "store.webhooks"},
                                           {"Events", "store.events"},
                                           {"Messages", "store.messages"},
                                           {"Waiting", "store.waiting"},
                                           {"Used", "store.used_bytes", Look::bytes},
                                           {"Quota", "store.quota_bytes", Look::bytes},
                                           {"Master key", "store.master_key"},
                                           {"Directory", "store.directory"},
                                           {"Disk free", "store.disk_free_bytes", Look::bytes},
                                           {"Full", "store.full", Look::tally},
                                           {"Commits", "store.commits"},
                                           {"Damaged records", "store.damaged_records", Look::tally},
                                           {"In flight", "engine.in_flight"},
                                           {"Ready", "engine.ready"},
                                           {"Unsettled", "engine.unsettled"},
                                           {"Attempts", "engine.attempts"},
                                           {"Successes", "engine.successes"},
                                           {"Failures", "engine.failures"},
                                           {"Accepted", "engine.accepted"},
                                           {"Next due", "engine.next_due", Look::time},
                                           {"Endpoints up", "health.up", Look::tally},
                                           {"Endpoints throttled", "health.throttled", Look::tally},
                                           {"Endpoints down", "health.down", Look::tally}};
  static const View view{"version", "version", columns, columns};
  return view;
}

const View& clock_view() {
  static const std::vector<Column> columns{{"NOW", "now"}, {"TEST", "test"}};
  static const View view{"now", "now", columns, columns};
  return view;
}

const View& finding_view() {
  static const std::vector<Column> columns{{"SEVERITY", "severity", Look::word},
                                           {"CHECK", "check"},
                                           {"FINDING", "finding", Look::text, shrinks},
                                           {"ADVICE", "advice", Look::text, shrinks}};
  static const View view{"check", "check", columns, columns};
  return view;
}

const View& change_view() {
  static const std::vector<Column> columns{{"KEY", "key"},
                                           {"FROM", "from", Look::text, shrinks},
                                           {"TO", "to", Look::text, shrinks},
                                           {"EFFECT", "effect", Look::word}};
  static const View view{"key", "key", columns, columns};
  return view;
}

const View& batch_view() {
  static const std::vector<Column> columns{{"LINES", "lines"},
                                           {"ACCEPTED", "accepted"},
                                           {"DUPLICATES", "duplicates"},
                                           {"REFUSED", "refused"},
                                           {"WARNED", "warned"}};
  static const View view{"accepted", "accepted", columns, columns};
  return view;
}

const View& signature_view() {
  static const std::vector<Column> columns{{"webhook-id", "webhook-id"},
                                           {"webhook-timestamp", "webhook-timestamp"},
                                           {"webhook-signature", "webhook-signature"}};
  static const View view{"webhook-signature", "webhook-signature", columns, columns};
  return view;
}

const View& backup_view() {
  static const std::vector<Column> columns{
      {"FILE", "file"}, {"STORE", "store_id"}, {"CREATED", "created_at", Look::time}, {"BYTES", "bytes", Look::bytes}};
  static const View view{"file", "file", columns, columns};
  return view;
}

const View& master_key_view() {
  static const std::vector<Column> columns{{"FROM", "from"}, {"TO", "to"}, {"WEBHOOKS", "webhooks"}};
  static const View view{"to", "to", columns, columns};
  return view;
}

const View& audit_view() {
  static const std::vector<Column> columns{{"TIME", "at", Look::time},
                                           {"USER", "user"},
                                           {"OPERATION", "operation"},
                                           {"OBJECT", "object"},
                                           {"NAME", "name", Look::text, shrinks},
                                           {"DETAIL", "detail", Look::text, shrinks},
                                           {"REASON", "reason", Look::text, shrinks},
                                           {"UID", "uid", Look::text, stays, wide},
                                           {"ROLE", "role", Look::text, stays, wide}};
  static const View view{"number", "object", columns, columns};
  return view;
}

const View& import_view() {
  static const std::vector<Column> columns{
      {"TAKEN", "taken"}, {"MESSAGES", "messages"}, {"WAITING", "waiting"}, {"KNOWN", "known"}, {"REFUSED", "refused"}};
  static const View view{"taken", "taken", columns, columns};
  return view;
}

const View& check_view() {
  static const std::vector<Column> columns{
      {"Store", "store_id"}, {"Schema", "schema"}, {"Clean", "clean"}, {"Damage", "damage"}};
  static const View view{"store_id", "store_id", columns, columns};
  return view;
}

const View& damage_view() {
  static const std::vector<Column> columns{{"TABLE", "table"}, {"FINDING", "detail", Look::text, shrinks}};
  static const View view{"table", "table", columns, columns};
  return view;
}

}  // namespace webhookd::whctl
