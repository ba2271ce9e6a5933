#include "base/task.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace webhookd::base;

TEST_CASE("a task owns what it captured and travels by move") {
  auto held = std::make_unique<int>(41);
  int seen = 0;
  Task task([&seen, held = std::move(held)] { seen = *held + 1; });
  Task moved = std::move(task);
  CHECK(static_cast<bool>(moved));
  CHECK_FALSE(static_cast<bool>(Task()));
  moved();
  CHECK(seen == 42);
}

TEST_CASE("a completion carries a value or an error with its fields") {
  std::string told;
  Completion<int> done([&](Result<int> result) {
    told = result.has_value() ? "value " + std::to_string(*result) : result.error().fields.at(0).pointer;
  });
  done(7);
  CHECK(told == "value 7");
  done(field_error("/url", "url: is required"));
  CHECK(told == "/url");
}
