#include "manual.hpp"

#include "options.hpp"
#include "settings.hpp"

namespace webhookd::daemon {

using base::ManualPage;
using base::Mdoc;

namespace {

ManualPage daemon_page() {
  Mdoc page("webhookd", '8', "accepts events durably and delivers them to webhooks");
  const auto options = describe_options();
  page.section("SYNOPSIS").synopsis("webhookd");
  for (const auto& option : options) page.synopsis_flag({option.name, 0, option.value}, false, false);
  page.section("DESCRIPTION")
      .paragraph(
          "`webhookd` takes events on a Unix socket; once one is answered, it is on disk. It delivers a copy to every "
          "webhook that asked for its type: signed, retried for ten days while the receiver fails, each attempt with "
          "its "
          "outcome in a log. `whctl(1)` manages it.")
      .paragraph(
          "It runs in the foreground and logs to standard error. SIGTERM finishes what is in flight and leaves; a "
          "second "
          "one leaves at once. SIGHUP reads the configuration anew.")
      .begin_list();
  for (const auto& option : options) page.flag_item({option.name, 0, option.value}, option.help);
  page.end_list();
  page.section("THE STORE")
      .paragraph(
          "`--restore` verifies the backup, its checksum and every record in it, before anything changes. The store "
          "that "
          "was there is kept in the data directory as `store.before-restore-TIME`. A store of an older schema is "
          "copied "
          "to `store.schema-N` before it is migrated at the start; one of a newer schema is refused. The copies are "
          "removed by people alone.")
      .paragraph(
          "Signing secrets are kept as they are, unless there is a master key (`secrets.master_key_file`), with which "
          "they are sealed. The data directory has mode 0700 and its files 0600; without a master key whoever reads "
          "them, or a backup, has the secrets. `webhookd-operations(7)` says how a key is made and replaced.");
  page.section("ENVIRONMENT").begin_list();
  page.item(
      "CREDENTIALS_DIRECTORY",
      "Where the service manager puts credentials (`LoadCredential=`). A file `master_key` in it is the master key "
      "when `secrets.master_key_file` is not set.");
  page.item("XDG_STATE_HOME",
            "For a user: the data directory is `$XDG_STATE_HOME/webhookd`, or `~/.local/state/webhookd`.");
  page.item("XDG_RUNTIME_DIR", "For a user: the socket is `$XDG_RUNTIME_DIR/webhookd.sock`.").end_list();
  page.section("FILES").begin_list();
  page.item(system_config, "The configuration, as root or under systemd; see `webhookd.conf(5)`.");
  page.item(system_data_dir, "The store, as root or under systemd.");
  page.item(system_socket, "The socket, as root or under systemd.").end_list();
  page.section("EXIT STATUS").begin_list();
  page.item("0", "A clean end.").item("1", "Failure.").item("2", "Wrong command line.");
  page.item("78", "Bad configuration: file, line, key and what is allowed are named.").end_list();
  page.section("EXAMPLES")
      .literal({"webhookd --config webhookd.toml --data-dir data --socket webhookd.sock",
                "webhookd --config webhookd.toml --check-config", "webhookd --data-dir data --restore webhookd.backup",
                "webhookd --check-store data"});
  page.see_also({{"whctl", '1'}, {"webhookd.conf", '5'}, {"webhookd-api", '7'}, {"webhookd-operations", '7'}});
  return page.page();
}

std::string key_text(const Key& key) {
  std::string text = std::string(key.help) + ".\nAllowed: " + allowed_values(key) + "." +
                     (key.effect == Effect::live ? "\nA reload takes it." : "\nNeeds a restart.");
  return text + "\nDefault: `" + default_value(key) + "`.";
}

ManualPage configuration_page() {
  Mdoc page("webhookd.conf", '5', "configuration of webhookd");
  page.section("DESCRIPTION")
      .paragraph(
          "`webhookd(8)` reads one TOML file: `/etc/webhookd/webhookd.toml` as root or under systemd, or what "
          "`--config` "
          "names. Unknown keys are errors, and every value has a range: `webhookd --check-config` names file, line, "
          "key "
          "and what is allowed. `webhookd --print-config` shows each value and where it came from.")
      .paragraph(words_on_units())
      .paragraph("The keys, written `section.key`:")
      .begin_list();
  for (const auto& key : configuration_keys()) page.item(key.name, key_text(key));
  page.end_list();
  page.section("FILES").begin_list().item(system_config, "The configuration of the system's daemon.").end_list();
  page.section("EXAMPLES")
      .literal({"[delivery]", "timeout = \"10s\"", "", "[egress]",
                "allow = [\"127.0.0.0/8\"]  # receivers on this machine"});
  page.see_also({{"whctl", '1'}, {"webhookd", '8'}});
  return page.page();
}

}  // namespace

std::vector<ManualPage> manual_pages() { return {daemon_page(), configuration_page(), operations_page()}; }

}  // namespace webhookd::daemon
