#include "base/histogram.hpp"

#include <doctest/doctest.h>

using namespace webhookd::base;

namespace {

Histogram<3> tens() { return Histogram<3>({10, 20, 40}); }

}  // namespace

TEST_CASE("a value at a bound counts in the bucket that the bound closes") {
  auto histogram = tens();
  histogram.record(0);
  histogram.record(10);
  histogram.record(11);
  histogram.record(40);
  histogram.record(41);
  CHECK(histogram.counts() == std::array<std::uint64_t, 4>{2, 1, 1, 1});
  CHECK(histogram.count() == 5);
  CHECK(histogram.sum() == 102);
}

TEST_CASE("a quantile lies on a straight line inside its bucket") {
  auto histogram = tens();
  for (int i = 0; i < 10; ++i) {
    histogram.record(15);
  }
  CHECK(histogram.quantile(0.5) == doctest::Approx(15));
  CHECK(histogram.quantile(1) == doctest::Approx(20));
}

TEST_CASE("a quantile of nothing is zero, and above all bounds it is the last bound") {
  auto histogram = tens();
  CHECK(histogram.quantile(0.99) == 0);
  histogram.record(1000);
  CHECK(histogram.quantile(0.99) == 40);
}

TEST_CASE("two histograms merged have seen what both have seen") {
  auto first = tens();
  first.record(5);
  auto second = tens();
  second.record(15);
  second.record(100);
  first.merge(second);
  CHECK(first.counts() == std::array<std::uint64_t, 4>{1, 1, 0, 1});
  CHECK(first.count() == 3);
  CHECK(first.sum() == 120);
}

TEST_CASE("a sum that does not fit any more stays at its end instead of beginning anew") {
  auto histogram = tens();
  histogram.record(~std::uint64_t{0});
  histogram.record(7);
  CHECK(histogram.sum() == ~std::uint64_t{0});
}
