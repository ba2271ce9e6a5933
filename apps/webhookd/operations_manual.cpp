// webhookd-operations(7): what whoever runs the daemon needs to know. Metrics, log events and settings come from their
// tables; each alert that is shipped has its recipe here (tests/webhookd/observability_test.cpp).
#include <array>

#include "control/server/metrics.hpp"
#include "log_events.hpp"
#include "log_writer.hpp"
#include "manual.hpp"
#include "options.hpp"

namespace webhookd::daemon {

using base::ManualPage;
using base::Mdoc;

namespace {

struct Paragraph {
  std::string_view term;
  std::string_view prose;
};

constexpr std::array sizing = {
    Paragraph{"Disk",
              "An event takes its data once, however many webhooks want it, and each message about a kilobyte "
              "with its attempts. Waiting messages are never removed: plan for the longest outage of a receiver "
              "times the rate of its events. `store.quota` bounds it all, and above 95 % of it new events are "
              "refused; `webhookd_store_used_bytes` says where it stands."},
    Paragraph{"Speed of the disk",
              "Every answered event is on disk, so a commit's time is a producer's wait. Commits "
              "are shared: on a disk that syncs in 1 ms thousands of events a second fit, on one "
              "that needs 20 ms the same rate needs producers that work side by side, or batches."},
    Paragraph{"Memory",
              "About 10 MiB, a few kilobytes for each webhook, and up to 64 MiB of payloads that are due. A "
              "backlog is on disk and costs no memory. The page cache of the store is the system's to give."},
    Paragraph{"Descriptors",
              "One for each request in flight and each idle connection (2048 of these for each network "
              "loop at most): `LimitNOFILE=` of the unit is far above the defaults of "
              "`delivery.max_in_flight`. Raise both together."},
    Paragraph{"Processors",
              "`delivery.threads` network loops, one for each core unless it is set, one thread that "
              "decides, one for the socket, one that writes. TLS handshakes cost the most; receivers that "
              "keep connections alive save them."},
};

constexpr std::array tuning = {
    Paragraph{"Many webhooks share one host", "`delivery.max_in_flight_per_host` bounds requests at once to it."},
    Paragraph{"A receiver needs to be spared",
              "`whctl edit W --max-in-flight 2 --rate 5/s`; it takes effect with the "
              "next attempt."},
    Paragraph{"Many receivers hang until the timeout",
              "They are served in slots of their own and slow nobody. A "
              "shorter `delivery.timeout`, or `--timeout` of the webhook, "
              "frees the slots sooner."},
    Paragraph{"The store shares its disk with others",
              "`store.preallocate` takes the room at the start, "
              "`store.disk_reserve` refuses events while there is still room "
              "to deliver."},
};

constexpr std::array failures = {
    Paragraph{"The daemon is killed, or the machine loses power",
              "What was answered is on disk. Attempts that were under way are in the log as `interrupted` after a kill "
              "and are made again under the same id, so a receiver may see one twice."},
    Paragraph{"A receiver is away",
              "Its messages are Retrying. After five failures in a row the endpoint is down: one "
              "probe at a time, at most five minutes apart. With the first success the whole "
              "backlog becomes due and leaves at slow-start pace."},
    Paragraph{"The disk or the quota is full",
              "New events are refused with `store_full` (507); deliveries, cancels "
              "and deletes go on, and acceptance comes back by itself."},
    Paragraph{"The disk fails under a write",
              "`store_commit_failed` is logged, and whoever asked is told that the "
              "outcome is unknown. Outcomes of attempts are kept and written again "
              "every second."},
    Paragraph{"The resolver hangs",
              "Names that are known are used on; the others fail as `dns` or `timeout`. Other "
              "names are not held up."},
    Paragraph{"The clock jumps",
              "Deadlines are wall-clock times. Endpoints count as up again, and each overdue "
              "message gets its last attempt before it may fail."},
    Paragraph{"The engine hangs",
              "The service manager hears no sign of life for `WatchdogSec=` and starts the daemon "
              "anew."},
    Paragraph{"The configuration is wrong",
              "At the start: exit 78, and the unit stays down. At a reload: nothing "
              "changes, the answer names file, line and key."},
};

constexpr std::array recipes = {
    Paragraph{"WebhookdAway",
              "`systemctl status webhookd`, then `journalctl -u webhookd -n 50`. Exit status 78 is the "
              "configuration: `webhookd --check-config` names the line. Clients queue on the socket "
              "until the daemon is back."},
    Paragraph{"WebhookdStoreFull",
              "See what waits: `whctl list -o wide`. Raise `store.quota` (needs a restart) or free "
              "the disk; cancel what nobody wants any more with `whctl cancel --webhook W`, or "
              "delete the webhook. Events are taken again by themselves."},
    Paragraph{"WebhookdStoreFilling", "The same, in time. A single receiver that is away is the usual reason."},
    Paragraph{"WebhookdDamagedRecords",
              "The disk lies, or did: look at the kernel's log. What is damaged is named in "
              "`store_record_damaged`. Stop the daemon, copy the data directory away, and "
              "restore a backup on another disk."},
    Paragraph{"WebhookdSlowCommits",
              "Another user of the disk, or a disk that is about to fail. The store belongs on a "
              "local disk: network file systems are refused."},
    Paragraph{"WebhookdLateDeliveries",
              "`webhookd_attempts_in_flight` at its bound: raise `delivery.max_in_flight`. "
              "Few in flight: receivers have small windows or rates, see `whctl list -o wide`."},
    Paragraph{"WebhookdFailingAttempts",
              "`whctl top` or `whctl logs --status retrying` says why. One kind of outcome "
              "for all webhooks at once is this side: `dns` the resolver, `connect` and "
              "`timeout` the network, `denied` the policy, `tls` the roots or the clock."},
    Paragraph{"WebhookdCertificateExpires",
              "`whctl doctor` names the webhook. Only whoever runs the receiver can renew its certificate; once it has "
              "expired, attempts fail as `tls` and go on being retried. The date is that of the latest answer, so it "
              "moves with the first delivery after the renewal."},
    Paragraph{"WebhookdEndpointsDown",
              "`whctl list -o wide` names them, `whctl why MESSAGE` what happens next. When the "
              "receiver is repaired nothing needs to be done; `whctl ping W --wait` or a retry "
              "of one message tries at once."},
    Paragraph{"WebhookdShortages",
              "Descriptors, memory or local ports of this machine. Nothing counts against the "
              "receivers, and messages go out within seconds once there is room."},
    Paragraph{"WebhookdFewDescriptors",
              "Raise `LimitNOFILE=` with `systemctl edit webhookd`, or lower "
              "`delivery.max_in_flight`."},
};

template <std::size_t N>
void add_list(Mdoc& page, const std::array<Paragraph, N>& paragraphs) {
  page.begin_list();
  for (const auto& [term, prose] : paragraphs) page.item(term, prose);
  page.end_list();
}

void add_service(Mdoc& page) {
  page.section("THE SERVICE")
      .paragraph(
          "The package runs `webhookd.service` as the user `webhookd`, behind `webhookd.socket`: clients queue there "
          "while the daemon is started anew, so a restart refuses nobody. Everybody on the machine may connect; what "
          "they may do, `[access]` says by their user id, and as shipped members of the group `webhookd` may emit "
          "events. "
          "Who has no role is answered 403.")
      .literal({"adduser alice webhookd", "systemctl reload webhookd", "journalctl -u webhookd WEBHOOK_ID=wh_...",
                "systemctl edit webhookd   # limits, and anything else of the unit"})
      .paragraph(
          "A reload (`systemctl reload webhookd`, `whctl reload`, SIGHUP) reads the configuration anew and the "
          "addresses of this host's interfaces with it. `webhookd.conf(5)` says of each key whether a reload takes it.")
      .paragraph(
          "Stopping lets requests in flight end for up to 7 seconds, and clients are served meanwhile; those that "
          "connect later wait at the socket of `webhookd.socket` for the next start. What has not ended then is made "
          "again after the "
          "next start, under the same id.");
}

void add_secrets(Mdoc& page) {
  page.section("SECRETS AT REST")
      .paragraph(
          "With a master key the signing secrets are sealed in the store (AES-256-GCM, each bound to its webhook), and "
          "so in every backup; payloads and messages are not. The key is a file of 64 hexadecimal digits that only the "
          "user of the daemon may read, or a credential:")
      .literal({"umask 077; openssl rand -hex 32 > /etc/webhookd/master_key",
                "chown webhookd: /etc/webhookd/master_key   # and secrets.master_key_file in webhookd.toml",
                "LoadCredential=master_key:/etc/webhookd/master_key   # or this, by systemctl edit webhookd"})
      .paragraph(
          "At the first start with a key everything is sealed, and `store_sealed` is logged. From then on the daemon "
          "ends with exit status 78 when the key is missing or another one, and says which it wants; `whctl status` "
          "shows the key's id, which is a hash and no secret. Keep a copy of the key apart from the backups: without "
          "it "
          "a backup opens for nobody. There is no way back to a store that is not sealed.")
      .paragraph(
          "To replace the key, put the next one beside it with `.next` behind its name (of a credential: "
          "`LoadCredential=master_key.next:...`, and restart), seal everything with it, and move it over the old one:")
      .literal({"openssl rand -hex 32 > /etc/webhookd/master_key.next; chown webhookd: /etc/webhookd/master_key.next",
                "whctl secret rotate-master --dry-run", "whctl secret rotate-master",
                "mv /etc/webhookd/master_key.next /etc/webhookd/master_key"})
      .paragraph(
          "Sealing anew is one transaction: a kill at any moment leaves the store sealed with the one key or with the "
          "other, and while both files are there the daemon starts with whichever it needs.")
      .paragraph(
          "What was stored before there was a key may still lie in unused pages of the store's file and in old "
          "backups; "
          "after a key became known to others, so may what it had sealed. Against both helps to change the secrets "
          "themselves: `whctl secret rotate`.");
}

void add_metrics(Mdoc& page) {
  page.section("METRICS")
      .paragraph(
          "`GET /metrics` on the socket, and on the loopback port that `metrics.listen` names, answers in the text "
          "format of Prometheus. No label names a webhook. Dashboard and alert rules are in `/usr/share/doc/webhookd`.")
      .begin_list();
  for (const server::Metric& metric : server::metrics()) {
    std::string prose = std::string(metric.help) + " (" + std::string(server::to_string(metric.kind)) + ")";
    if (!metric.labels.empty()) prose += "\nLabel " + std::string(metric.labels) + ".";
    page.item(metric.name, prose);
  }
  page.end_list();
}

void add_log_events(Mdoc& page) {
  page.section("LOG EVENTS")
      .paragraph(
          "Each record is an event name and fields. Under systemd it goes to the journal with the fields "
          "`WEBHOOKD_EVENT`, `WEBHOOK_ID`, `WEBHOOK_MESSAGE`, `MESSAGE_ID`, and `WEBHOOKD_` and the name of every "
          "other.")
      .begin_list();
  for (const LogEvent& event : log_events()) {
    std::string prose = std::string(event.meaning) + "\n" + std::string(to_string(event.level));
    for (std::size_t i = 0; i < event.fields.size(); ++i) {
      prose += (i == 0 ? "; fields: " : ", ") + std::string(event.fields[i]);
    }
    page.item(event.name, prose + ".");
  }
  page.end_list();
}

}  // namespace

ManualPage operations_page() {
  Mdoc page("webhookd-operations", '7', "running webhookd: sizing, tuning, failures, recovery");
  add_service(page);
  page.section("SIZING");
  add_list(page, sizing);
  page.section("TUNING");
  add_list(page, tuning);
  page.section("FAILURES, AND WHAT ONE SEES");
  add_list(page, failures);
  page.section("RECIPES").paragraph("By the alert that rings.");
  add_list(page, recipes);
  add_secrets(page);
  add_metrics(page);
  add_log_events(page);
  page.section("FILES").begin_list();
  page.item(system_config, "The configuration.").item(system_data_dir, "The store.").item(system_socket, "The socket.");
  page.item("/usr/share/doc/webhookd/webhookd-alerts.yml", "Alert rules for Prometheus.");
  page.item("/usr/share/doc/webhookd/webhookd-dashboard.json", "A dashboard for Grafana.").end_list();
  page.see_also({{"whctl", '1'}, {"webhookd.conf", '5'}, {"webhookd", '8'}, {"webhookd-api", '7'}});
  return page.page();
}

}  // namespace webhookd::daemon
