#include "manual.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "commands.hpp"
#include "completion_scripts.hpp"
#include "control/protocol/problems.hpp"
#include "control/protocol/routes.hpp"
#include "exit_codes.hpp"
#include "help.hpp"
#include "settings.hpp"

namespace webhookd::whctl {

using base::ManualPage;
using base::Mdoc;

namespace {

const std::pair<std::string, char> main_page{"whctl", '1'};

std::string page_name(const Command& command) {
  std::string name = "whctl-" + std::string(command.path);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

base::ManualFlag manual_flag(const Flag& flag) { return {flag.name, flag.letter, flag.value}; }

void flags(Mdoc& page, const std::vector<Flag>& list) {
  page.begin_list();
  for (const auto& flag : list) page.flag_item(manual_flag(flag), flag_help(flag));
  page.end_list();
}

void examples(Mdoc& page, const std::vector<Example>& list) {
  page.section("EXAMPLES");
  for (const auto& example : list) {
    if (!example.what.empty()) page.paragraph(std::string(example.what) + ":");
    page.literal({std::string(example.line)});
  }
}

void synopsis(Mdoc& page, const Command& command) {
  page.section("SYNOPSIS").synopsis("whctl " + std::string(command.path));
  for (const auto& argument : command.arguments) {
    page.synopsis_argument(argument.name, argument.is_required, argument.is_repeated);
  }
  for (const auto& flag : command.flags) page.synopsis_flag(manual_flag(flag), flag.is_required, flag.is_repeated);
}

ManualPage command_page(const Command& command) {
  Mdoc page(page_name(command), '1', command.help);
  synopsis(page, command);
  page.section("DESCRIPTION").paragraph("`whctl " + std::string(command.path) + "` " + std::string(command.help) + ".");
  if (!command.about.empty()) page.paragraph(command.about);
  if (!command.arguments.empty()) {
    page.begin_list();
    for (const auto& argument : command.arguments) page.item(argument.name, argument_help(argument));
    page.end_list();
  }
  if (!command.flags.empty()) {
    page.paragraph("The flags are, beside the global ones of `whctl(1)`:");
    flags(page, command.flags);
  }
  page.section("EXIT STATUS").paragraph("As `whctl(1)` lists them.");
  examples(page, command.examples);
  page.see_also({main_page, {"webhookd", '8'}});
  return page.page();
}

ManualPage overview_page() {
  Mdoc page("whctl", '1', "manages webhookd: webhooks, events and their deliveries");
  page.section("SYNOPSIS").synopsis("whctl").synopsis_argument("COMMAND", true, false);
  page.synopsis_argument("ARGUMENT", false, true);
  page.section("DESCRIPTION").paragraph(overview_text);
  page.paragraph("The commands, each with a page of its own:");
  page.begin_list();
  for (const auto& command : all_commands()) {
    if (!is_hidden(command)) page.item(command.path, command.help);
  }
  page.end_list();
  page.paragraph("Global flags are accepted before and after every command:");
  flags(page, global_flags());
  page.section("ENVIRONMENT").begin_list();
  for (const auto& variable : environment_variables()) page.item(variable.name, variable.help);
  page.end_list();
  page.section("FILES").begin_list();
  page.item(
      "$XDG_CONFIG_HOME/whctl/config.toml",
      "`socket`, `output` and `pager`, as the flags and variables of these names; used when neither of those says.");
  page.end_list();
  page.section("EXIT STATUS").begin_list();
  for (const auto& meaning : exit_meanings()) {
    page.item(std::to_string(static_cast<int>(meaning.code)), meaning.words);
  }
  page.end_list();
  examples(page, overview_examples());
  std::vector<std::pair<std::string, char>> others{{"webhookd", '8'}, {"webhookd.conf", '5'}, {"webhookd-api", '7'}};
  for (const auto& command : all_commands()) {
    if (!is_hidden(command)) others.emplace_back(page_name(command), '1');
  }
  page.see_also(others);
  return page.page();
}

std::string route_text(const protocol::Route& route) {
  std::string text = std::string(route.summary) + ".\nRole: `" + std::string(protocol::to_string(route.role)) +
                     "`. Success: `" + std::to_string(route.status) + "`, " + std::string(route.response) + ".";
  for (const auto& body : route.requests) {
    text += "\nBody: " + std::string(body.schema) + " (" + std::string(body.media_type) + ").";
  }
  for (const auto& parameter : route.query) {
    text += "\nQuery `" + std::string(parameter.name) + "`: " + std::string(parameter.description) + ".";
  }
  return text;
}

ManualPage api_page() {
  Mdoc page("webhookd-api", '7', "the HTTP API of webhookd on its Unix socket");
  page.section("DESCRIPTION")
      .paragraph(
          "`webhookd(8)` speaks HTTP/1.1 and JSON on a Unix stream socket. Times are RFC 3339 in UTC with "
          "milliseconds, "
          "durations are seconds. Every answer has the header `Webhookd-Version`. `GET /v1/openapi.json` describes the "
          "bodies that are named here.")
      .paragraph(
          "Who may do what is told by the user id of the peer: `read` < `emit` < `operate` < `admin`, mapped in "
          "`[access]` of `webhookd.conf(5)`; root and the daemon's own user are admin.")
      .subsection("Routes")
      .begin_list();
  for (const auto& route : protocol::routes()) {
    page.item(std::string(route.method) + " " + std::string(route.pattern), route_text(route));
  }
  page.end_list().subsection("Errors");
  page.paragraph(
      "Errors are problem documents (RFC 9457, application/problem+json) whose `code` is stable, with the fields at "
      "fault in `errors`. The codes, each with its HTTP status:");
  page.begin_list();
  for (const auto& kind : protocol::problem_kinds()) {
    page.item(kind.name, std::to_string(kind.status) + ": " + std::string(kind.title) + ".");
  }
  page.end_list();
  page.section("EXAMPLES")
      .literal({"curl --unix-socket /run/webhookd/webhookd.sock http://localhost/v1/webhooks",
                "whctl api GET '/v1/messages?status=retrying'"});
  page.see_also({main_page, {"webhookd", '8'}, {"webhookd.conf", '5'}});
  return page.page();
}

}  // namespace

std::vector<ManualPage> manual_pages() {
  std::vector<ManualPage> pages{overview_page(), api_page()};
  for (const auto& command : all_commands()) {
    if (!is_hidden(command)) pages.push_back(command_page(command));
  }
  return pages;
}

std::vector<ManualPage> completion_files() {
  std::vector<ManualPage> files;
  for (const auto& script : completion_scripts()) files.push_back({std::string(script.file), std::string(script.text)});
  return files;
}

}  // namespace webhookd::whctl
