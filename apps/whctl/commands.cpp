#include "commands.hpp"

#include "completion_scripts.hpp"
#include "domain/message.hpp"
#include "domain/webhook.hpp"
#include "import.hpp"
#include "output.hpp"

namespace webhookd::whctl {

namespace {

std::vector<std::string_view> message_statuses() {
  std::vector<std::string_view> words;
  for (int i = 0; i < domain::message_status_count; ++i) {
    words.push_back(domain::to_string(static_cast<domain::MessageStatus>(i)));
  }
  return words;
}

std::vector<std::string_view> signature_schemes() {
  using domain::SignatureScheme;
  return {domain::to_string(SignatureScheme::standard), domain::to_string(SignatureScheme::none),
          domain::to_string(SignatureScheme::github), domain::to_string(SignatureScheme::stripe)};
}

std::vector<std::string_view> payload_formats() {
  using domain::PayloadFormat;
  return {domain::to_string(PayloadFormat::standard), domain::to_string(PayloadFormat::raw),
          domain::to_string(PayloadFormat::cloudevents), domain::to_string(PayloadFormat::cloudevents_binary)};
}

std::vector<std::string_view> shells() {
  std::vector<std::string_view> names;
  for (const auto& script : completion_scripts()) names.push_back(script.shell);
  return names;
}

std::vector<Flag> joined(std::vector<Flag> first, const std::vector<Flag>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

constexpr bool required = true;
constexpr bool optional = false;
constexpr bool repeated = true;
constexpr bool once = false;

// What create and edit have in common: the settable fields of a webhook.
std::vector<Flag> definition_flags(bool is_create) {
  return {
      {"url", 0, "URL", "where to deliver", Role::text, is_create},
      {"event", 'e', "TYPE", "an event type, resource.* or *; may be repeated", Role::event_pattern, is_create,
       repeated},
      {"inactive", 0, "", "not active: no messages are made until it is activated"},
      {"description", 0, "TEXT", "words for people, at most 1000 characters"},
      {"header", 0, "K: V", "a header of every request; may be repeated", Role::text, optional, repeated},
      {"secret-file", 0, "FILE", "signing secrets, one a line; - reads standard input", Role::file},
      {"signature", 0, "SCHEME", "how requests are signed", Role::text, optional, once, signature_schemes()},
      {"format", 0, "FORMAT", "how the body is made", Role::text, optional, once, payload_formats()},
      {"tls-client-cert", 0, "FILE", "client certificate, a PEM file that the daemon reads; none removes it",
       Role::file},
      {"tls-client-key", 0, "FILE", "its key, a PEM file without a passphrase", Role::file},
      {"auth-file", 0, "FILE",
       "the Authorization header is the one line of this file, read by the daemon at each attempt; none removes auth",
       Role::file},
      {"oauth2-token-url", 0, "URL", "authorize by OAuth2 client credentials: where to get tokens"},
      {"oauth2-client-id", 0, "ID", "the client's id there"},
      {"oauth2-client-secret-file", 0, "FILE", "the client's secret, the one line of a file that the daemon reads",
       Role::file},
      {"oauth2-scope", 0, "SCOPE", "a scope to ask for; may be repeated", Role::text, optional, repeated},
      {"timeout", 0, "D", "of one exchange, 1s to 60s", Role::duration},
      {"max-in-flight", 0, "N", "requests at once, 1 to 1024", Role::number},
      {"rate", 0, "N/s", "requests per second, or none", Role::number},
      {"retry-initial", 0, "D", "wait after the first failure", Role::duration},
      {"retry-factor", 0, "X", "growth of the wait from failure to failure", Role::number},
      {"retry-max", 0, "D", "the longest wait", Role::duration},
      {"retry-window", 0, "D", "how long to retry, at most 30d", Role::duration},
  };
}

const std::vector<Flag> type_flags{
    {"description", 0, "TEXT", "words for people"},
    {"schema", 0, "FILE",
     "a JSON Schema of the data, draft 2020-12 or 07; what it does not know is always allowed; - reads standard input",
     Role::file},
    {"example", 0, "FILE", "example data, which must match the schema; - reads standard input", Role::file},
};

const Argument webhook_argument{"WEBHOOK", Role::webhook, "id, unique id prefix, or display name"};
const Argument webhooks_argument{"WEBHOOK", Role::webhook, "ids, unique id prefixes, or display names", required,
                                 repeated};
const Argument messages_argument{"MESSAGE", Role::message, "ids or unique id prefixes", optional, repeated};
const Argument cancelled_argument{"MESSAGE", Role::cancellable, "ids or unique id prefixes; or ids of tasks", optional,
                                  repeated};
const Argument type_argument{"TYPE", Role::event_type, "a type of the catalogue"};
const Flag wait_timeout_flag{"timeout", 0, "D", "with --wait: at most this long; for ever by default", Role::duration};

std::vector<Command> webhook_commands() {
  return {
      {"create",
       "makes a webhook and prints its id",
       {{"NAME", Role::text, "display name, unique, 1 to 200 characters"}},
       joined(definition_flags(true),
              {{"if-not-exists", 0, "", "succeed with the existing id when the name is taken"}}),
       {{"whctl create orders --url https://orders.example/hook -e subscription.create", "one event type"},
        {"whctl create audit --url https://audit.example/in -e '*' --header 'X-Team: audit'",
         "every type, own header"}},
       create_webhook,
       Manner::plain,
       "standard signs as Standard Webhooks 1.0.0 does. github and stripe send those services' own header, keyed with "
       "the text of the secret as `whctl secret show` prints it, so that their libraries verify it unchanged; both "
       "need a whsec_ secret."},
      {"list",
       "lists webhooks",
       {},
       {{"status", 0, "STATUS", "only these", Role::text, optional, once, {"active", "inactive"}},
        {"event", 0, "TYPE", "only those that want this type", Role::event_type},
        {"search", 0, "TEXT", "only those with this in id, name, URL or description"},
        {"sort", 0, "KEY", "the order; created by default", Role::text, optional, once, {"name", "created", "status"}}},
       {{"whctl list", "all"}, {"whctl list --status inactive -o json", "for a script"}},
       list_webhooks,
       Manner::paged},
      {"show",
       "shows one webhook, message (with its attempts), event or task",
       {{"ID", Role::subject, "id, unique id prefix, or a webhook's name"}},
       {},
       {{"whctl show orders", "a webhook by name"}, {"whctl show msg_0000000000000", "a message with its attempts"}},
       show_subject,
       Manner::paged},
      {"edit",
       "changes a webhook; takes effect on the next attempt",
       {webhook_argument},
       joined(
           definition_flags(false),
           {{"name", 0, "N", "a new display name"},
            {"add-event", 0, "T", "one event type more; may be repeated", Role::event_pattern, optional, repeated},
            {"remove-event", 0, "T", "one event type less; may be repeated", Role::event_pattern, optional, repeated},
            {"remove-header", 0, "K", "one header less; may be repeated", Role::text, optional, repeated}}),
       {{"whctl edit orders --url https://orders.example/v2", "a new address"},
        {"whctl edit orders --add-event api.create --retry-window 3d", "one type more, a shorter window"},
        {"whctl edit orders", "on a terminal: in your editor; elsewhere it says what is missing", 2}},
       edit_webhook,
       Manner::plain,
       "Without flags on a terminal the definition is opened in $VISUAL, $EDITOR or vi. It is sent only when nobody "
       "else "
       "edited the webhook in between; otherwise both versions are shown and your text is kept in a file."},
      {"activate",
       "activates webhooks: what is due is released",
       {webhooks_argument},
       {},
       {{"whctl activate orders", ""}},
       activate_webhooks},
      {"deactivate",
       "deactivates webhooks: waiting messages are held",
       {webhooks_argument},
       {},
       {{"whctl deactivate orders audit", ""}},
       deactivate_webhooks},
      {"delete",
       "deletes webhooks with their messages; waiting messages are cancelled",
       {webhooks_argument},
       {},
       {{"whctl delete orders", "asks on a terminal; elsewhere it needs --yes", 2},
        {"whctl delete orders --yes", "in a script"}},
       delete_webhooks},
      {"ping",
       "sends a webhook.ping message and prints its id",
       {webhook_argument},
       {{"wait", 0, "", "until it is delivered or fails for good"}, wait_timeout_flag},
       {{"whctl ping orders --wait", "does it answer?"}},
       ping_webhook},
      {"secret show",
       "prints the signing secrets of a webhook",
       {webhook_argument},
       {},
       {{"whctl secret show orders", ""}},
       show_secrets},
      {"secret rotate",
       "makes a new secret; during the grace both sign",
       {webhook_argument},
       {{"grace", 0, "D", "how long the old secrets still sign; 24h by default, 0 for not at all", Role::duration}},
       {{"whctl secret rotate orders --grace 48h", ""}},
       rotate_secret},
      {"secret rotate-master",
       "seals all signing secrets in the store with the next master key",
       {},
       {{"dry-run", 0, "", "say which key would take the place of which, and change nothing"}},
       {{"whctl secret rotate-master --dry-run", "are both keys in place?"}, {"whctl secret rotate-master", ""}},
       rotate_master_key,
       Manner::plain,
       "The next key is in the file of the present one with .next behind its name (secrets.master_key_file, or the "
       "credential master_key). All secrets are sealed anew in one step, or none. From then on the next key is needed; "
       "while both files are there the daemon starts with whichever it needs, so when this has succeeded, move the "
       "next "
       "file over the present one. Backups that were taken before need the key of their time.\n\nA copy of the store "
       "that somebody already has stays readable with the old key: when that key is known to others, change the "
       "signing "
       "secrets as well (whctl secret rotate)."},
  };
}

std::vector<Command> event_commands() {
  const std::string_view list_help = "lists the event catalogue";
  return {
      {"types", list_help, {}, {}, {{"whctl types", ""}}, list_types, Manner::paged},
      {"types list", list_help, {}, {}, {{"whctl types list -o name", "names alone"}}, list_types, Manner::paged},
      {"types show",
       "shows one event type with its schema and example",
       {type_argument},
       {{"example", 0, "", "only the example, as it is emitted by trigger"}},
       {{"whctl types show subscription.create --example", ""}},
       show_type,
       Manner::paged},
      {"types add",
       "adds an event type",
       {{"TYPE", Role::text, "a new name: resource.verb"}},
       type_flags,
       {{"whctl types add invoice.paid --description 'an invoice was paid'", ""}},
       add_type},
      {"types remove",
       "removes an event type that no webhook names",
       {type_argument},
       {},
       {{"whctl types remove order.paid", ""}},
       remove_type},
      {"types import",
       "adds or replaces the event types of a document",
       {{"FILE", Role::file, "as for `whctl apply`, with [[type]] alone; - reads standard input"}},
       {},
       {{"whctl types import types.toml", ""}},
       import_types},
      {"emit",
       "accepts an event, durably, and prints its id",
       {{"TYPE", Role::event_type, "the event's type; none with --batch", optional}},
       {{"data", 'd', "JSON|@FILE|-", "the data; standard input when piped", Role::file},
        {"batch", 0, "FILE|-", "one event a line: {\"type\",\"data\",\"timestamp\"?,\"idempotency_key\"?}", Role::file},
        {"key", 0, "K", "idempotency key: the same key within 24 h creates nothing"},
        {"at", 0, "TIME", "when it happened; now by default", Role::time},
        {"wait", 0, "", "until all its messages have settled"},
        wait_timeout_flag},
       {{"whctl emit subscription.create -d '{\"subscription\":{\"id\":7}}'", "data on the command line"},
        {"whctl emit subscription.delete -d @event.json --key order-17", "from a file, once"},
        {"whctl emit subscription.create -d @event.json --wait --timeout 1m",
         "exits 0 when it was delivered, 8 when not"},
        {"whctl emit --batch events.ndjson", "many"}},
       emit_event},
      {"trigger",
       "emits the example of a type",
       {type_argument},
       {{"set", 0, "A.B=JSON", "replaces a member of the example; may be repeated", Role::text, optional, repeated},
        {"wait", 0, "", "until all its messages have settled"},
        wait_timeout_flag},
       {{"whctl trigger subscription.create --set subscription.id=42", ""}},
       trigger_event},
  };
}

// What chooses messages, for the commands that do something to many.
std::vector<Flag> bulk_flags() {
  return {{"webhook", 0, "W", "all messages of this webhook that match", Role::webhook},
          {"status", 0, "S,...", "by default what has failed (retry), what waits (cancel)", Role::text, optional, once,
           message_statuses(), true},
          {"event", 0, "TYPE", "only of this type", Role::event_type},
          {"since", 0, "T", "made at or after: a time, a date, today, yesterday, or how long ago (1h)", Role::time},
          {"until", 0, "T", "made before", Role::time},
          {"grep", 0, "TEXT", "only with this in id, type or failure"},
          {"code", 0, "CODE", "only with this last HTTP status: 503, or 5xx"},
          {"rate", 0, "N/s", "at most so many messages per second", Role::number},
          {"dry-run", 0, "", "count them, change nothing"}};
}

constexpr std::string_view bulk_about =
    "With --webhook it is a task of the daemon: it goes through the messages that exist when it begins, each once, "
    "also "
    "over a restart. The tool shows its progress and a summary; it exits 10 when some were refused. Ctrl-C leaves the "
    "task running: `whctl wait TASK` watches it again, `whctl cancel TASK` stops it.";

std::vector<Command> message_commands() {
  return {
      {"logs",
       "lists messages, newest first, or what changed, oldest first",
       {{"WEBHOOK", Role::webhook, "only of this webhook", optional}},
       {{"follow", 'f', "", "the latest, then every change as it happens, until interrupted"},
        {"number", 'n', "N", "how many; 50 by default", Role::number},
        {"status", 0, "S,...", "only these", Role::text, optional, once, message_statuses(), true},
        {"event", 0, "TYPE", "only of this type", Role::event_type},
        {"since", 0, "T", "made at or after: a time, a date, today, yesterday, or how long ago (1h)", Role::time},
        {"until", 0, "T", "made before", Role::time},
        {"grep", 0, "TEXT", "only with this in id, type or failure"},
        {"code", 0, "CODE", "only with this last HTTP status: 503, or 5xx"},
        {"reverse", 0, "", "oldest first"},
        {"after-cursor", 0, "C", "what changed behind this cursor, oldest first; start: from the beginning"},
        {"cursor-file", 0, "FILE", "what changed behind the cursor in this file, where the new one is then stored",
         Role::file}},
       {{"whctl logs orders", "the latest of one webhook"},
        {"whctl logs --status failed,retrying --since 1h", "what goes wrong"},
        {"whctl logs -o jsonl --cursor-file seen", "in a loop: each change once"}},
       show_logs,
       Manner::paged,
       "With -f or a cursor, what is shown are changes: each message as it stands after its latest change, oldest "
       "first. "
       "With a cursor and without -f a message comes once, however often it changed. In JSON each such line has its "
       "`cursor`, and a whole list its `next_cursor`.\n\n"
       "The cursor file is replaced after the lines before it were written out. When it is missing or empty, the log "
       "is "
       "read from its beginning. -f goes on by itself when the daemon comes back after a restart, without losing or "
       "repeating a line."},
      {"retry",
       "makes messages due now",
       {messages_argument},
       bulk_flags(),
       {{"whctl retry msg_0000000000000 --reason 'receiver repaired'", ""},
        {"whctl retry --webhook orders --code 5xx --since 1h --dry-run", "how many would that be?"},
        {"whctl retry --webhook orders --rate 50/s", "all that has failed"}},
       retry_messages,
       Manner::plain,
       bulk_about},
      {"cancel",
       "ends waiting messages, or stops a task",
       {cancelled_argument},
       bulk_flags(),
       {{"whctl cancel msg_0000000000000", ""},
        {"whctl cancel --webhook orders --event api.update", "asks on a terminal; elsewhere it needs --yes", 2},
        {"whctl cancel --webhook orders --event api.update --yes", "in a script"}},
       cancel_messages,
       Manner::plain,
       bulk_about},
      {"why",
       "says in words where a message stands, why, and what happens next",
       {{"MESSAGE", Role::message, "id or unique id prefix"}},
       {},
       {{"whctl why msg_0000000000000", ""}, {"whctl why msg_0000000000000 --fields cause", "one word for a script"}},
       explain_message},
      {"wait",
       "waits until messages, or all messages of events, have settled, or tasks have ended",
       {{"ID", Role::awaitable, "messages, events or tasks", required, repeated}},
       {{"timeout", 0, "D", "at most this long; for ever by default", Role::duration}},
       {{"whctl wait evt_0000000000000 --timeout 1m", "exits 0 when all were delivered, 8 when one failed"}},
       wait_for_subjects},
  };
}

constexpr std::string_view manifest_about =
    "The document has a `[[webhook]]` for each webhook and a `[[type]]` for each event type of your own, in TOML, or "
    "the "
    "same in JSON as {\"webhook\":[...],\"type\":[...]}. The members are those of the API (`display_name`, `url`, "
    "`events`, `timeout`, ...); durations may be written \"15s\" and a rate \"10/s\". `secret_file` names a file with "
    "the "
    "signing secrets, one a line, relative to the document. What is left out has its default, but for `status` and the "
    "secrets, which then stay as they are. Webhooks are found by their `display_name`.\n\n"
    "The plan has a line for each step: `+ create`, `~ edit` with the field, `- delete`. All of it is checked by the "
    "daemon before the first step is done; when anything is wrong, nothing is done.";

const Flag manifest_file{"file", 'f', "FILE", "the document; - reads standard input", Role::file, required};
const Flag prune_flag{"prune", 0, "", "also delete webhooks and own types that the document does not have"};

std::vector<Command> declarative_commands() {
  return {
      {"export",
       "prints all webhooks and own event types as one document; or events with their messages",
       {},
       {{"file", 'f', "FILE", "write it there; JSON when the name ends in .json", Role::file},
        {"messages", 0, "", "events with their messages and attempts instead, a line of JSON each"},
        {"webhook", 0, "W", "with --messages: only events that went to this webhook", Role::webhook},
        {"event", 0, "TYPE", "with --messages: only of this type", Role::event_type},
        {"since", 0, "T", "with --messages: accepted at or after", Role::time},
        {"until", 0, "T", "with --messages: accepted before", Role::time}},
       {{"whctl export", "as TOML"},
        {"whctl export -f webhooks.toml", "to keep under version control"},
        {"whctl export -o json", ""},
        {"whctl export --messages -f messages.jsonl", "to take all data elsewhere"}},
       export_manifest,
       Manner::plain,
       "Secrets are not exported. The order is that of the names, so that two exports can be compared.\n\n"
       "With --messages the first line says what it is, the last one that it is all; FILE takes its name only when it "
       "is complete. Payloads are as they were emitted, and attempts have what receivers answered: keep it as you keep "
       "a backup. To move to another daemon: deactivate or stop here, so that nothing is delivered twice; `whctl "
       "apply` there what `whctl export` prints here; then `whctl import --messages` there."},
      {"diff",
       "shows what apply would change; exits 1 when there is something",
       {},
       {manifest_file, prune_flag},
       {{"whctl diff -f orders.toml", "", 1}, {"whctl export | whctl diff -f -", "nothing differs"}},
       diff_manifest,
       Manner::plain,
       manifest_about},
      {"apply",
       "makes webhooks and event types what a document says",
       {},
       {manifest_file, prune_flag, {"dry-run", 0, "", "check and show the plan, and change nothing"}},
       {{"whctl apply -f orders.toml --dry-run", "look first"},
        {"whctl apply -f orders.toml", "again: nothing to change"}},
       apply_manifest,
       Manner::plain,
       manifest_about},
      {"import",
       "makes webhooks of endpoints that another system exported as JSON; or takes events with their messages",
       {{"FILE", Role::file, "the export; - reads standard input"}},
       {{"from", 0, "SYSTEM", "where it is from", Role::text, optional, once, import_sources()},
        {"messages", 0, "", "it is what `whctl export --messages` gave"},
        {"event", 'e', "TYPE", "event types instead of the exported ones; may be repeated", Role::event_pattern,
         optional, repeated},
        {"dry-run", 0, "", "check and show the plan, and change nothing"}},
       {{"whctl import endpoints.json --from svix --dry-run", "look first"},
        {"whctl import endpoints.json --from svix -e 'subscription.*'", "with event types of this catalogue"},
        {"whctl import --messages messages.jsonl", "events, messages and attempts of another webhookd"}},
       import_endpoints,
       Manner::plain,
       "Webhooks whose name is taken are left as they are. Secrets are in none of the exports: new ones are made.\n\n"
       "svix: url; the name is uid, else description, else id; filterTypes are the event types (none: *); rateLimit, "
       "headers and description are taken; disabled makes it inactive.\n\n"
       "convoy: target_url or url; the name is name or title, else uid; rate_limit by rate_limit_duration is the rate, "
       "http_timeout the timeout; a status other than active makes it inactive; event types are *, because Convoy "
       "keeps "
       "them in subscriptions.\n\n"
       "stripe: url; the name is description, else id; enabled_events are the event types; a status of disabled makes "
       "it "
       "inactive; the signature is `stripe` and the format `raw`, as its receivers expect.\n\n"
       "With --messages each event enters with all its messages and attempts, or not at all. Webhooks are found by "
       "their names; a line whose webhook is not here is refused, so apply them first. Events get ids of this daemon; "
       "one that was taken before, under its old id, is known and left alone, so an import that was cut off is simply "
       "run again. Messages that waited go on being delivered here, by their plan. A file that was cut off is refused "
       "before anything is sent. Exits 10 when lines were refused."},
  };
}

std::vector<Command> tool_commands() {
  return {
      {"listen",
       "a receiver on loopback that prints what arrives and checks signatures",
       {},
       {{"port", 0, "N", "where; a free port by default", Role::number},
        {"status", 0, "LIST", "what to answer, one after the other, the last for ever; drop for none; 200 by default"},
        {"delay", 0, "D", "before each answer", Role::duration},
        {"drop", 0, "", "never answer: close the connection"},
        {"secret", 0, "SECRET", "a secret to check signatures with; may be repeated", Role::text, optional, repeated},
        {"secret-file", 0, "FILE", "secrets to check signatures with, one a line", Role::file},
        {"record", 0, "FILE", "append each request to this file, one JSON object a line", Role::file},
        {"forward-to", 0, "URL", "hand each request on to a program on this machine, and its answer back"},
        {"replay", 0, "FILE", "send the requests of a recorded file there instead of listening", Role::file},
        {"webhook", 0, "NAME", "registers itself under this name, and removes itself on exit"},
        {"event", 'e', "TYPE", "what the registered webhook wants; may be repeated", Role::event_pattern, optional,
         repeated}},
       {{"whctl listen --webhook try -e 'subscription.*'", "see what arrives"},
        {"whctl listen --status 500,500,200 --delay 2s", "a receiver that recovers"},
        {"whctl listen --webhook try -e '*' --forward-to http://127.0.0.1:8080/hook --record requests.ndjson",
         "between the daemon and a program that is being written"},
        {"whctl listen --replay requests.ndjson --forward-to http://127.0.0.1:8080/hook",
         "the same requests again; exits 10 when one was not answered 2xx", 10}},
       listen_for_requests,
       Manner::plain,
       "When it is ready it says `listening on URL` on standard error; what arrives goes to standard output, a line "
       "for "
       "each request, on a terminal with the body below. Signatures are checked with the given secrets, or those of "
       "the "
       "registered webhook. It runs until it is interrupted."},
      {"verify",
       "checks a Standard Webhooks signature of standard input, offline",
       {},
       {{"secret-file", 0, "FILE", "secrets, or public keys (whpk_), one a line", Role::file, required},
        {"id", 0, "ID", "the webhook-id header", Role::text, required},
        {"timestamp", 0, "T", "the webhook-timestamp header", Role::number, required},
        {"signature", 0, "S", "the webhook-signature header", Role::text, required}},
       {{"whctl verify --secret-file key --id msg_p5jXN8AQM9LWM0D4loKWxJek --timestamp 1614265330 "
         "--signature v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= < body",
         "a request that was kept"}},
       verify_signature},
      {"sign",
       "signs standard input as Standard Webhooks does, offline",
       {},
       {{"secret-file", 0, "FILE", "secrets, one a line", Role::file, required},
        {"id", 0, "ID", "the webhook-id header", Role::text, required},
        {"timestamp", 0, "T", "the webhook-timestamp header; now by default", Role::number}},
       {{"whctl sign --secret-file key --id msg_1 < body", ""}},
       sign_body},
      {"dial-stdio",
       "joins standard input and output to the daemon's socket",
       {},
       {},
       {{"whctl dial-stdio", "run by --socket ssh://..."}},
       join_standard_streams,
       Manner::hidden},
      {"top",
       "watches the daemon: rates, what waits, endpoints in trouble, recent failures",
       {},
       {{"interval", 0, "D", "between two looks; 1s by default", Role::duration}},
       {{"whctl top", "without a terminal: as `whctl status`"}},
       watch_daemon,
       Manner::plain,
       "Keys: up and down choose a failure, enter opens it, r retries it, c cancels it, space or p stops the view and "
       "lets "
       "it go on, q leaves."},
      {"status",
       "shows the daemon: version, uptime, store, queue, and the health of the endpoints",
       {},
       {},
       {{"whctl status", ""}},
       show_status},
      {"backup",
       "writes a consistent copy of the store, while the daemon goes on",
       {{"FILE", Role::file, "where; it is replaced when the copy is complete"}},
       {},
       {{"whctl backup webhookd.backup", "restored by `webhookd --restore webhookd.backup`"}},
       back_up_store,
       Manner::plain,
       "The copy holds everything that was answered before it began. It is written to FILE.part, for its owner alone, "
       "and "
       "takes the name FILE when it is complete, on the disk, and its checksum fits. It has the signing secrets of all "
       "webhooks in it. The daemon makes the copy beside its store, which needs as much room there for a while.\n\n"
       "`webhookd --restore FILE` puts it in the place of the store while no daemon runs: it verifies every record, "
       "keeps "
       "the old store beside the new one, and goes on with ids that were never given. Messages that waited when the "
       "copy "
       "was made are tried again under their own ids."},
      {"check",
       "reads the whole store and says what is damaged; exits 1 when something is",
       {},
       {{"offline", 0, "DIR", "the store of a data directory that no daemon uses; runs webhookd", Role::file}},
       {{"whctl check", "of a copy, in a process of its own, while the daemon goes on"},
        {"whctl check -o json", "with the rows of each table"}},
       check_store,
       Manner::plain,
       "Every record is read and verified, and what the store keeps twice is compared: indexes, names, ranges and "
       "counts. "
       "Nothing is repaired: restore a backup, or go on with what can be read."},
      {"stats",
       "shows counters, rates and delivery times",
       {},
       {{"since", 0, "T", "from when on, or how long ago (6h), at most a day; 1h by default", Role::time}},
       {{"whctl stats --since 15m", ""}, {"whctl stats -o json --fields delivery_ms", "percentiles for a script"}},
       show_stats,
       Manner::plain,
       "The figures are counted minute by minute, for a day, since the daemon started; what was ever delivered, failed "
       "or "
       "cancelled is counted in the store."},
      {"api",
       "calls the API as it is",
       {{"METHOD", Role::text, "GET, POST, ..."}, {"PATH", Role::text, "/v1/..."}},
       {{"input", 0, "FILE", "the body; - reads standard input", Role::file}},
       {{"whctl api GET /v1/status", ""}},
       call_api},
      {"audit",
       "shows who changed what, the newest first",
       {{"OBJECT", Role::subject, "only what was done to this: an id, or a name as it was then", optional}},
       {{"user", 0, "USER", "only what this user did, by name or user id"},
        {"operation", 0, "NAME", "only this operation of the API, such as patchWebhook or cancelMessage"},
        {"since", 0, "T", "done at or after: a time, a date, today, yesterday, or how long ago (1h)", Role::time},
        {"until", 0, "T", "done before", Role::time},
        {"number", 'n', "N", "how many; 50 by default", Role::number}},
       {{"whctl audit --since today", "what happened today?"},
        {"whctl audit orders", "who changed this webhook?"},
        {"whctl audit --user alice -o json -n 1000", "for a report"}},
       show_audit,
       Manner::paged,
       "There is a line for every change of webhooks, secrets, event types and messages, for tasks, reloads and "
       "backups, "
       "and for every look at secrets; emitting is the traffic and has none. A line is stored in the transaction of "
       "its "
       "change, with the user of the connection, the user's role, and the reason that --reason gave. It holds no "
       "secrets, and is kept for retention.audit_age."},
      {"doctor",
       "says what is wrong with the daemon, or soon will be, and what to do",
       {},
       {},
       {{"whctl doctor", ""}},
       examine_daemon,
       Manner::plain,
       "Looks at versions, the clock, the store with its quota and disk, file descriptors, a refused reload, the names "
       "of "
       "receivers as this machine resolves them, their certificates as the daemon saw them last, endpoints that are "
       "down, "
       "failures that no retry mends, held messages, the message that has waited longest, and who may read or write "
       "the "
       "files of the daemon, its configuration and its master keys. Exits 0 when nothing was found, 10 with warnings, "
       "1 "
       "when something is critical."},
      {"reload",
       "makes the daemon read its configuration anew",
       {},
       {{"dry-run", 0, "", "say what would change, and change nothing"}},
       {{"whctl reload", ""}, {"whctl reload --dry-run", ""}},
       reload_settings,
       Manner::plain,
       "Prints each key whose value in the file is not the one that the daemon runs with, and whether the new one "
       "counts "
       "now or after a restart. A file with a mistake changes nothing: the daemon keeps its settings, and the answer "
       "names line, key and what is allowed."},
      {"clock", "shows the daemon's clock", {}, {}, {{"whctl clock", ""}}, show_clock},
      {"clock advance",
       "moves a test clock, making every due attempt on the way",
       {{"D", Role::duration, "how far"}},
       {},
       {{"whctl clock advance 36h", ""}},
       advance_clock},
      {"completion",
       "prints the completion script of a shell",
       {{"SHELL", Role::text, "which", required, once, shells()}},
       {},
       {{"whctl completion bash > whctl.bash", "then `source whctl.bash`, or put it where the shell looks"},
        {"whctl completion zsh > _whctl", "into a directory of $fpath"},
        {"whctl completion fish > whctl.fish", "into ~/.config/fish/completions"}},
       print_completion,
       Manner::itself},
      {"version", "prints the version", {}, {}, {{"whctl version", ""}}, show_version, Manner::itself},
      {"help",
       "explains a command",
       {{"COMMAND", Role::command, "which; all without", optional, repeated}},
       {},
       {{"whctl help create", ""}},
       show_help,
       Manner::itself},
  };
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = [] {
    std::vector<Command> all = webhook_commands();
    for (auto* part : {&event_commands, &message_commands, &declarative_commands, &tool_commands}) {
      for (auto& command : part()) all.push_back(std::move(command));
    }
    return all;
  }();
  return commands;
}

const std::vector<Flag>& global_flags() {
  static const std::vector<Flag> flags{
      {"socket", 0, "PATH", "the daemon's socket", Role::address},
      {"output", 'o', "FORMAT", "how data is printed", Role::text, optional, once, format_names()},
      {"fields", 0, "A,B", "only these members, in this order"},
      {"quiet", 'q', "", "ids alone, one a line; no prose"},
      {"no-headers", 0, "", "no header line"},
      {"no-pager", 0, "", "no pager, also for what is longer than the screen"},
      {"no-trunc", 0, "", "cut nothing to the terminal's width"},
      {"color", 0, "WHEN", "colours", Role::text, optional, once, {"auto", "always", "never"}},
      {"connect-timeout", 0, "D", "for the connection to the daemon; 5s by default", Role::duration},
      {"wait-daemon", 0, "D", "wait this long for a daemon that is not there yet", Role::duration},
      {"reason", 0, "TEXT", "why, for the audit; retry and cancel keep it with the message as well"},
      {"yes", 'y', "", "yes to every question"},
      {"no-input", 0, "", "ask nothing"},
      {"help", 'h', "", "explain the command"},
      {"version", 0, "", "print the version"},
  };
  return flags;
}

const Command* find_command(std::string_view path) {
  for (const auto& command : all_commands()) {
    if (command.path == path) return &command;
  }
  return nullptr;
}

}  // namespace webhookd::whctl
