// What the programs read besides the API: the daemon's configuration; documents of webhooks, answers to show and the
// requests that `whctl listen` receives.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "domain/limits.hpp"
#include "fuzz/targets.hpp"
#include "webhookd/settings.hpp"
#include "whctl/http_text.hpp"
#include "whctl/json.hpp"
#include "whctl/manifest.hpp"
#include "whctl/safe_text.hpp"
#include "whctl/text_width.hpp"
#include "whctl/toml_text.hpp"
#include "whctl/yaml.hpp"

namespace webhookd::fuzz {

namespace {

using base::check;

// A file in memory: the configuration is read by its path.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("configuration", MFD_CLOEXEC)) {
    check(descriptor_ >= 0, "there is memory for a file");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  void write(std::string_view text) const {
    const bool is_written = ftruncate(descriptor_, 0) == 0 &&
                            pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    check(is_written, "a file in memory takes what is written");
  }

 private:
  int descriptor_;
};

void run_settings(std::string_view input) {
  static const MemoryFile file;
  file.write(input);
  daemon::Settings settings = daemon::default_settings();
  if (const auto read = daemon::read_settings(file.path(), settings); !read) {
    const std::string& detail = read.error().detail;
    check(detail.starts_with(file.path() + ":"), "a refusal names the file");
    const auto line = std::string_view(detail).substr(file.path().size() + 1);
    const bool names_line = !line.empty() && base::is_digit(line.front());
    check(names_line || line == std::string(" ") + base::TomlStumble().what(), "a refusal names the line");
    return;
  }
  file.write(daemon::print_settings(settings));
  daemon::Settings again = daemon::default_settings();
  const auto read = daemon::read_settings(file.path(), again);
  check(read.has_value(), "settings that are printed are accepted again");
  check(daemon::differences(settings, again).empty(), "settings that are printed read back the same");
}

// Of a text for a terminal: nothing that could steer it, and nothing that is no text.
void check_is_safe(std::string_view text, bool may_have_lines) {
  check(base::is_valid_utf8(text), "what is printed is UTF-8");
  std::string rest(text);
  if (may_have_lines) {
    rest.erase(std::remove_if(rest.begin(), rest.end(), [](char c) { return c == '\n' || c == '\t'; }), rest.end());
  }
  check(!base::has_control_characters(rest), "what is printed has no controls");
}

void run_terminal_text(std::string_view input) {
  const std::string line = whctl::safe_line(input);
  check_is_safe(line, false);
  check_is_safe(whctl::safe_block(input), true);
  const std::string ascii = whctl::ascii_text(line);
  check(std::all_of(ascii.begin(), ascii.end(), [](char c) { return c >= 0x20 && c < 0x7f; }), "ASCII is ASCII");
  const std::size_t width = 1 + choice_of(input) % 20;
  const std::string cut = whctl::cut_to_width(line, width);
  check(whctl::display_width(cut) <= width, "a text is cut to its width");
  check(base::is_valid_utf8(cut), "no character is cut in two");
}

void run_shown_json(std::string_view input) {
  const auto document = whctl::Document::parse(std::string(input));
  if (!document) {
    return;
  }
  const std::string compact = whctl::compact_json(document->text());
  const std::string pretty = whctl::pretty_json(document->text());
  check(whctl::compact_json(compact) == compact, "compact JSON is a fixed point");
  check(whctl::compact_json(pretty) == compact, "pretty JSON has the same tokens");
  check(protocol::check_json(pretty, whctl::answer_depth).has_value(), "pretty JSON is JSON");
  check_is_safe(whctl::yaml_of(document->text()), true);
  const std::string safe = whctl::safe_json(compact);
  check_is_safe(safe, true);
  check(protocol::check_json(safe, whctl::answer_depth).has_value(), "safe JSON is JSON");
  const std::string ascii = whctl::ascii_json(safe);
  check(protocol::check_json(ascii, whctl::answer_depth).has_value(), "JSON in ASCII is JSON");
  if (document->root().is_object()) {
    const std::string replaced = whctl::with_value_at(document->text(), "a.b", "1");
    check(protocol::check_json(replaced, whctl::answer_depth + 2).has_value(), "JSON with a value replaced is JSON");
  }
}

void run_toml(std::string_view input) {
  const auto json = whctl::json_of_toml(input, "file");
  if (!json) {
    check(!json.error().why.empty(), "a refusal has words");
    return;
  }
  const auto checked = protocol::check_json(*json, whctl::answer_depth);
  if (!checked) {
    check(checked.error().detail.find("nesting") != std::string::npos, "TOML is read as JSON");
    return;
  }
  const auto document = whctl::Document::parse(*json);
  const auto again = whctl::json_of_toml(whctl::toml_members(document->root()), "file");
  check(again.has_value(), "TOML that is written is accepted again");
}

// Files that it names are not there.
void run_manifest(std::string_view input) {
  const auto manifest = whctl::read_manifest(input, "file", "/nonexistent");
  if (!manifest) {
    check(!manifest.error().why.empty(), "a refusal has words");
    return;
  }
  for (const auto* declared : {&manifest->webhooks, &manifest->types}) {
    for (const whctl::Declared& one : *declared) {
      const auto document = whctl::Document::parse(one.members);
      check(document && document->root().is_object(), "members are a JSON object");
    }
  }
}

void run_received(std::string_view input) {
  whctl::HttpAnswer answer;
  const auto state = whctl::read_answer(input, true, false, answer);
  if (state == whctl::AnswerState::complete) {
    check(answer.body.size() <= whctl::http_body_bytes_max, "a body is bounded");
    answer.headers = whctl::end_to_end(answer.headers);
    whctl::HttpAnswer again;
    const auto state_again = whctl::read_answer(whctl::text_of_answer(answer, true), false, false, again);
    const bool has_body = answer.status != 204 && answer.status != 304;
    check(!has_body || (state_again == whctl::AnswerState::complete && again.body == answer.body),
          "an answer that is handed on reads back the same");
  }
  std::string body;
  if (const auto taken = whctl::read_chunks(input, body)) {
    check(*taken <= input.size() && body.size() <= input.size(), "chunks are a part of what came");
  }
}

}  // namespace

std::vector<Target> program_targets() {
  const std::string webhook_toml =
      "[[webhook]]\ndisplay_name = \"shop\"\nurl = \"https://shop.example/hook\"\nevents = [\"a.b\"]\ntimeout = "
      "\"15s\"\n"
      "rate = \"10/s\"\nheaders = { X-One = \"1\" }\n\n[webhook.retry]\ninitial = \"5s\"\n\n"
      "[[type]]\nname = \"a.b\"\nschema = '''{\"type\":\"object\"}'''\n";
  return {
      {"settings",
       run_settings,
       {daemon::packaged_configuration(), daemon::print_settings(daemon::default_settings()),
        "[delivery]\ntimeout = \"3s\"\nthreads = 2\n[egress]\nallow = [\"10.0.0.0/8\", 7]\nresolver.ttl = '1m'\n",
        "retry.factor = 1e0\nlog.level = \"\"\"debug\"\"\"\naccess.read = [\"a\\u00e9\\n\\u0001\"]\n", "a = 1\na = 2\n",
        "x = 1979-05-27T07:32:00Z\ny = [[[]]]\nz = { a.b = 0x1f }\n"}},
      {"terminal_text",
       run_terminal_text,
       {"plain", "\x1b[31mred\x9b", "caf\u00e9 \u202e\u200b\ufeff", "\xf0\x9f\x98\x80\u0301",
        "\xc2\x85\xe2\x80\xa8\xff", "a\tb\nc"}},
      {"shown_json",
       run_shown_json,
       {R"({"a":{"b":[1,"x: y","no","- z","\u001b","\ud800",""]},"c":[],"d":{}})", R"(["1e3","null","~","a\nb","#"])",
        "\"x\"", "{\"\u202e\":1}"}},
      {"toml", run_toml, {webhook_toml, "a.b.c = [1, {x = 'y'}]\nd = inf\ne = 07:32:00\n\"q\\\"\" = '''\nx'''\n"}},
      {"manifest",
       run_manifest,
       {webhook_toml, R"({"webhook":[{"display_name":"x","url":"http://x.example","secret_file":"s"}],"type":[]})"}},
      {"received",
       run_received,
       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 x\r\n\r\nrest",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n"}},
  };
}

}  // namespace webhookd::fuzz
