// The top command: a live view on the terminal. It looks at the daemon every interval, draws (top_view.hpp), and does
// what a key says. The terminal is given back as it was on every way out: keys, Ctrl-C, SIGTERM, a failure.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "control/protocol/json_write.hpp"
#include "pager.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "stop_signals.hpp"
#include "top_view.hpp"
#include "values.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

using Steady = std::chrono::steady_clock;

constexpr base::Duration interval_default{1000};
constexpr base::Duration interval_min{100};
constexpr std::size_t history_max = 1000;
constexpr std::size_t endpoints_shown = 8;
constexpr std::size_t failures_shown = 10;
constexpr std::size_t webhooks_max = 1000;

// The other screen, no cursor, keys as they are pressed.
class TakenTerminal {
 public:
  TakenTerminal(int in, Channel& out) : in_(in), out_(out) {
    is_taken_ = ::tcgetattr(in_, &before_) == 0;
    take();
  }
  ~TakenTerminal() { give_back(); }
  TakenTerminal(const TakenTerminal&) = delete;
  TakenTerminal& operator=(const TakenTerminal&) = delete;

  void take() {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // ISIG stays: Ctrl-C is a signal
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (is_taken_) ::tcsetattr(in_, TCSANOW, &raw);
    out_.write("\x1b[?1049h\x1b[?25l");
    out_.flush();
  }
  void give_back() {
    out_.write("\x1b[?25h\x1b[?1049l");
    out_.flush();
    if (is_taken_) ::tcsetattr(in_, TCSANOW, &before_);
  }

 private:
  int in_;
  Channel& out_;
  bool is_taken_ = false;
  termios before_{};
};

std::uint64_t count_of(Json number) { return static_cast<std::uint64_t>(number.number().value_or(0)); }

class LiveView {
 public:
  explicit LiveView(Session& session) : session_(session), terminal_(session.console().in, session.console().out) {}

  Result<ExitCode> run(base::Duration interval, int stop) {
    for (;;) {
      if (!state_.is_stopped) {
        const auto looked = look();
        if (!looked && !has_looked_) return looked.error();
        has_looked_ = true;
      }
      draw();
      const auto end = Steady::now() + interval;
      while (Steady::now() < end) {
        std::array<pollfd, 2> entries{{{stop, POLLIN, 0}, {session_.console().in, POLLIN, 0}}};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now()).count();
        const int ready = ::poll(entries.data(), entries.size(), static_cast<int>(std::max<long long>(0, left)));
        if (ready < 0 && errno != EINTR) return failure(client::codes::io, "terminal", "cannot be watched");
        if (ready > 0 && entries[0].revents != 0) return ExitCode::interrupted;
        if (ready <= 0 || entries[1].revents == 0) continue;
        if (!take_keys()) return ExitCode::done;
        draw();
      }
    }
  }

 private:
  Result<void> look() {
    const auto status = session_.get("/v1/status");
    if (!status) {
      state_.words = status.error().why;
      return status.error();
    }
    const Json root = status->root();
    const Json engine = root["engine"];
    Counters now{count_of(engine["accepted"]), count_of(engine["successes"]), count_of(engine["failures"]),
                 count_of(root["store"]["waiting"]), count_of(engine["in_flight"])};
    const auto at = Steady::now();
    if (has_looked_) {
      state_.history.push_back(
          rates_between(state_.now, now, std::chrono::duration_cast<base::Duration>(at - looked_at_)));
      if (state_.history.size() > history_max) state_.history.pop_front();
    }
    looked_at_ = at;
    state_.now = now;
    state_.version = root["version"].text();
    state_.is_test_clock = root["test_clock"].truth();
    const auto seconds = static_cast<std::int64_t>(root["uptime_seconds"].number().value_or(0));
    state_.uptime = base::format_duration(std::chrono::seconds(std::max<std::int64_t>(1, seconds)));
    look_at_latency();
    look_at_endpoints();
    look_at_failures();
    return {};
  }

  void look_at_latency() {
    const auto stats = session_.get("/v1/stats?since=" + client::percent_encode(base::format_time(session_.now())));
    if (!stats) return;
    const Json delivery = stats->root()["delivery_ms"];
    state_.p50_ms = delivery["p50"].number().value_or(0);
    state_.p99_ms = delivery["p99"].number().value_or(0);
  }

  void look_at_endpoints() {
    const auto listed = session_.list("/v1/webhooks", webhooks_max);
    if (!listed) return;
    state_.endpoints.clear();
    for (const auto& webhook : listed->items) {
      TroubledEndpoint endpoint{webhook["display_name"].text(), webhook["health"].plain(), webhook["status"].text(),
                                count_of(webhook["waiting"])};
      const bool is_troubled = endpoint.waiting > 0 || (!endpoint.health.empty() && endpoint.health != "up");
      if (is_troubled) state_.endpoints.push_back(std::move(endpoint));
    }
    std::stable_sort(state_.endpoints.begin(), state_.endpoints.end(),
                     [](const auto& a, const auto& b) { return a.waiting > b.waiting; });
    if (state_.endpoints.size() > endpoints_shown) state_.endpoints.resize(endpoints_shown);
  }

  void look_at_failures() {
    const auto listed = session_.list("/v1/messages?status=failed,retrying", failures_shown);
    if (!listed) return;
    const std::string chosen = state_.chosen < state_.failures.size() ? state_.failures[state_.chosen].id : "";
    state_.failures.clear();
    state_.chosen = 0;
    for (const auto& message : listed->items) {
      state_.failures.push_back({message["id"].text(), message["webhook"].text(), message["type"].text(),
                                 message["status"].text(), message["failure"].plain()});
      if (state_.failures.back().id == chosen) state_.chosen = state_.failures.size() - 1;
    }
  }

  void draw() {
    const auto& options = session_.output().options();
    winsize size{};
    Screen screen{session_.console().width, session_.console().height, options.has_color, options.is_ascii};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
      screen = {size.ws_col, size.ws_row, options.has_color, options.is_ascii};
    std::string text = "\x1b[H";
    const auto lines = top_lines(state_, screen);
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i > 0 ? "\r\n" : "") + lines[i] + "\x1b[K";
    session_.console().out.write(text);
    session_.console().out.flush();
  }

  // ---- keys
  // ----------------------------------------------------------------------------------------------------------

  struct Key {
    std::string_view bytes;
    bool (LiveView::*press)();
  };
  static constexpr std::size_t keys_count = 11;
  static const std::array<Key, keys_count> keys;

  // False when the view is to end.
  bool take_keys() {
    std::array<char, 64> buffer{};
    const auto count = ::read(session_.console().in, buffer.data(), buffer.size());
    if (count == 0) return false;  // the terminal is gone
    std::string_view bytes(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!bytes.empty()) {
      const auto key =
          std::find_if(keys.begin(), keys.end(), [&](const Key& row) { return bytes.starts_with(row.bytes); });
      bytes.remove_prefix(key == keys.end() ? 1 : key->bytes.size());
      if (key != keys.end() && !(this->*key->press)()) return false;
    }
    return true;
  }

  bool leave() { return false; }
  bool pause() {
    state_.is_stopped = !state_.is_stopped;
    return true;
  }
  bool up() {
    if (state_.chosen > 0) --state_.chosen;
    return true;
  }
  bool down() {
    if (state_.chosen + 1 < state_.failures.size()) ++state_.chosen;
    return true;
  }
  bool retry() { return act("retry"); }
  bool cancel() { return act("cancel"); }

  bool act(std::string_view action) {
    if (state_.chosen >= state_.failures.size()) return true;
    const std::string id = state_.failures[state_.chosen].id;
    const auto done = session_.send("POST", path_to("messages", id, action), "{}");
    state_.words = done ? id + " is now " + done->root()["status"].text() : done.error().why;
    return true;
  }

  bool open() {
    if (state_.chosen >= state_.failures.size()) return true;
    const auto message = session_.get(path_to("messages", state_.failures[state_.chosen].id));
    if (!message) {
      state_.words = message.error().why;
      return true;
    }
    terminal_.give_back();
    const std::string text = safe_json(pretty_json(message->root().raw())) + "\n";
    const std::string pager = session_.settings().pager.empty() ? "less" : session_.settings().pager;
    if (Paged::missing == show_in_pager(pager, text)) state_.words = "no pager to show it in";
    terminal_.take();
    return true;
  }

  Session& session_;
  TakenTerminal terminal_;
  TopState state_;
  bool has_looked_ = false;
  Steady::time_point looked_at_{};
};

const std::array<LiveView::Key, LiveView::keys_count> LiveView::keys{{{"\x1b[A", &LiveView::up},
                                                                      {"\x1b[B", &LiveView::down},
                                                                      {"k", &LiveView::up},
                                                                      {"j", &LiveView::down},
                                                                      {"\n", &LiveView::open},
                                                                      {"\r", &LiveView::open},
                                                                      {"r", &LiveView::retry},
                                                                      {"c", &LiveView::cancel},
                                                                      {"p", &LiveView::pause},
                                                                      {" ", &LiveView::pause},
                                                                      {"q", &LiveView::leave}}};

}  // namespace

Result<ExitCode> watch_daemon(Session& session, const Invocation& invocation) {
  base::Duration interval = interval_default;
  if (invocation.has("interval")) {
    const auto given = duration_value(invocation, "interval");
    if (!given) return given.error();
    interval = std::max(interval_min, *given);
  }
  const bool has_terminal = session.console().in_is_terminal && session.console().out_is_terminal;
  if (!has_terminal || !session.output().is_table()) return show_status(session, invocation);
  const StopSignals stop;
  if (stop.descriptor() < 0) return failure(client::codes::io, "signals", "cannot be watched");
  LiveView view(session);
  return view.run(interval, stop.descriptor());
}

}  // namespace webhookd::whctl
