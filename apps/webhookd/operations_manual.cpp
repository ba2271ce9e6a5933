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
    Paragraph{
        "Memory",
        "About 15 MiB at rest with a thousand webhooks, 3 of them its own and the rest the program and the store's "
        "file, plus up to 64 MiB of payloads that are due. After a burst of 100 000 events some 90 MiB are seen: "
        "8 of its own, because what the burst took is given back, and 80 of the store's file, which count as "
        "resident but are the page cache, and the system's to take. A backlog is on disk and costs no memory."},
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
    Paragraph{
        "The disk or the quota is full",
        "New events are refused with `store_full` (507), which is logged once and says whether it is the quota or "
        "the disk; deliveries, cancels and deletes go on. Acceptance comes back by itself, and `store_has_room` is "
        "logged."},
    Paragraph{
        "The store is not where it was",
        "The file `store-id` in the data directory says which store belongs there. When that store is gone, empty "
        "or another one, the daemon refuses to start, because to begin anew would lose what waits; systemd tries "
        "again every second. A file system that is not mounted is the usual reason: mount it. Else put a backup "
        "back; or, to begin anew and lose everything, remove `/var/lib/webhookd/store-id`."},
    Paragraph{"The disk fails under a write",
              "`store_commit_failed` is logged, and whoever asked is told that the "
              "outcome is unknown. Outcomes of attempts are kept and written again "
              "every second. Where the very last step of a commit is refused, nothing can be read or written "
              "until the store is opened anew: `store_writer_lost` is logged, the daemon ends with exit code 1, and "
              "systemd starts it again. What was answered before is there."},
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
              "At the start: exit 78, and the unit stays down. At a reload: nothing changes, the answer and the record "
              "`reload_refused` name file, line and key, and `webhookd_config_last_reload_successful` is 0 until a "
              "reload is taken. `webhookd --check-config` says the same beforehand."},
    Paragraph{
        "A file that a webhook names cannot be read",
        "Attempts fail with \"nothing was sent\", the name of the file and why. Client certificates, their keys and "
        "files of tokens are read by the user `webhookd`, whom `ProtectHome=` and `PrivateTmp=` of the unit keep "
        "out of /home, /root and /tmp whatever their modes say: `/etc/webhookd` is a place, owned by that user "
        "and with mode 0600. `whctl doctor` finds them."},
    Paragraph{"No name resolves in the cloud, though it does in a shell",
              "The unit forbids link-local addresses (`IPAddressDeny=link-local`), and some clouds have their resolver "
              "at one, such as 169.254.169.253 or 169.254.169.254: every attempt fails as `dns`. Look at "
              "`/etc/resolv.conf`, and with `systemctl edit webhookd` add `IPAddressAllow=` and that address under "
              "`[Service]`. Deliveries still may not go there: the egress policy denies it."},
};

constexpr std::array recipes = {
    Paragraph{"WebhookdAway",
              "`systemctl status webhookd`, then `journalctl -u webhookd -n 50`. Exit status 78 is the "
              "configuration: `webhookd --check-config` names the line. Clients queue on the socket "
              "until the daemon is back. It also rings when `metrics.listen` is not set (it is off as shipped) or "
              "Prometheus has another name for the job: see METRICS."},
    Paragraph{
        "WebhookdStoreFull",
        "`whctl doctor` and the record `store_full` say whether the quota or the disk is the cause. The quota: see "
        "what waits (`whctl list -o wide`), raise `store.quota` (needs a restart), cancel what nobody wants any "
        "more with `whctl cancel --webhook W`, or delete the webhook. The disk: free it; `store.disk_reserve` is "
        "the line. Events are taken again by themselves."},
    Paragraph{"WebhookdStoreFilling",
              "The same, in time. Settled messages fill a busy store up to `retention.max_bytes`, nine tenths of the "
              "quota, and stay there: that is healthy, and does not ring. It rings above 93 %, or above 80 % when more "
              "than half of the messages wait, because waiting ones are never removed. A single receiver that is away "
              "is the usual reason. Who sets `retention.max_bytes` above 93 % of the quota should raise the line."},
    Paragraph{"WebhookdDamagedRecords",
              "The disk lies, or did: look at the kernel's log. What is damaged is named in "
              "`store_record_damaged`. Stop the daemon, copy the data directory away, and "
              "restore a backup on another disk. The count is of this process: it rings until the daemon was started "
              "anew and finds no damage."},
    Paragraph{"WebhookdSlowCommits",
              "Another user of the disk, or a disk that is about to fail. The store belongs on a "
              "local disk: network file systems are refused."},
    Paragraph{
        "WebhookdLateDeliveries",
        "`webhookd_attempts_in_flight` at its bound: raise `delivery.max_in_flight`. "
        "Few in flight: receivers have small windows or rates, see `whctl list -o wide`. Receivers that are away do "
        "not count: what waits for a probe is late by their doing."},
    Paragraph{
        "WebhookdMessagesFailed",
        "Their receivers will not get them any more: `expired` after a whole retry window of failures, `gone` "
        "after an answer 410, which also made the webhook inactive. `whctl logs --status failed --since 1h` "
        "lists them with the failures; once a receiver is mended, `whctl retry --webhook W --status failed` opens "
        "new windows."},
    Paragraph{"WebhookdReloadRefused",
              "`webhookd --check-config` names file, line and key; then `systemctl reload webhookd`. Until then the "
              "daemon goes on with the settings that it has, and would not start anew."},
    Paragraph{"WebhookdFailingAttempts",
              "`whctl top` or `whctl logs --status retrying` says why. One kind of outcome "
              "for all webhooks at once is this side: `dns` the resolver, `connect` and "
              "`timeout` the network, `denied` the policy, `tls` the roots or the clock."},
    Paragraph{"WebhookdCertificateExpires",
              "`whctl doctor` names the webhook. Only whoever runs the receiver can renew its certificate; once it has "
              "expired, attempts fail as `tls` and go on being retried. The date is that of the latest answer, so it "
              "moves with the first delivery after the renewal."},
    Paragraph{"WebhookdEndpointsDown",
              "`whctl list -o wide` names them, `whctl why MESSAGE` what happens next. When the receiver is repaired "
              "nothing needs to be done: the next probe, at most five minutes later, finds out. `whctl retry MESSAGE` "
              "makes that probe due, with this message, though no sooner than 5 s after the latest failure; a ping "
              "waits for the next probe like everything else."},
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

void add_backups(Mdoc& page) {
  page.section("BACKUP AND RESTORE")
      .paragraph(
          "`whctl backup FILE` needs the role admin, and takes a consistent copy while the daemon goes on. It is "
          "refused when the daemon has met damage in its store since its start, so that a good backup is never "
          "replaced by one that cannot be restored; `whctl check` looks for damage that nobody has met yet. There must "
          "be "
          "as much room again beside the store, besides `store.disk_reserve`. FILE takes its name when it is complete, "
          "with mode 0600, and without a master key holds the signing secrets. Keep it on another machine, with the "
          "configuration and apart from the master key. Every night, one for each day of the week, by two units in "
          "/etc/systemd/system; first webhookd-backup.service:")
      .literal({"[Unit]", "Description=Backup of webhookd", "[Service]", "Type=oneshot", "UMask=0077",
                "ExecStart=/bin/sh -c 'exec whctl backup /var/backups/webhookd-$$(date +%%u).backup'"})
      .paragraph("Then webhookd-backup.timer, and `systemctl enable --now webhookd-backup.timer`:")
      .literal({"[Timer]", "OnCalendar=03:00", "RandomizedDelaySec=10m", "Persistent=true", "[Install]",
                "WantedBy=timers.target"})
      .paragraph("Or by cron, in /etc/cron.d/webhookd, where a percent sign has to be escaped:")
      .literal({"0 3 * * * root umask 077; whctl -q backup /var/backups/webhookd-$(date +\\%u).backup"})
      .paragraph("An alert for Prometheus that rings when backups were made and stopped, over restarts of the daemon:")
      .literal({"time() - max_over_time(webhookd_backup_last_success_timestamp_seconds[14d]) > 2 * 86400"})
      .paragraph(
          "To restore, stop the daemon and its socket, and do it as the daemon's user, whose files they become; as "
          "root "
          "they would be root's, and the daemon could not open them. The backup has to be readable by that user, so a "
          "copy of it is made:")
      .literal({"systemctl stop webhookd.socket webhookd.service",
                "install -o webhookd -m 0600 /var/backups/webhookd-3.backup /var/lib/webhookd/to-restore",
                "runuser -u webhookd -- webhookd --config /etc/webhookd/webhookd.toml \\",
                "    --data-dir /var/lib/webhookd --restore /var/lib/webhookd/to-restore",
                "rm /var/lib/webhookd/to-restore", "systemctl start webhookd.socket webhookd.service", "whctl check"})
      .paragraph(
          "Everything in the backup is verified before anything changes, and the store that was there is kept as "
          "`store.before-restore-TIME`: remove it when you will not go back. What waited in the backup is sent again "
          "under its own ids. After a restore as root by mistake: `chown -R webhookd: /var/lib/webhookd`.");
}

void add_upgrades(Mdoc& page) {
  page.section("UPGRADE AND GOING BACK")
      .paragraph(
          "`apt install ./webhookd_VERSION_ARCH.deb` starts the daemon anew; clients queue at the socket meanwhile. "
          "Make "
          "a backup first. When the schema of the store is a new one, the start copies the store to "
          "`/var/lib/webhookd/store.schema-N`, migrates it, and logs `store_migrated`: there must be room for it "
          "twice.")
      .paragraph(
          "A version that does not know the schema refuses to start and names both. To go back, install the older "
          "version and give it the copy; what was accepted and delivered since the upgrade is lost, so some "
          "messages are sent again:")
      .literal({"systemctl stop webhookd.socket webhookd.service", "cd /var/lib/webhookd",
                "mv store store.newer && mv store.schema-N store",
                "apt install --allow-downgrades ./webhookd_OLDER_ARCH.deb",
                "systemctl start webhookd.socket webhookd.service"})
      .paragraph("Remove `store.schema-N` and `store.newer` when you will not go back: nobody else does.");
  page.section("MOVING TO ANOTHER MACHINE")
      .paragraph(
          "Stop the daemon and its socket on the old machine first, so that nothing is delivered twice, and leave them "
          "disabled. Install the same version on the new one, stop it there, and carry over `/etc/webhookd` with the "
          "files that webhooks name, the master key, and the store: either the whole of `/var/lib/webhookd`, or a "
          "backup "
          "that was made after the last event, restored as above. The numbers of users and groups may differ: names in "
          "`[access]` mean those of the new machine.")
      .literal({"systemctl disable --now webhookd.socket webhookd.service   # the old one",
                "systemctl stop webhookd.socket webhookd.service            # the new one",
                "rsync -aS OLD:/etc/webhookd/ /etc/webhookd/",
                "rsync -aS --delete OLD:/var/lib/webhookd/ /var/lib/webhookd/", "chown -R webhookd: /var/lib/webhookd",
                "systemctl start webhookd.socket webhookd.service", "whctl doctor"});
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
          "To replace the key, put the next one beside it with `.next` behind its name, seal everything with it, and "
          "move it over the old one:")
      .literal({"umask 077; openssl rand -hex 32 > /etc/webhookd/master_key.next",
                "chown webhookd: /etc/webhookd/master_key.next", "whctl secret rotate-master --dry-run",
                "whctl secret rotate-master", "mv /etc/webhookd/master_key.next /etc/webhookd/master_key"})
      .paragraph(
          "Of a credential the next key is one as well, for as long as the rotation takes. The line has to go before "
          "the next start, because systemd starts no unit whose credential has no file:")
      .literal(
          {"systemctl edit webhookd   # below [Service]: LoadCredential=master_key.next:/etc/webhookd/master_key.next",
           "systemctl restart webhookd", "whctl secret rotate-master",
           "mv /etc/webhookd/master_key.next /etc/webhookd/master_key",
           "systemctl edit webhookd   # without that line again", "systemctl restart webhookd"})
      .paragraph(
          "A next key that cannot be used, because others may read it or because it is no key, is logged at the start "
          "as "
          "`master_key_next_unusable` and refuses a rotation, nothing else.")
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
          "format of Prometheus. No label names a webhook. Dashboard and alert rules are in `/usr/share/doc/webhookd`. "
          "The port is off as shipped. The alerts count on a job of the name `webhookd`; in webhookd.toml (needs a "
          "restart), and in prometheus.yml on the same machine:")
      .literal({"[metrics]", "listen = \"127.0.0.1:9464\""})
      .literal({"scrape_configs:", "  - job_name: webhookd",
                "    static_configs:", "      - targets: [\"127.0.0.1:9464\"]",
                "rule_files:", "  - /usr/share/doc/webhookd/webhookd-alerts.yml"})
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
  add_backups(page);
  add_upgrades(page);
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
