#include "bench/rows.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench/daemon.hpp"
#include "bench/load.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr std::size_t body_bytes = 512;
constexpr unsigned batch_lines = 100;
constexpr unsigned connections_out = 64;
constexpr const char* event_type = "bench.event";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A directory that is gone with its owner.
class Place {
 public:
  Place(const Bench& bench, const std::string& name) : path_(bench.directory + "/" + name) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Place() {
    std::error_code ignored;  // a leftover is removed by the next run
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string event_json(const std::string& type) {
  return R"({"type":")" + type + R"(","data":{"pad":")" + std::string(body_bytes - 10, 'x') + R"("}})";
}

std::string single_event(const std::string& type) {
  return http_request("POST", "/v1/events", "application/json", event_json(type));
}

std::string batch_request(const std::vector<std::string>& types) {
  std::string lines;
  for (const std::string& type : types) {
    lines += event_json(type) + "\n";
  }
  return http_request("POST", "/v1/events", "application/x-ndjson", lines);
}

std::string uniform_batch(const std::string& type, unsigned lines) {
  return batch_request(std::vector<std::string>(lines, type));
}

Load load_of(const Daemon& daemon, unsigned connections, std::vector<std::string> requests, double seconds) {
  Load load;
  load.socket = daemon.socket();
  load.connections = connections;
  load.requests = std::move(requests);
  load.seconds = seconds;
  return load;
}

void add_type(const Daemon& daemon, const std::string& name) {
  daemon.call("POST", "/v1/types", json{{"name", name}, {"description", "made by the bench"}}.dump());
}

// ---- ceilings -------------------------------------------------------------------------------------------------------

double commits_per_second(const Bench& bench, unsigned batch) {
  const Place place(bench, "l");
  return run_ceiling(
             {bench.programs + "/ceiling_commits", place.path(), std::to_string(batch), std::to_string(bench.seconds)})
      .rate();
}

double echoes_per_second(const Bench& bench, unsigned connections) {
  const Place place(bench, "h");
  Process echo({bench.programs + "/ceiling_echo", place.path() + "/socket"});
  echo.read_line();
  Load load;
  load.socket = place.path() + "/socket";
  load.connections = connections;
  load.requests = {single_event(event_type)};
  load.seconds = bench.seconds;
  return drive(load).rate();
}

double posts_per_second(const Bench& bench) {
  return run_ceiling({bench.programs + "/ceiling_posts", std::to_string(bench.receiver_port),
                      std::to_string(connections_out), std::to_string(bench.seconds)})
      .rate();
}

// ---- accept ---------------------------------------------------------------------------------------------------------

// Deliveries are held by a receiver that does not answer and a window of one.
struct Accepting {
  Place place;
  Daemon daemon;
  explicit Accepting(const Bench& bench) : place(bench, "a"), daemon(place.path()) {
    bench.board->release_held = 0;
    add_type(daemon, event_type);
    daemon.create_webhook("held", bench.receiver_url + "/hold", event_type, 1);
  }
};

// Rate of events and CPU of each.
Measured accept_events(const Bench& bench, unsigned connections, const std::string& request, unsigned events_each) {
  const Accepting subject(bench);
  const double cpu_before = subject.daemon.cpu_microseconds();
  const LoadResult result = drive(load_of(subject.daemon, connections, {request}, bench.seconds));
  return {static_cast<double>(result.requests) * events_each, result.seconds,
          subject.daemon.cpu_microseconds() - cpu_before};
}

Line line_of(std::string name, std::string reference, double ceiling, const Measured& ours, std::string unit,
             double goal) {
  return {std::move(name), std::move(reference), ceiling, ours.rate(), std::move(unit), goal, false, ours.cpu_each()};
}

std::vector<Line> measure_accept(const Bench& bench) {
  struct Size {
    unsigned producers;
    bool http_may_limit;
    double goal;
  };
  constexpr Size sizes[] = {{1, false, 0.70}, {16, true, 0.60}, {256, true, 0.50}};
  std::vector<Line> lines;
  for (const auto& [producers, http_may_limit, goal] : sizes) {
    const std::string count = std::to_string(producers);
    double ceiling = commits_per_second(bench, producers);
    std::string reference = "L, " + count + " a commit";
    if (const double echoes = http_may_limit ? echoes_per_second(bench, producers) : ceiling; echoes < ceiling) {
      ceiling = echoes;
      reference = "H, " + count + " connections";
    }
    const Measured ours = accept_events(bench, producers, single_event(event_type), 1);
    lines.push_back(line_of("accept, " + count + " producers", reference, ceiling, ours, "events/s", goal));
  }
  const double ceiling = commits_per_second(bench, 1024);
  const Measured ours = accept_events(bench, 16, uniform_batch(event_type, batch_lines), batch_lines);
  lines.push_back(line_of("accept, batches of 100", "L, 1024 a commit", ceiling, ours, "events/s", 0.60));
  return lines;
}

// ---- delivery -------------------------------------------------------------------------------------------------------

// Messages are made while the receiver holds the first of each webhook; then all webhooks are deactivated, the held
// requests released, and the clock starts with the activation.
Measured deliver_queue(const Bench& bench, unsigned webhooks) {
  bench.board->release_held = 0;
  const Place place(bench, "d");
  const Daemon daemon(place.path());
  add_type(daemon, event_type);
  std::vector<std::string> ids;
  for (unsigned i = 0; i < webhooks; ++i) {
    ids.push_back(daemon.create_webhook("w" + std::to_string(i), bench.receiver_url + "/hold", event_type, 1));
  }
  Load load = load_of(daemon, 4, {uniform_batch(event_type, batch_lines)}, 0);
  load.count = std::max(1U, bench.queue / webhooks / batch_lines);
  drive(load);
  for (const std::string& id : ids) {
    daemon.call("POST", "/v1/webhooks/" + id + "/deactivate");
    daemon.call("PATCH", "/v1/webhooks/" + id,
                json{{"url", bench.receiver_url + "/ok"}, {"max_in_flight", connections_out}}.dump());
  }
  const std::uint64_t queued = std::uint64_t{load.count} * batch_lines * webhooks;
  const std::uint64_t held = daemon.status().at("engine").at("in_flight").get<std::uint64_t>();
  bench.board->release_held = 1;
  daemon.wait_until_waiting(queued - held);
  const double cpu_before = daemon.cpu_microseconds();
  const auto start = Clock::now();
  for (const std::string& id : ids) {
    daemon.call("POST", "/v1/webhooks/" + id + "/activate");
  }
  daemon.wait_until_waiting(0);
  return {static_cast<double>(queued - held), seconds_since(start), daemon.cpu_microseconds() - cpu_before};
}

constexpr double delivery_cpu_goal = 25;  // microseconds

std::vector<Line> measure_delivery(const Bench& bench) {
  std::vector<Line> lines;
  for (const unsigned webhooks : {1U, 10U, 100U}) {
    const std::string name = "delivery, " + std::to_string(webhooks) + (webhooks == 1 ? " webhook" : " webhooks");
    const double ceiling = posts_per_second(bench);
    const Measured ours = deliver_queue(bench, webhooks);
    lines.push_back(line_of(name, "P, 64 connections", ceiling, ours, "deliveries/s", 0.50));
    lines.push_back({name + ", CPU", "25 us", delivery_cpu_goal, ours.cpu_each(), "us/delivery", 1, true, 0});
  }
  return lines;
}

// ---- end to end -----------------------------------------------------------------------------------------------------

std::vector<Line> measure_end_to_end(const Bench& bench) {
  const double ceiling = posts_per_second(bench);
  const Place place(bench, "e");
  const Daemon daemon(place.path());
  add_type(daemon, event_type);
  daemon.create_webhook("ok", bench.receiver_url + "/ok", event_type, connections_out);
  const double cpu_before = daemon.cpu_microseconds();
  const auto start = Clock::now();
  const LoadResult emitted = drive(load_of(daemon, 4, {uniform_batch(event_type, batch_lines)}, bench.seconds));
  daemon.wait_until_waiting(0);
  const Measured ours{static_cast<double>(emitted.requests * batch_lines), seconds_since(start),
                      daemon.cpu_microseconds() - cpu_before};
  return {line_of("end to end", "P, 64 connections", ceiling, ours, "events/s", 0.40)};
}

// ---- growth ---------------------------------------------------------------------------------------------------------

constexpr unsigned growth_webhooks = 1000;
constexpr unsigned growth_samples = 5;
constexpr std::uint64_t growth_sample_events = 4000;

std::string growth_type(unsigned webhook) { return "bench.w" + std::to_string(webhook); }

// A store of messages over 1000 webhooks whose due times are spread over a day, because each was tried once and told to
// come back later.
class Growing {
 public:
  explicit Growing(const Bench& bench) : place_(bench, "g"), daemon_(place_.path()) {
    for (unsigned i = 0; i < growth_webhooks; ++i) {
      add_type(daemon_, growth_type(i));
      daemon_.create_webhook("w" + std::to_string(i), bench.receiver_url + "/later", growth_type(i), 16);
    }
    for (int i = 0; i < 64; ++i) {
      std::vector<std::string> types;
      for (unsigned line = 0; line < batch_lines; ++line) {
        types.push_back(growth_type(static_cast<unsigned>(random_() % growth_webhooks)));
      }
      batches_.push_back(batch_request(types));
    }
    for (int i = 0; i < 1024; ++i) {
      singles_.push_back(single_event(growth_type(static_cast<unsigned>(random_() % growth_webhooks))));
    }
  }

  void fill_to(std::uint64_t messages) {
    const auto stored = daemon_.status().at("store").at("messages").get<std::uint64_t>();
    if (stored < messages) {
      Load load = load_of(daemon_, 2, batches_, 0);
      load.count = (messages - stored + batch_lines - 1) / batch_lines;
      drive(load);
    }
    wait_until_tried();
  }

  const Daemon& daemon() const { return daemon_; }

  struct Sample {
    double cpu_each;
    double commit_p50;
    double used_bytes;
    double messages;
  };

  // Accept, first attempt and settlement of events for random webhooks.
  Sample sample() {
    std::vector<double> cpu;
    std::vector<double> p50;
    for (unsigned i = 0; i < growth_samples; ++i) {
      const double before = daemon_.cpu_microseconds();
      Load load = load_of(daemon_, 16, singles_, 0);
      load.count = growth_sample_events;
      p50.push_back(drive(load).p50_microseconds);
      wait_until_tried();
      cpu.push_back((daemon_.cpu_microseconds() - before) / static_cast<double>(growth_sample_events));
    }
    const json store = daemon_.status().at("store");
    return {median(cpu), median(p50), store.at("used_bytes").get<double>(), store.at("messages").get<double>()};
  }

 private:
  // Until every message was tried once: as many failed attempts as messages. A poll a tick, so that it costs nothing.
  void wait_until_tried() {
    const auto deadline = Clock::now() + 600s;
    for (;;) {
      const json status = daemon_.status();
      const json& engine = status.at("engine");
      if (engine.at("failures").get<std::uint64_t>() >= status.at("store").at("messages").get<std::uint64_t>() &&
          engine.at("in_flight") == 0 && engine.at("unsettled") == 0) {
        return;
      }
      if (Clock::now() > deadline) {
        throw std::runtime_error("the first attempts did not end: " + status.dump());
      }
      std::this_thread::sleep_for(20ms);
    }
  }

  Place place_;
  Daemon daemon_;
  std::mt19937 random_{7};
  std::vector<std::string> batches_;
  std::vector<std::string> singles_;
};

constexpr double record_bytes_goal = 300;

std::vector<Line> measure_growth(const Bench& bench) {
  Growing store(bench);
  constexpr unsigned smallest = 10'000;
  store.fill_to(smallest);
  const Growing::Sample first = store.sample();
  std::vector<Line> lines;
  for (unsigned size = smallest * 10; size <= bench.growth; size *= 10) {
    store.fill_to(size);
    const Growing::Sample now = store.sample();
    const std::string name = "growth, " + std::to_string(size) + " stored";
    lines.push_back({name + ", CPU", "at 10000", first.cpu_each, now.cpu_each, "us/event", 1.5, true, now.cpu_each});
    lines.push_back({name + ", commit p50", "at 10000", first.commit_p50, now.commit_p50, "us", 1.5, true, 0});
    const double bytes_each = (now.used_bytes - first.used_bytes) / (now.messages - first.messages);
    lines.push_back(
        {name + ", on disk", "body + 300 B", body_bytes + record_bytes_goal, bytes_each, "B/message", 1, true, 0});
  }
  return lines;
}

// ---- tool -----------------------------------------------------------------------------------------------------------

constexpr unsigned tool_runs = 60;
constexpr double tool_start_goal = 5000;  // microseconds above X
constexpr double tool_slowest_goal = 20'000;

struct ToolCommand {
  std::string name;
  std::vector<std::string> words;
  std::vector<double> took = {};
  double quantile(double share) {
    std::sort(took.begin(), took.end());
    return took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))];
  }
};

// The commands in turn, X between them; X is the last of them.
std::vector<ToolCommand> time_tool(const Bench& bench, const Growing& store) {
  const Place place(bench, "x");
  Process echo({bench.programs + "/ceiling_echo", place.path() + "/socket"});
  echo.read_line();
  const std::string message = store.daemon().call("GET", "/v1/messages?limit=1").at("items").at(0).at("id");
  const std::string socket = store.daemon().socket();
  std::vector<ToolCommand> commands = {
      {"list", {BENCH_WHCTL, "--socket", socket, "list"}},
      {"logs", {BENCH_WHCTL, "--socket", socket, "logs"}},
      {"show", {BENCH_WHCTL, "--socket", socket, "show", message}},
      {"status", {BENCH_WHCTL, "--socket", socket, "status"}},
      {"completion", {BENCH_WHCTL, "__complete", "--socket", socket, "show", "w"}},
  };
  commands.push_back({"X", {bench.programs + "/ceiling_start", place.path() + "/socket"}});
  for (unsigned run = 0; run < tool_runs; ++run) {
    for (ToolCommand& command : commands) {
      command.took.push_back(first_byte_microseconds(command.words));
    }
  }
  return commands;
}

std::vector<Line> measure_tool(const Bench& bench) {
  Growing store(bench);
  std::vector<Line> lines;
  std::vector<double> at_first;
  constexpr unsigned smallest = 10'000;
  for (unsigned size = smallest; size <= std::max(bench.growth, smallest); size *= 10) {
    store.fill_to(size);
    std::vector<ToolCommand> commands = time_tool(bench, store);
    const double x = commands.back().quantile(0.5);
    commands.pop_back();
    for (std::size_t i = 0; i < commands.size(); ++i) {
      const std::string name = commands[i].name + ", " + std::to_string(size);
      const double p50 = commands[i].quantile(0.5);
      lines.push_back({name + ", p50", "X + 5 ms", x + tool_start_goal, p50, "us", 1, true, 0});
      lines.push_back({name + ", p99", "20 ms", tool_slowest_goal, commands[i].quantile(0.99), "us", 1, true, 0});
      if (size > smallest) {
        lines.push_back({name + ", growth", "at 10000", at_first[i], p50, "us", 1.5, true, 0});
      } else {
        at_first.push_back(p50);
      }
    }
  }
  return lines;
}

}  // namespace

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"accept", "events made durable, deliveries held", false, measure_accept},
      {"delivery", "a queue sent to 1, 10, 100 webhooks", false, measure_delivery},
      {"end-to-end", "emit, commit, deliver, outcome committed", false, measure_end_to_end},
      {"growth", "the same work on a larger store", true, measure_growth},
      {"tool", "whctl to its first byte, on stores of each size", true, measure_tool},
  };
  return table;
}

}  // namespace bench
