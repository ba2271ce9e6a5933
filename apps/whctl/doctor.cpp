// doctor: what is wrong with a daemon, or soon will be, each finding with what to do. Checks are a table; each looks at
// facts that were gathered once. Only reads; a daemon that does not answer is a failure like with any command.
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <chrono>
#include <condition_variable>
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
  Json oldest;  // the message that has waited longest; null when none waits
  std::string metrics;
  std::string version;  // of the daemon
  std::string socket;   // a path on this machine, or empty
  base::Time now{};     // ours
};

using Findings = std::vector<Finding>;

constexpr double nearly_full = 0.8;
constexpr base::Duration clock_tolerance = 5s;
constexpr base::Duration long_wait = 24h;
constexpr base::Duration certificate_notice = 14 * 24h;
constexpr double mebibyte = 1024 * 1024;
constexpr std::size_t webhooks_max = 10'000;
constexpr std::size_t lookups_max = 64;
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
}

void check_store(const Facts& facts, Findings& findings) {
  const Json store = facts.status["store"];
  if (store["damaged_records"].number().value_or(0) > 0) {
    findings.push_back({Severity::critical, "store", store["damaged_records"].plain() + " damaged records were found",
                        "look at the disk, and restore a backup on another one"});
  }
  const double quota = store["quota_bytes"].number().value_or(0);
  const double share = quota > 0 ? store["used_bytes"].number().value_or(0) / quota : 0;
  if (store["full"].truth()) {
    findings.push_back({Severity::critical, "store", "new events are refused for want of room",
                        "raise store.quota or free the disk; cancel what nobody wants any more"});
  } else if (share > nearly_full) {
    findings.push_back({Severity::warning, "store", percent(share) + " of the quota is taken",
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
  if (metric(facts, "webhookd_shortages_total").value_or(0) > 0) {
    findings.push_back({Severity::warning, "descriptors",
                        "attempts were put off for want of descriptors, memory or ports",
                        "see the record `shortage` in the log, and the limits of the unit"});
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

// What may be looked at is looked at: whom the directory keeps out is no danger to it.
void check_files(const Facts& facts, Findings& findings) {
  const std::string directory = facts.status["store"]["directory"].text();
  if (facts.socket.empty() || directory.empty()) return;
  std::vector<std::string> paths{directory};
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) paths.push_back(entry.path());
  for (const std::string& path : paths) {
    struct stat file {};
    if (::stat(path.c_str(), &file) == 0 && (file.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
      findings.push_back({Severity::warning, "permissions",
                          "others than its owner may read or write " + safe_line(path),
                          "chmod g-w,o= it: the signing secrets and the payloads are in it"});
    }
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
constexpr std::array checks = {check_version, check_clock,    check_store,        check_disk,   check_descriptors,
                               check_names,   check_webhooks, check_certificates, check_oldest, check_files};

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

}  // namespace

Result<ExitCode> examine_daemon(Session& session, const Invocation&) {
  client::Request request;
  request.target = "/v1/status";
  const auto status = session.exchange(request);
  if (!status) return status.error();
  const auto webhooks = session.list("/v1/webhooks", webhooks_max);
  if (!webhooks) return webhooks.error();
  const auto oldest = session.list("/v1/messages?status=created,retrying&order=asc", 1);
  if (!oldest) return oldest.error();
  request.target = "/metrics";
  const auto metrics = session.connection().request(request);
  if (!metrics) return metrics.error();

  Facts facts;
  facts.status = status->document.root();
  facts.webhooks = webhooks->items;
  facts.oldest = oldest->items.empty() ? Json() : oldest->items.front();
  facts.metrics = metrics->head.status == 200 ? metrics->body : "";
  facts.version = status->head.header("webhookd-version").value_or("");
  const std::string& socket = session.settings().socket_path;
  facts.socket = socket.find("://") == std::string::npos ? socket : "";
  facts.now = std::chrono::floor<base::Duration>(std::chrono::system_clock::now());

  Findings findings;
  for (const Check check : checks) check(facts, findings);
  const Document document = document_of(findings);
  const auto printed = session.output().list(finding_view(), document.root().elements());
  if (!printed) return printed.error();
  if (findings.empty()) session.note("nothing is wrong");
  return severity_codes[static_cast<std::size_t>(worst_of(findings))];
}

}  // namespace webhookd::whctl
