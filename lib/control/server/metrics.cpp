#include "control/server/metrics.hpp"

#include <array>
#include <charconv>

namespace webhookd::server {

namespace {

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

}  // namespace

std::optional<std::uint64_t> unix_seconds(std::optional<base::Time> time) {
  if (!time) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(base::to_unix_seconds(*time), 0));
}

// The lines of one metric.
class MetricSamples {
 public:
  MetricSamples(std::string& out, std::string_view name) : out_(out), name_(name) {}

  void value(std::uint64_t value) { line("", "", std::to_string(value)); }
  void value(double value) { line("", "", number_text(value)); }
  void value(const std::optional<std::uint64_t>& known) {
    if (known) {
      value(*known);
    }
  }
  void labelled(std::string_view label, std::string_view word, std::uint64_t value) {
    line("", std::string(label) + "=\"" + std::string(word) + '"', std::to_string(value));
  }
  // A histogram whose unit is 1/`per_second` of a second, in seconds.
  template <std::size_t N>
  void histogram(const base::Histogram<N>& histogram, double per_second) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < N; ++i) {
      below += histogram.counts()[i];
      const std::string bound = number_text(static_cast<double>(histogram.bounds()[i]) / per_second);
      line("_bucket", "le=\"" + bound + '"', std::to_string(below));
    }
    line("_bucket", "le=\"+Inf\"", std::to_string(histogram.count()));
    line("_sum", "", number_text(static_cast<double>(histogram.sum()) / per_second));
    line("_count", "", std::to_string(histogram.count()));
  }

 private:
  void line(std::string_view suffix, const std::string& labels, const std::string& value) {
    out_.append(name_).append(suffix);
    if (!labels.empty()) {
      out_.append("{").append(labels).append("}");
    }
    out_.append(" ").append(value).append("\n");
  }

  std::string& out_;
  std::string_view name_;
};

namespace {

using Samples = MetricSamples;
using Figures = MetricFigures;
using Kind = MetricKind;

constexpr double milliseconds = 1000;
constexpr double microseconds = 1'000'000;

void write_outcomes(Samples& samples, const Figures& figures) {
  for (std::size_t i = 0; i < figures.engine.outcomes.size(); ++i) {
    samples.labelled("outcome", domain::to_string(static_cast<domain::OutcomeKind>(i)), figures.engine.outcomes[i]);
  }
}

void write_mismatches(Samples& samples, const Figures& figures) {
  samples.labelled("result", "accepted", figures.mismatches_accepted);
  samples.labelled("result", "refused", figures.mismatches_refused);
}

constexpr std::array table = {
    Metric{"webhookd_build_info", Kind::gauge, "Always 1; the label says which version runs.", "version",
           [](Samples& s, const Figures&) { s.labelled("version", WEBHOOKD_VERSION, 1); }},
    Metric{"webhookd_events_accepted_total", Kind::counter, "Events accepted, durable on disk, since the start.", "",
           [](Samples& s, const Figures& f) { s.value(f.engine.accepted); }},
    Metric{"webhookd_events_schema_mismatches_total", Kind::counter,
           "Events, since the start, whose data did not match the schema of their type.",
           "result: accepted (events.schema is warn), refused (it is enforce)", write_mismatches},
    Metric{"webhookd_attempts_total", Kind::counter, "HTTP requests made for messages, by how they ended.",
           "outcome: success, status (an answer other than 2xx), timeout, connect, dns, tls, reset, protocol, denied, "
           "aborted, interrupted",
           write_outcomes},
    Metric{"webhookd_attempt_duration_seconds", Kind::histogram,
           "How long attempts took, from resolving the name to the outcome.", "",
           [](Samples& s, const Figures& f) { s.histogram(f.engine.delivery_time, milliseconds); }},
    Metric{"webhookd_queue_age_seconds", Kind::histogram,
           "How long messages that were due waited until their attempt started.", "",
           [](Samples& s, const Figures& f) { s.histogram(f.engine.queue_age, milliseconds); }},
    Metric{"webhookd_shortages_total", Kind::counter,
           "Attempts put off because this machine was short of descriptors, memory or ports.", "",
           [](Samples& s, const Figures& f) { s.value(f.engine.shortages); }},
    Metric{"webhookd_attempts_in_flight", Kind::gauge, "Requests under way now.", "",
           [](Samples& s, const Figures& f) { s.value(f.engine.in_flight); }},
    Metric{"webhookd_attempts_unsettled", Kind::gauge, "Attempts that ended and whose outcome is being written.", "",
           [](Samples& s, const Figures& f) { s.value(f.engine.unsettled); }},
    Metric{"webhookd_messages_ready", Kind::gauge, "Messages in memory that are due and wait for their turn.", "",
           [](Samples& s, const Figures& f) { s.value(f.engine.ready); }},
    Metric{"webhookd_messages_waiting", Kind::gauge, "Messages that are neither delivered nor failed nor cancelled.",
           "", [](Samples& s, const Figures& f) { s.value(f.store.waiting); }},
    Metric{"webhookd_messages_stored", Kind::gauge, "Messages in the store, settled ones among them.", "",
           [](Samples& s, const Figures& f) { s.value(f.store.messages); }},
    Metric{"webhookd_events_stored", Kind::gauge, "Events in the store.", "",
           [](Samples& s, const Figures& f) { s.value(f.store.events); }},
    Metric{"webhookd_webhooks", Kind::gauge, "Webhooks, inactive ones among them.", "",
           [](Samples& s, const Figures& f) { s.value(f.lanes.webhooks); }},
    Metric{"webhookd_webhooks_inactive", Kind::gauge, "Webhooks that are inactive: what waits for them is held.", "",
           [](Samples& s, const Figures& f) { s.value(f.lanes.inactive); }},
    Metric{"webhookd_endpoints_down", Kind::gauge, "Webhooks whose endpoint is down: only probes are sent.", "",
           [](Samples& s, const Figures& f) { s.value(f.lanes.down); }},
    Metric{"webhookd_endpoints_throttled", Kind::gauge, "Webhooks whose endpoint asked to be left alone for a while.",
           "", [](Samples& s, const Figures& f) { s.value(f.lanes.throttled); }},
    Metric{"webhookd_endpoint_certificates_earliest_expiry_timestamp_seconds", Kind::gauge,
           "When the first of the receivers' TLS certificates seen since the start expires.", "",
           [](Samples& s, const Figures& f) { s.value(unix_seconds(f.lanes.certificate_expires_at)); }},
    Metric{"webhookd_store_used_bytes", Kind::gauge, "Room taken in the store.", "",
           [](Samples& s, const Figures& f) { s.value(f.store.used_bytes); }},
    Metric{"webhookd_store_quota_bytes", Kind::gauge, "Room that the store may take (store.quota).", "",
           [](Samples& s, const Figures& f) { s.value(f.store.quota_bytes); }},
    Metric{"webhookd_store_disk_free_bytes", Kind::gauge, "Room that the file system has left for the store.", "",
           [](Samples& s, const Figures& f) { s.value(f.store.disk_free_bytes); }},
    Metric{"webhookd_store_full", Kind::gauge, "1 while new events are refused for want of room, else 0.", "",
           [](Samples& s, const Figures& f) { s.value(std::uint64_t{f.store.full}); }},
    Metric{"webhookd_store_commit_duration_seconds", Kind::histogram, "How long commits took until they were durable.",
           "", [](Samples& s, const Figures& f) { s.histogram(f.store.commit_time, microseconds); }},
    Metric{"webhookd_store_damaged_records_total", Kind::counter,
           "Records found on disk, since the start, that are not what was written.", "",
           [](Samples& s, const Figures& f) { s.value(f.store.damaged_records); }},
    Metric{"webhookd_control_sessions", Kind::gauge, "Connections to the socket.", "",
           [](Samples& s, const Figures& f) { s.value(f.sessions); }},
    Metric{"process_cpu_seconds_total", Kind::counter, "Processor time, of the user and of the system.", "",
           [](Samples& s, const Figures& f) { s.value(f.process.cpu_seconds); }},
    Metric{"process_resident_memory_bytes", Kind::gauge, "Memory in use.", "",
           [](Samples& s, const Figures& f) { s.value(f.process.resident_bytes); }},
    Metric{"process_open_fds", Kind::gauge, "Open file descriptors.", "",
           [](Samples& s, const Figures& f) { s.value(f.process.open_descriptors); }},
    Metric{"process_max_fds", Kind::gauge, "File descriptors that may be open.", "",
           [](Samples& s, const Figures& f) { s.value(f.process.descriptors_max); }},
};

constexpr std::array<std::string_view, 3> kind_names = {"counter", "gauge", "histogram"};

}  // namespace

std::span<const Metric> metrics() { return table; }

std::string_view to_string(MetricKind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

std::string metrics_text(const MetricFigures& figures) {
  std::string out;
  for (const Metric& metric : table) {
    out.append("# HELP ").append(metric.name).append(" ").append(metric.help).append("\n");
    out.append("# TYPE ").append(metric.name).append(" ").append(to_string(metric.kind)).append("\n");
    MetricSamples samples(out, metric.name);
    metric.source(samples, figures);
  }
  return out;
}

}  // namespace webhookd::server
