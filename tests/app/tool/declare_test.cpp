// export, diff, apply and import against a real daemon.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

const std::string two_webhooks = R"(
[[type]]
name = "invoice.paid"
description = "an invoice was paid"
example = '{"z": 1.50, "a": 2}'

[[webhook]]
display_name = "orders"
url = "https://orders.example/hook"
events = ["subscription.create", "invoice.paid"]
timeout = "5s"
rate = "10/s"
headers = {X-Team = "a b"}
retry = {initial = "10s", window = "3d"}
secret_file = "secrets/orders"

[[webhook]]
display_name = "audit"
url = "https://audit.example/in"
events = ["*"]
)";

struct Place {
  Place() {
    std::filesystem::create_directory(daemon.directory().path() + "/secrets");
    daemon.directory().write("secrets/orders", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  }
  std::string file(const std::string& text, const std::string& name = "webhooks.toml") const {
    return daemon.directory().write(name, text);
  }
  std::string exported() const { return daemon.tell({"export"}); }

  Daemon daemon;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("apply makes what a document declares, and applying it again changes nothing") {
  const Place place;
  const std::string file = place.file(two_webhooks);
  const std::string plan = "+ create type invoice.paid\n+ create webhook orders\n+ create webhook audit\n";
  const Ran difference = place.daemon.whctl({"diff", "-f", file});
  CHECK(difference.exit_code == 1);
  CHECK(difference.out == plan);
  CHECK(place.daemon.whctl({"apply", "-f", file, "--dry-run"}).out == plan);
  CHECK(place.daemon.tell({"list", "-q"}) == "");
  const Ran applied = place.daemon.whctl({"apply", "-f", file});
  CHECK(applied.exit_code == 0);
  CHECK(applied.out == plan);
  CHECK(applied.err == "3 created, 0 edited, 0 deleted\n");
  CHECK(place.daemon.tell({"secret", "show", "orders", "-q"}) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const json orders = json::parse(place.daemon.tell({"show", "orders", "-o", "json"}));
  CHECK(orders["timeout"] == 5);
  CHECK(orders["rate"] == 10);
  CHECK(orders["retry"]["window"] == 259200);
  CHECK(orders["headers"]["X-Team"] == "a b");
  CHECK(place.daemon.tell({"types", "show", "invoice.paid", "--example", "-o", "jsonl"}) ==
        "{\n  \"z\": 1.50,\n  \"a\": 2\n}");
  const Ran again = place.daemon.whctl({"apply", "-f", file});
  CHECK(again.out == "");
  CHECK(again.err == "nothing to change\n");
  CHECK(place.daemon.whctl({"diff", "-f", file}).exit_code == 0);
  CHECK(json::parse(place.daemon.tell({"show", "orders", "-o", "json"})) == orders);
}

TEST_CASE("an edit is planned field by field, and what is left out goes back to its default") {
  const Place place;
  place.daemon.tell({"apply", "-f", place.file(two_webhooks)});
  std::string text = replaced(two_webhooks, "https://orders.example/hook", "https://orders.example/v2");
  text = replaced(text, "timeout = \"5s\"\n", "");
  const Ran applied = place.daemon.whctl({"apply", "-f", place.file(text)});
  CHECK(applied.out ==
        "~ edit webhook orders url: \"https://orders.example/hook\" -> \"https://orders.example/v2\"\n"
        "~ edit webhook orders timeout: 5 -> 15\n");
  CHECK(place.daemon.whctl({"diff", "-f", place.file(text)}).exit_code == 0);
  place.daemon.tell({"secret", "rotate", "orders"});
  CHECK(place.daemon.whctl({"diff", "-f", place.file(text)}).out == "~ edit webhook orders secrets: as in the file\n");
}

TEST_CASE("only --prune deletes what is not declared") {
  const Place place;
  place.daemon.tell({"create", "old", "--url", "https://old.example/", "-e", "*"});
  place.daemon.tell({"types", "add", "old.type"});
  const std::string file = place.file(two_webhooks);
  place.daemon.tell({"apply", "-f", file});
  CHECK(place.daemon.whctl({"diff", "-f", file}).exit_code == 0);
  CHECK(place.daemon.whctl({"apply", "-f", file, "--prune"}).out == "- delete webhook old\n- delete type old.type\n");
  CHECK(place.daemon.whctl({"show", "old"}).exit_code == 3);
  CHECK(place.daemon.whctl({"types", "show", "old.type"}).exit_code == 3);
  CHECK(place.daemon.whctl({"diff", "-f", file, "--prune"}).exit_code == 0);
}

TEST_CASE("when anything in a document is wrong, everything wrong is said and nothing is done") {
  const Place place;
  std::string text = replaced(two_webhooks, "https://orders.example/hook", "ftp://orders");
  text = replaced(text, "events = [\"*\"]", "events = [\"no.such\"]\ntimout = 3");
  const Ran refused = place.daemon.whctl({"apply", "-f", place.file(text)});
  CHECK(refused.exit_code == 2);
  CHECK(refused.out == "");
  CHECK(refused.err.find("url") != std::string::npos);
  CHECK(refused.err.find("timout") != std::string::npos);
  CHECK(place.daemon.tell({"list", "-q"}) == "");
  CHECK(place.daemon.whctl({"types", "show", "invoice.paid"}).exit_code == 3);
  for (const std::string wrong : {"webhook = 3", "[[webhok]]\n", "[[webhook]]\nurl = \"x\"", "a = ", "{\"webhook\":[}",
                                  "[[webhook]]\ndisplay_name = \"a\"\nsecrets = [\"whsec_x\"]",
                                  "[[webhook]]\ndisplay_name = \"a\"\ntimeout = \"soon\"",
                                  "[[webhook]]\ndisplay_name = \"a\"\n[[webhook]]\ndisplay_name = \"a\"\n"}) {
    CAPTURE(wrong);
    const Ran ran = place.daemon.whctl({"apply", "-f", place.file(wrong)});
    CHECK(ran.exit_code == 2);
    CHECK(ran.err.starts_with("whctl: "));
  }
}

TEST_CASE("an export is stable, can be applied elsewhere, and comes in TOML and JSON") {
  const Place place;
  place.daemon.tell({"apply", "-f", place.file(two_webhooks)});
  const std::string toml = place.exported();
  CHECK(toml.find("whsec_") == std::string::npos);
  CHECK(toml.find("display_name = \"audit\"") < toml.find("display_name = \"orders\""));
  CHECK(place.exported() == toml);
  CHECK(place.daemon.whctl({"diff", "-f", "-", "--prune"}, toml + "\n").exit_code == 0);
  const std::string as_json = place.daemon.directory().path() + "/out.json";
  place.daemon.tell({"export", "-f", as_json});
  CHECK(place.daemon.whctl({"diff", "-f", as_json, "--prune"}).exit_code == 0);
  const Place elsewhere;
  elsewhere.daemon.tell({"apply", "-f", as_json});
  CHECK(elsewhere.exported() == toml);
}

TEST_CASE("an export is readable by its owner alone, because headers may hold credentials") {
  const Daemon daemon;
  daemon.tell({"create", "orders", "--url", "https://orders.example.com/", "-e", "*", "--header", "Authorization: x"});
  const std::string file = daemon.directory().path() + "/webhooks.toml";
  daemon.tell({"export", "-f", file});
  CHECK(std::filesystem::status(file).permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("endpoints of Svix, Convoy and Stripe become webhooks, and names that are taken are left alone") {
  const Place place;
  const std::string svix = place.file(
      R"({"data":[{"id":"ep_1","uid":"s1","url":"https://a.example/x","filterTypes":["api.create"],"rateLimit":7,)"
      R"("description":"first"},{"id":"ep_2","url":"https://b.example/","disabled":true}]})",
      "svix.json");
  CHECK(place.daemon.whctl({"import", svix, "--from", "svix", "--dry-run"}).out ==
        "+ create webhook s1\n+ create webhook ep_2\n");
  CHECK(place.daemon.tell({"list", "-q"}) == "");
  place.daemon.tell({"import", svix, "--from", "svix"});
  const json s1 = json::parse(place.daemon.tell({"show", "s1", "-o", "json"}));
  CHECK(s1["events"] == json::parse(R"(["api.create"])"));
  CHECK(s1["rate"] == 7);
  CHECK(json::parse(place.daemon.tell({"show", "ep_2", "-o", "json"}))["status"] == "inactive");
  CHECK(place.daemon.whctl({"import", svix, "--from", "svix"}).err ==
        "2 exist already and are left as they are\nnothing to change\n");

  const std::string convoy =
      place.file(R"({"data":{"content":[{"uid":"u1","title":"c1","target_url":"https://c.example/","status":"active",)"
                 R"("rate_limit":60,"rate_limit_duration":"1m","http_timeout":"30s"}]}})",
                 "convoy.json");
  place.daemon.tell({"import", convoy, "--from", "convoy"});
  const json c1 = json::parse(place.daemon.tell({"show", "c1", "-o", "json"}));
  CHECK(c1["rate"] == 1);
  CHECK(c1["timeout"] == 30);

  const std::string stripe = place.file(
      R"({"object":"list","data":[{"id":"we_1","url":"https://d.example/","enabled_events":["charge.failed"],)"
      R"("status":"enabled","description":null}]})",
      "stripe.json");
  const Ran unknown = place.daemon.whctl({"import", stripe, "--from", "stripe"});
  CHECK(unknown.exit_code == 2);
  place.daemon.tell({"import", stripe, "--from", "stripe", "-e", "subscription.*"});
  CHECK(json::parse(place.daemon.tell({"show", "we_1", "-o", "json"}))["signature"] == "stripe");
}

TEST_CASE("a mistyped name is answered with the one that was meant") {
  const Place place;
  place.daemon.tell({"create", "orders", "--url", "https://orders.example/", "-e", "*"});
  CHECK(place.daemon.whctl({"show", "ordres"}).err.find("hint: did you mean orders?\n") != std::string::npos);
  CHECK(place.daemon.whctl({"trigger", "subscription.crate"}).err.find("hint: did you mean subscription.create?\n") !=
        std::string::npos);
}
