#include "input.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <thread>

using namespace webhookd::whctl;

namespace {

// A pipe that `text` is written into by somebody else.
class Fed {
 public:
  explicit Fed(std::string text) {
    REQUIRE(::pipe(ends_.data()) == 0);
    writer_ = std::thread([this, text = std::move(text)] {
      std::size_t at = 0;
      while (at < text.size()) {
        const auto count = ::write(ends_[1], text.data() + at, text.size() - at);
        if (count <= 0) break;
        at += static_cast<std::size_t>(count);
      }
      ::close(ends_[1]);
    });
  }
  ~Fed() {
    ::close(ends_[0]);
    writer_.join();
  }
  int end() const { return ends_[0]; }

 private:
  std::array<int, 2> ends_{};
  std::thread writer_;
};

}  // namespace

TEST_CASE("lines come one by one, the last also without a line feed") {
  Fed input("a\n\nbc\r\nlast");
  auto lines = LineReader::open("-", input.end());
  REQUIRE(lines.has_value());
  std::string line;
  for (const auto* expected : {"a", "", "bc\r", "last"}) {
    CHECK(lines->next(line).value() == LineReader::Line::read);
    CHECK(line == expected);
  }
  CHECK(lines->next(line).value() == LineReader::Line::end);
}

TEST_CASE("a line beyond the bound is skipped and named, and the next one is read") {
  Fed input(std::string(input_bytes_max + 1000, 'x') + "\nok\n");
  auto lines = LineReader::open("-", input.end());
  REQUIRE(lines.has_value());
  std::string line;
  CHECK(lines->next(line).value() == LineReader::Line::too_long);
  CHECK(lines->next(line).value() == LineReader::Line::read);
  CHECK(line == "ok");
  CHECK(lines->next(line).value() == LineReader::Line::end);
}

TEST_CASE("secrets are one a line, and a bad one is named by its line") {
  Fed good("# ours\n\nwhsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n");
  const auto secrets = read_secrets("-", good.end());
  REQUIRE(secrets.has_value());
  REQUIRE(secrets->size() == 1);
  CHECK(secrets->front().key == "012345678901234567890123");
  Fed bad("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\nnonsense\n");
  CHECK(read_secrets("-", bad.end()).error().what == "-:2");
  Fed none("\n");
  CHECK(read_secrets("-", none.end()).error().why == "holds no secret");
}

TEST_CASE("a file that is not there is an input failure") {
  CHECK(read_input("/nonexistent/file", 0).error().code == "usage");
}
