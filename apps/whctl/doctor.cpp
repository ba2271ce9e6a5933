// doctor: what is wrong with a daemon, or soon will be, each finding with what to do. Checks are a table; each looks at
// facts that were gathered once. Only reads; a daemon that does not answer is a failure like with any command.
#include "doctor.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "control/protocol/json_write.hpp"
#include "domain/url.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "values.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::Result;
using namespace std::chrono_literals;

namespace {

enum class Severity { fine, warning, critical };

struct Finding {
  Severity severity = Severity::fine;
  std::string_view check;
  std::string finding;
  std::string advice;
};

struct Facts {
  Json status;
  std::vector<Json> webhooks;
  Json oldest;                // the message that has waited longest; null when none waits
  std::vector<Json> failing;  // of webhooks with messages that are being retried: the newest of these, each
  std::string metrics;
  std::string version;  // of the daemon
  std::string socket;   // a path on this machine, or empty
  base::Time now{};     // ours
  std::optional<bool> clock_is_synchronised;
};

using Findings = std::vector<Finding>;

constexpr double nearly_full = 0.8;
// Retention keeps a busy store at nine tenths; above this it finds nothing more to remove.
constexpr double beyond_retention = 0.93;
constexpr double mostly_waiting = 0.5;
constexpr base::Duration recent = 1h;
constexpr base::Duration clock_tolerance = 5s;
constexpr base::Duration long_wait = 24h;
constexpr base::Duration certificate_notice = 14 * 24h;
constexpr double mebibyte = 1024 * 1024;
constexpr std::size_t webhooks_max = 10'000;
constexpr std::size_t lookups_max = 64;
constexpr std::size_t failing_max = 100;
constexpr std::size_t files_max = 1000;
constexpr auto lookup_time = 5s;

std::string percent(double share) { return std::to_string(static_cast<int>(share * 100)) + " %"; }

std::string mebibytes(double bytes) { return std::to_string(static_cast<std::uint64_t>(bytes / mebibyte)) + " MiB"; }

std::string name_of(Json webhook) { return safe_line(webhook["display_name"].text()); }

// Of a metric without labels.
std::optional<double> metric(const Facts& facts, std::string_view name) {
  const std::size_t at = facts.metrics.find("\n" + std::string(name) + " ");
  if (at == std::string::npos) return std::nullopt;
  const char* begin = facts.metrics.data() + at + name.size() + 2;
  double value = 0;
  const auto [end, error] = std::from_chars(begin, facts.metrics.data() + facts.metrics.size(), value);
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

void check_version(const Facts& facts, Findings& findings) {
  if (facts.version != WEBHOOKD_VERSION) {
    findings.push_back({Severity::warning, "version",
                        "whctl " WEBHOOKD_VERSION " talks to webhookd " + safe_line(facts.version),
                        "install both in the same version, and restart the daemon"});
  }
}

void check_clock(const Facts& facts, Findings& findings) {
  if (facts.status["test_clock"].truth()) {
    findings.push_back({Severity::warning, "clock", "the daemon runs on a test clock",
                        "start it without --test-clock where it serves"});
    return;
  }
  const auto theirs = base::parse_time(facts.status["now"].text());
  if (theirs && (*theirs > facts.now + clock_tolerance || *theirs + clock_tolerance < facts.now)) {
    findings.push_back(
        {Severity::warning, "clock",
         "the daemon's clock says " + base::format_time(*theirs) + ", this one " + base::format_time(facts.now),
         "synchronise both; receivers refuse signatures of another time"});
  }
  if (!facts.socket.empty() && facts.clock_is_synchronised == false) {
    findings.push_back({Severity::warning, "clock", "nothing keeps the clock of this machine right",
                        "let systemd-timesyncd or chrony do it (timedatectl); receivers refuse signatures of another "
                        "time"});
  }
}

// What the daemon says of why it is full, and what to do about it.
struct Fullness {
  std::string_view because;
  std::string_view finding;
  std::string_view advice;
};
constexpr std::array fullnesses = {
    Fullness{"quota", "new events are refused: 95 % of store.quota is in use",
             "raise store.quota (needs a restart); cancel what nobody wants any more: whctl list -o wide"},
    Fullness{"disk_reserve", "new events are refused: the disk has less left than store.disk_reserve",
             "free room on the disk of the store, or lower store.disk_reserve (needs a restart)"},
    Fullness{"", "new events are refused for want of room", "raise store.quota or free the disk"},
};

// What retention can remove makes no store full: a busy one stands at retention.max_bytes for ever.
bool is_filling(const Json& store) {
  const double quota = store["quota_bytes"].number().value_or(0);
  const double share = quota > 0 ? store["used_bytes"].number().value_or(0) / quota : 0;
  const double messages = store["messages"].number().value_or(0);
  const bool mostly_waits = messages > 0 && store["waiting"].number().value_or(0) / messages > mostly_waiting;
  return share > beyond_retention || (share > nearly_full && mostly_waits);
}

void check_store(const Facts& facts, Findings& findings) {
  const Json store = facts.status["store"];
  if (store["damaged_records"].number().value_or(0) > 0) {
    findings.push_back({Severity::critical, "store", store["damaged_records"].plain() + " damaged records were found",
                        "look at the disk, and restore a backup on another one"});
  }
  if (store["full"].truth()) {
    const auto* const row = std::find_if(fullnesses.begin(), fullnesses.end() - 1, [&](const Fullness& fullness) {
      return fullness.because == store["full_because"].text();
    });
    findings.push_back({Severity::critical, "store", std::string(row->finding), std::string(row->advice)});
  } else if (is_filling(store)) {
    const double share = store["used_bytes"].number().value_or(0) / store["quota_bytes"].number().value_or(1);
    findings.push_back(
        {Severity::warning, "store",
         percent(share) +
             " of the quota is taken by what retention may not remove; messages that wait: " + store["waiting"].plain(),
         "raise store.quota, or see whose messages wait: whctl list -o wide"});
  }
}

void check_disk(const Facts& facts, Findings& findings) {
  const Json store = facts.status["store"];
  const double free = store["disk_free_bytes"].number().value_or(0);
  const double reserve = store["disk_reserve_bytes"].number().value_or(0);
  const double used = store["used_bytes"].number().value_or(0);
  if (store["directory"].text().empty() || store["full"].truth() || free >= std::max(2 * reserve, used / 4)) return;
  findings.push_back({Severity::warning, "disk",
                      mebibytes(free) + " are left on the disk of the store, which takes " + mebibytes(used) +
                          "; below " + mebibytes(reserve) + " new events are refused",
                      "free room on it, or give the store a larger one; store.disk_reserve sets the line"});
}

void check_descriptors(const Facts& facts, Findings& findings) {
  const double open = metric(facts, "process_open_fds").value_or(0);
  const double allowed = metric(facts, "process_max_fds").value_or(0);
  if (allowed > 0 && open / allowed > nearly_full) {
    findings.push_back({Severity::warning, "descriptors", percent(open / allowed) + " of the file descriptors are open",
                        "raise LimitNOFILE= of the unit, or lower delivery.max_in_flight"});
  }
  const auto shortage = metric(facts, "webhookd_last_shortage_timestamp_seconds");
  const auto now = base::parse_time(facts.status["now"].text()).value_or(facts.now);
  if (shortage && base::to_seconds(now.time_since_epoch()) - *shortage < base::to_seconds(recent)) {
    findings.push_back({Severity::warning, "descriptors",
                        "attempts were put off within the last hour for want of descriptors, memory or ports",
                        "see the record `shortage` in the log, and the limits of the unit"});
  }
}

void check_configuration(const Facts& facts, Findings& findings) {
  if (metric(facts, "webhookd_config_last_reload_successful").value_or(1) == 0) {
    findings.push_back({Severity::warning, "configuration",
                        "the latest reload was refused; the daemon goes on with the settings that it has",
                        "webhookd --check-config names file, line and key; the next start would fail"});
  }
}

// What the latest failure of a webhook says that no retry will mend, by how it begins and what it has in it.
struct FailureKind {
  std::string_view begins;
  std::string_view has;
  Severity severity;
  std::string_view check;
  std::string_view advice;
};
constexpr std::array failure_kinds = {
    FailureKind{
        "", "nothing was sent: ", Severity::critical, "credentials",
        "the user of the daemon must be able to read the file, which may not be under /home or /tmp; whctl show "
        "names it"},
    FailureKind{"tls: ", "expired", Severity::critical, "certificate",
                "whoever runs the receiver has to renew its certificate; deliveries go on by themselves then"},
    FailureKind{"tls: ", "", Severity::warning, "certificate",
                "whoever runs the receiver has to mend its certificate; for a private root set egress.ca_file"},
    FailureKind{"denied: ", "", Severity::critical, "egress",
                "change webhookd.toml as it says, then whctl reload; or edit the URL"},
};

void check_failures(const Facts& facts, Findings& findings) {
  for (const Json& message : facts.failing) {
    const std::string failure = message["failure"].text();
    const auto* const kind =
        std::find_if(failure_kinds.begin(), failure_kinds.end(), [&failure](const FailureKind& row) {
          return failure.starts_with(row.begins) && failure.find(row.has) != std::string::npos;
        });
    if (kind != failure_kinds.end()) {
      findings.push_back({kind->severity, kind->check,
                          "attempts of " + safe_line(message["webhook"].text()) + " fail: " + safe_line(failure),
                          std::string(kind->advice)});
    }
  }
}

void check_webhooks(const Facts& facts, Findings& findings) {
  for (const Json& webhook : facts.webhooks) {
    const std::string waiting = webhook["waiting"].plain();
    if (webhook["health"].text() == "down") {
      findings.push_back({Severity::warning, "endpoint", name_of(webhook) + " is down; messages that wait: " + waiting,
                          "whctl logs '" + name_of(webhook) + "' --status retrying says why"});
    }
    if (webhook["status"].text() == "inactive" && webhook["waiting"].number().value_or(0) > 0) {
      findings.push_back({Severity::warning, "webhook",
                          name_of(webhook) + " is inactive; messages that are held: " + waiting,
                          "whctl activate '" + name_of(webhook) + "' releases them; they fail when their window ends"});
    }
  }
}

void check_certificates(const Facts& facts, Findings& findings) {
  for (const Json& webhook : facts.webhooks) {
    const auto expires_at = base::parse_time(webhook["certificate_expires_at"].text());
    if (!expires_at || *expires_at > facts.now + certificate_notice) continue;
    const bool is_over = *expires_at <= facts.now;
    findings.push_back({is_over ? Severity::critical : Severity::warning, "certificate",
                        "the certificate of " + name_of(webhook) + (is_over ? " has expired on " : " expires on ") +
                            base::format_time(*expires_at),
                        "tell whoever runs " + safe_line(webhook["url"].text()) + "; deliveries fail from then on"});
  }
}

void check_oldest(const Facts& facts, Findings& findings) {
  const auto since = base::parse_time(facts.oldest["created_at"].text());
  const auto now = base::parse_time(facts.status["now"].text()).value_or(facts.now);
  if (since && now - *since > long_wait) {
    findings.push_back({Severity::warning, "queue",
                        safe_line(facts.oldest["id"].text()) + " waits since " + base::format_time(*since),
                        "whctl why " + safe_line(facts.oldest["id"].text())});
  }
}

// ---- files --------------------------------------------------------------------------------------------------------

// What may be looked at is looked at: whom the directory keeps out is no danger to it.
std::optional<struct stat> look_at(const std::string& path) {
  struct stat file {};
  return !path.empty() && ::stat(path.c_str(), &file) == 0 ? std::optional(file) : std::nullopt;
}

void check_mode(const std::string& path, mode_t others_may_not, Severity severity, std::string_view advice,
                Findings& findings) {
  const auto file = look_at(path);
  if (file && (file->st_mode & others_may_not) != 0) {
    const bool is_read = (others_may_not & S_IROTH) != 0;
    findings.push_back(
        {severity, "permissions",
         std::string("others than its owner may ") + (is_read ? "read or write " : "write ") + safe_line(path),
         std::string(advice)});
  }
}

void check_owner(const std::string& path, uid_t owner, Findings& findings) {
  const auto file = look_at(path);
  if (file && file->st_uid != owner && file->st_uid != 0) {
    findings.push_back({Severity::warning, "permissions",
                        safe_line(path) + " belongs to the user " + std::to_string(file->st_uid) + ", not to " +
                            std::to_string(owner) + " like the data directory",
                        "chown it: the daemon must be able to use it, and nobody else"});
  }
}

std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> paths{directory};
  std::error_code error;
  using Walk = std::filesystem::recursive_directory_iterator;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  for (Walk entry(directory, options, error); !error && entry != Walk() && paths.size() < files_max;
       entry.increment(error)) {
    paths.push_back(entry->path());
  }
  return paths;
}

void check_files(const Facts& facts, Findings& findings) {
  const std::string directory = facts.status["store"]["directory"].text();
  const auto data = look_at(directory);
  if (facts.socket.empty() || !data) return;
  for (const std::string& path : files_in(directory)) {
    check_mode(path, S_IRWXO | S_IWGRP, Severity::warning,
               "chmod g-w,o= it: the signing secrets and the payloads are in it", findings);
    const auto file = look_at(path);
    if (file && file->st_uid != data->st_uid) {
      findings.push_back({Severity::warning, "permissions",
                          safe_line(path) + " belongs to another user than the data directory",
                          "chown it to the user of the daemon, who cannot write it otherwise"});
    }
  }
  const std::string configuration = facts.status["configuration"].text();
  check_mode(configuration, S_IWGRP | S_IWOTH, Severity::warning,
             "chmod go-w it: who writes it decides where deliveries may go and who may do what", findings);
  check_owner(configuration, data->st_uid, findings);
  const std::string key = facts.status["master_key_file"].text();
  if (key.empty() || key.starts_with("/run/credentials/")) return;  // systemd guards its own
  for (const std::string& path : {key, key + ".next"}) {
    check_mode(path, S_IRWXG | S_IRWXO, Severity::critical,
               "chmod 0600 it, and replace the key if anybody else had it: webhookd-operations(7)", findings);
    check_owner(path, data->st_uid, findings);
  }
}

// ---- names --------------------------------------------------------------------------------------------------------

// Shared with threads that may hang longer than we wait.
struct Lookups {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> answers;  // host -> what is wrong; empty: nothing
};

void look_up(const std::shared_ptr<Lookups>& lookups, const std::string& host) {
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, nullptr, &found);
  if (failed == 0) ::freeaddrinfo(found);
  const std::lock_guard lock(lookups->mutex);
  lookups->answers[host] = failed == 0 ? "" : ::gai_strerror(failed);
  lookups->changed.notify_one();
}

std::set<std::string> hosts_of(const Facts& facts) {
  std::set<std::string> hosts;
  for (const Json& webhook : facts.webhooks) {
    const auto url = domain::Url::parse(webhook["url"].text());
    if (url && url->host_kind() == domain::HostKind::name && webhook["status"].text() == "active" &&
        hosts.size() < lookups_max) {
      hosts.insert(url->host());
    }
  }
  return hosts;
}

void check_names(const Facts& facts, Findings& findings) {
  const auto hosts = hosts_of(facts);
  const auto lookups = std::make_shared<Lookups>();
  for (const std::string& host : hosts) {
    std::thread(look_up, lookups, host).detach();
  }
  std::unique_lock lock(lookups->mutex);
  lookups->changed.wait_for(lock, lookup_time, [&] { return lookups->answers.size() == hosts.size(); });
  for (const std::string& host : hosts) {
    const auto answer = lookups->answers.find(host);
    const std::string fault = answer == lookups->answers.end() ? "no answer in 5 s" : answer->second;
    if (!fault.empty()) {
      findings.push_back(
          {Severity::warning, "names", host + ": " + fault, "look at the name and at the resolver of this machine"});
    }
  }
}

// ---- all of it ----------------------------------------------------------------------------------------------------

using Check = void (*)(const Facts&, Findings&);
constexpr std::array checks = {check_version,  check_clock,        check_configuration, check_store,
                               check_disk,     check_descriptors,  check_names,         check_webhooks,
                               check_failures, check_certificates, check_oldest,        check_files};

constexpr std::array<std::string_view, 3> severity_names = {"fine", "warning", "critical"};
// fine, warning, critical
constexpr std::array<ExitCode, 3> severity_codes = {ExitCode::done, ExitCode::bulk_partial, ExitCode::failure};

Severity worst_of(const Findings& findings) {
  Severity worst = Severity::fine;
  for (const Finding& finding : findings) worst = std::max(worst, finding.severity);
  return worst;
}

Document document_of(const Findings& findings) {
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_array();
  for (const Finding& finding : findings) {
    json.begin_object().name("severity").string(severity_names[static_cast<std::size_t>(finding.severity)]);
    json.name("check").string(finding.check);
    json.name("finding").string(finding.finding).name("advice").string(finding.advice).end_object();
  }
  json.end_array();
  return *Document::parse(std::move(text));
}

// Of each webhook whose messages are being retried the newest of them, because its failure is the latest.
Result<std::deque<Session::Listed>> list_failing(Session& session, const std::vector<Json>& webhooks) {
  std::deque<Session::Listed> lists;  // items point into them: they must not move
  for (const Json& webhook : webhooks) {
    const bool is_waited_for = webhook["status"].text() == "active" && webhook["waiting"].number().value_or(0) > 0;
    if (!is_waited_for || !webhook.has("id") || lists.size() == failing_max) continue;
    auto found = session.list("/v1/messages?webhook=" + webhook["id"].text() + "&status=retrying", 1);
    if (!found) return found.error();
    lists.push_back(std::move(*found));
  }
  return lists;
}

std::optional<bool> kernel_keeps_clock() {
  timex clock{};
  return ::adjtimex(&clock) < 0 ? std::nullopt : std::optional((clock.status & STA_UNSYNC) == 0);
}

}  // namespace

Result<ExitCode> examine(Session& session, const Machine& machine) {
  client::Request request;
  request.target = "/v1/status";
  const auto status = session.exchange(request);
  if (!status) return status.error();
  const auto webhooks = session.list("/v1/webhooks", webhooks_max);
  if (!webhooks) return webhooks.error();
  const auto oldest = session.list("/v1/messages?status=created,retrying&order=asc", 1);
  if (!oldest) return oldest.error();
  const auto failing = list_failing(session, webhooks->items);
  if (!failing) return failing.error();
  request.target = "/metrics";
  const auto metrics = session.connection().request(request);
  if (!metrics) return metrics.error();

  Facts facts;
  facts.status = status->document.root();
  facts.webhooks = webhooks->items;
  facts.oldest = oldest->items.empty() ? Json() : oldest->items.front();
  for (const Session::Listed& list : *failing)
    facts.failing.insert(facts.failing.end(), list.items.begin(), list.items.end());
  facts.metrics = metrics->head.status == 200 ? metrics->body : "";
  facts.version = status->head.header("webhookd-version").value_or("");
  const std::string& socket = session.settings().socket_path;
  facts.socket = socket.find("://") == std::string::npos ? socket : "";
  facts.now = std::chrono::floor<base::Duration>(std::chrono::system_clock::now());
  facts.clock_is_synchronised = machine.clock_is_synchronised();

  Findings findings;
  for (const Check check : checks) check(facts, findings);
  const Document document = document_of(findings);
  const auto printed = session.output().list(finding_view(), document.root().elements());
  if (!printed) return printed.error();
  if (findings.empty()) session.note("nothing is wrong");
  return severity_codes[static_cast<std::size_t>(worst_of(findings))];
}

Result<ExitCode> examine_daemon(Session& session, const Invocation&) { return examine(session, {kernel_keeps_clock}); }

}  // namespace webhookd::whctl
