// Schemas as the tool shows them, against a real daemon: what a type may have, warnings, refusals, and the reload that
// turns one into the other.
#include <doctest/doctest.h>

#include <string>

#include "support/process.hpp"

namespace {

using namespace webhookd::support;

constexpr const char* egress = "[egress]\nallow = [\"127.0.0.0/8\"]\n";
constexpr const char* schema = R"({"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}})";

void add_paid_type(const Daemon& daemon) {
  daemon.tell({"types", "add", "invoice.paid", "--schema", daemon.directory().write("schema.json", schema)});
}

Ran emit_paid(const Daemon& daemon, const std::string& data) {
  return daemon.whctl({"emit", "invoice.paid", "-d", data});
}

}  // namespace

TEST_CASE("a schema that is none is refused with the place of the mistake, and so is an example that does not match") {
  const Daemon daemon;
  const Ran wrong = daemon.whctl({"types", "add", "invoice.paid", "--schema", "-"}, R"({"type":"integr"})");
  CHECK(wrong.exit_code == 2);
  CHECK(wrong.err.find("schema.type: is no type; did you mean integer?") != std::string::npos);
  const Ran mismatch = daemon.whctl(
      {"types", "add", "invoice.paid", "--example", "-", "--schema", daemon.directory().write("schema.json", schema)},
      R"({"id":"x"})");
  CHECK(mismatch.exit_code == 2);
  CHECK(mismatch.err.find("example.id: must be an integer, not a string") != std::string::npos);
  CHECK(daemon.whctl({"types", "show", "invoice.paid"}).exit_code == 3);
}

TEST_CASE("by default an event that does not match is accepted with a warning, and members may be added") {
  const Daemon daemon;
  add_paid_type(daemon);
  const Ran bad = emit_paid(daemon, R"({"id":"x"})");
  CHECK(bad.exit_code == 0);
  CHECK(bad.out.starts_with("evt_"));
  CHECK(bad.err == "whctl: warning: data.id: must be an integer, not a string\n");
  CHECK(emit_paid(daemon, R"({"id":1,"grown":[]})").err == "");
  CHECK(daemon.whctl({"trigger", "subscription.create"}).err == "");
  const Ran changed = daemon.whctl({"trigger", "subscription.create", "--set", "user.id=\"x\""});
  CHECK(changed.exit_code == 0);
  CHECK(changed.err == "whctl: warning: data.user.id: must be an integer, not a string\n");
}

TEST_CASE("enforced by a reload, it is refused; switched off, nobody looks") {
  const Daemon daemon;
  add_paid_type(daemon);
  daemon.directory().write("webhookd.toml", std::string(egress) + "[events]\nschema = \"enforce\"\n");
  CHECK(daemon.tell({"reload"}).find("events.schema") != std::string::npos);
  const Ran refused = emit_paid(daemon, R"({"id":"x"})");
  CHECK(refused.exit_code == 2);
  CHECK(refused.out == "");
  CHECK(refused.err.find("data.id: must be an integer, not a string") != std::string::npos);
  const Ran batch =
      daemon.whctl({"emit", "--batch", "-"},
                   "{\"type\":\"invoice.paid\",\"data\":{\"id\":1}}\n{\"type\":\"invoice.paid\",\"data\":{}}\n");
  CHECK(batch.exit_code == 10);
  CHECK(batch.err ==
        "whctl: line 2: schema_mismatch: data.id: is required\n"
        "2 lines: 1 accepted, 0 duplicates, 1 refused\n");
  daemon.directory().write("webhookd.toml", std::string(egress) + "[events]\nschema = \"off\"\n");
  daemon.tell({"reload"});
  const Ran ignored = emit_paid(daemon, R"({"id":"x"})");
  CHECK(ignored.exit_code == 0);
  CHECK(ignored.err == "");
}

TEST_CASE("schemas are there after a restart, from the store") {
  Daemon daemon;
  add_paid_type(daemon);
  REQUIRE(daemon.stop() == 0);
  daemon.start();
  CHECK(emit_paid(daemon, "{}").err == "whctl: warning: data.id: is required\n");
}
