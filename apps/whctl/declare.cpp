// Declarative commands: export, diff, apply; and import, which declares what other systems' exports say.
#include <algorithm>
#include <array>

#include "history.hpp"
#include "import.hpp"
#include "input.hpp"
#include "manifest.hpp"
#include "output_file.hpp"
#include "plan.hpp"
#include "safe_text.hpp"
#include "session.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::size_t webhooks_listed_max = 1'000'000;

std::string folder_of(const std::string& file) {
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

std::string place_of(const std::string& file) { return file == "-" ? "standard input" : file; }

Result<Manifest> read_file(Session& session, const Invocation& invocation) {
  const auto& file = invocation.value("file");
  const auto text = read_input(file, session.console().in);
  if (!text) return text.error();
  return read_manifest(*text, place_of(file), folder_of(file));
}

// In the order of their names, whatever order they were made in.
Result<std::vector<std::string>> declared_all(Session& session, const std::string& target, std::string_view name,
                                              std::string (*declared)(Json)) {
  auto listed = session.list(target, webhooks_listed_max);
  if (!listed) return listed.error();
  auto& items = listed->items;
  std::sort(items.begin(), items.end(), [&](Json a, Json b) { return a[name].text() < b[name].text(); });
  std::vector<std::string> texts;
  for (const auto& item : items) {
    // The built-in catalogue and its extensions come with the daemon.
    if (item.has("origin") && item["origin"].text() != "user") continue;
    texts.push_back(declared(item));
  }
  return texts;
}

std::string counted(const std::vector<Step>& steps, Action action, std::string_view word) {
  const auto count = std::count_if(steps.begin(), steps.end(), [&](const Step& step) { return step.action == action; });
  return std::to_string(count) + " " + std::string(word);
}

// Of a plan with faults no step is done.
client::Failure unchanged(client::Failure failure) {
  if (failure.hint.empty()) failure.hint = "nothing was changed";
  return failure;
}

// How a manifest is written. JSON lines is one line of JSON.
bool is_manifest_json(const Output& output, const std::string& file) {
  const Format format = output.options().format;
  return format == Format::json || format == Format::jsonl || file.ends_with(".json");
}

Result<void> check_manifest_format(const Output& output) {
  constexpr std::array written{Format::table, Format::wide, Format::json, Format::jsonl};
  if (std::find(written.begin(), written.end(), output.options().format) != written.end()) return {};
  return failure(client::codes::usage, "--output", "the document is TOML or JSON, which `whctl apply` reads",
                 "-o json prints JSON; without -o it is TOML");
}

Result<ExitCode> apply_plan(Session& session, const std::vector<Step>& steps, bool is_dry) {
  const auto printed = print_plan(session, steps);
  if (!printed) return printed.error();
  session.console().out.flush();
  if (!is_dry) {
    const auto done = carry_out(session, steps);
    if (!done) return done.error();
  }
  const std::string counts = counted(steps, Action::create, "created, ") + counted(steps, Action::edit, "edited, ") +
                             counted(steps, Action::remove, "deleted");
  session.note(steps.empty() ? "nothing to change" : is_dry ? "dry run: nothing was changed" : counts);
  return ExitCode::done;
}

}  // namespace

namespace {

client::Failure only_of_messages(std::string_view flag) {
  return failure(client::codes::usage, "--" + std::string(flag), "chooses messages: it goes with --messages");
}

}  // namespace

Result<ExitCode> export_manifest(Session& session, const Invocation& invocation) {
  if (invocation.has("messages")) return export_history(session, invocation);
  for (const std::string_view filter : {"webhook", "event", "since", "until"}) {
    if (invocation.has(filter)) return only_of_messages(filter);
  }
  const auto possible = check_manifest_format(session.output());
  if (!possible) return possible.error();
  const auto webhooks = declared_all(session, "/v1/webhooks", "display_name", declared_webhook);
  if (!webhooks) return webhooks.error();
  const auto types = declared_all(session, "/v1/types", "name", declared_type);
  if (!types) return types.error();
  const auto& file = invocation.value("file");
  const bool is_json = is_manifest_json(session.output(), file);
  const bool is_line = session.output().options().format == Format::jsonl;
  const std::string json = manifest_json(*webhooks, *types);
  const std::string text =
      is_json ? (is_line ? compact_json(json) : pretty_json(json)) + "\n" : manifest_toml(*webhooks, *types);
  if (invocation.has("file") && file != "-") {
    const auto written = write_whole_file(file, text, 0600);
    if (!written) return written.error();
    session.note("wrote " + safe_line(file) + ": " + std::to_string(webhooks->size()) + " webhooks, " +
                 std::to_string(types->size()) + " types");
    return ExitCode::done;
  }
  session.console().out.write(is_json ? safe_json(text) : safe_block(text));
  return ExitCode::done;
}

Result<ExitCode> diff_manifest(Session& session, const Invocation& invocation) {
  const auto manifest = read_file(session, invocation);
  if (!manifest) return manifest.error();
  const auto steps = make_plan(session, *manifest, {place_of(invocation.value("file")), invocation.has("prune"), true});
  if (!steps) return steps.error();
  const auto printed = print_plan(session, *steps);
  if (!printed) return printed.error();
  return steps->empty() ? ExitCode::done : ExitCode::failure;
}

Result<ExitCode> apply_manifest(Session& session, const Invocation& invocation) {
  const auto manifest = read_file(session, invocation);
  if (!manifest) return manifest.error();
  const auto steps = make_plan(session, *manifest, {place_of(invocation.value("file")), invocation.has("prune"), true});
  if (!steps) return unchanged(steps.error());
  return apply_plan(session, *steps, invocation.has("dry-run"));
}

Result<ExitCode> import_types(Session& session, const Invocation& invocation) {
  const auto& file = invocation.value("FILE");
  const auto text = read_input(file, session.console().in);
  if (!text) return text.error();
  auto manifest = read_manifest(*text, place_of(file), folder_of(file));
  if (!manifest) return manifest.error();
  if (!manifest->webhooks.empty()) {
    return failure(client::codes::usage, file, "holds webhooks, too", "`whctl apply -f` makes all of it");
  }
  const auto steps = make_plan(session, *manifest, {place_of(file), false, true});
  if (!steps) return unchanged(steps.error());
  return apply_plan(session, *steps, false);
}

Result<ExitCode> import_endpoints(Session& session, const Invocation& invocation) {
  const bool has_source = invocation.has("from");
  if (invocation.has("messages") == has_source) {
    return failure(client::codes::usage, has_source ? "--messages" : "--from",
                   has_source ? "not with --from: a file is of one kind" : "says which system it is from",
                   "events and messages of a webhookd come in with --messages");
  }
  if (!has_source) return import_history(session, invocation);
  const auto& file = invocation.value("FILE");
  const auto text = read_input(file, session.console().in);
  if (!text) return text.error();
  const auto manifest = manifest_of_export(*text, invocation.value("from"), invocation.all("event"), file);
  if (!manifest) return manifest.error();
  const auto steps = make_plan(session, *manifest, {place_of(file), false, false});
  if (!steps) return unchanged(steps.error());
  const std::size_t left = manifest->webhooks.size() - steps->size();
  if (left > 0) session.note(std::to_string(left) + " exist already and are left as they are");
  return apply_plan(session, *steps, invocation.has("dry-run"));
}

}  // namespace webhookd::whctl
