// A store with a damaged page under the real daemon: requests that need the page fail, the daemon lives, says what it
// found and starts again, and a backup of such a store is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

constexpr std::size_t page_bytes = 4096;

std::string content_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t number_at(const std::string& content, std::size_t place) {
  return static_cast<unsigned char>(content[place]) | std::size_t{static_cast<unsigned char>(content[place + 1])} << 8;
}

// Empties every leaf page of LMDB whose first row holds these words.
int empty_leaves_with(std::string& content, std::string_view words) {
  constexpr std::size_t leaf = 2;
  constexpr std::size_t row_bytes_max = 400;
  int emptied = 0;
  for (std::size_t page = 0; page < content.size(); page += page_bytes) {
    const std::size_t first_row = number_at(content, page + 16);
    const bool is_leaf = number_at(content, page + 10) == leaf && first_row < page_bytes;
    const std::string_view row =
        std::string_view(content).substr(page + (is_leaf ? first_row : 0), is_leaf ? row_bytes_max : 0);
    if (row.find(words) != std::string_view::npos) {
      content.replace(page, page_bytes, page_bytes, '\0');
      ++emptied;
    }
  }
  return emptied;
}

}  // namespace

TEST_CASE("a damaged page ends neither the daemon nor its next start, is told of, and keeps a backup from being made") {
  Daemon daemon;
  std::string event;
  for (int i = 0; i < 100; ++i) {
    event = daemon.tell({"emit", "subscription.create", "-d", R"({"unmistakable":1})"});
  }
  daemon.stop();
  const std::string file = daemon.directory().path() + "/data/store/data.mdb";
  std::string content = content_of(file);
  REQUIRE(empty_leaves_with(content, "unmistakable") > 1);
  std::ofstream(file, std::ios::binary) << content;
  for (int starts = 0; starts < 2; ++starts) {
    daemon.start();
    CHECK(daemon.whctl({"export", "--messages"}).exit_code != 0);
    CHECK(daemon.whctl({"show", event}).exit_code != 0);
    CHECK(daemon.whctl({"emit", "subscription.create", "-d", "{}"}).exit_code != 0);
    CHECK(daemon.is_running());
    const json status = json::parse(daemon.tell({"status", "-o", "json"}));
    CHECK(status.at("store").at("damaged_records") == 1);
    CHECK(daemon.log().find("store_structure_damaged") != std::string::npos);
    const Ran backup = daemon.whctl({"backup", daemon.directory().path() + "/backup"});
    CHECK(backup.exit_code != 0);
    CHECK(backup.err.find("could not be restored") != std::string::npos);
    CHECK(daemon.whctl({"check"}).exit_code == 1);
    CHECK(daemon.stop() == 0);
  }
}
