#include "base/time.hpp"

#include <doctest/doctest.h>

using namespace webhookd::base;

TEST_CASE("time is written as RFC 3339 in UTC with milliseconds") {
  CHECK(format_time(time_from_ms(0)) == "1970-01-01T00:00:00.000Z");
  CHECK(format_time(time_from_ms(1'795'465'485'123)) == "2026-11-23T20:24:45.123Z");
  CHECK(format_time(time_from_ms(951'782'400'000)) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("RFC 3339 is read with any offset and fraction") {
  CHECK(parse_time("2026-11-23T20:24:45.123Z") == time_from_ms(1'795'465'485'123));
  CHECK(parse_time("2026-11-23t20:24:45.1239999z") == time_from_ms(1'795'465'485'123));
  CHECK(parse_time("2026-11-23T22:24:45.123+02:00") == time_from_ms(1'795'465'485'123));
  CHECK(parse_time("2026-11-23T15:54:45.123-04:30") == time_from_ms(1'795'465'485'123));
  CHECK(parse_time("2026-11-23T20:24:45Z") == time_from_ms(1'795'465'485'000));
  CHECK(parse_time("9999-12-31T23:59:59.999Z") == time_from_ms(253'402'300'799'999));
}

TEST_CASE("what is not a time is refused") {
  for (const char* text :
       {"", "2026-11-23", "2026-11-23T20:24:45", "2026-11-23 20:24:45Z", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-11-23T24:00:00Z", "2026-11-23T23:60:00Z", "2026-11-23T23:59:60Z", "2026-11-23T20:24:45.Z",
        "2026-11-23T20:24:45Zx", "2026-11-23T20:24:45+2:00", "2026-11-23T20:24:45+24:00", "26-11-23T20:24:45Z",
        "1970-01-01T00:00:00+01:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00", "-026-11-23T20:24:45Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time(text));
  }
}

TEST_CASE("a date of HTTP has one of three forms") {
  const Time now = time_from_ms(1'790'000'000'000);  // in 2026
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == time_from_ms(784'111'777'000));
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now) == time_from_ms(784'111'777'000));
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", now) == time_from_ms(784'111'777'000));
  CHECK(parse_http_date("Wed Nov 16 08:49:37 1994", now) == time_from_ms(784'975'777'000));
  CHECK_FALSE(parse_http_date("Sun, 06 Nov 1994 08:49:37 CET", now));
  CHECK_FALSE(parse_http_date("Sun, 31 Feb 1994 08:49:37 GMT", now));
  CHECK_FALSE(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT ", now));
  CHECK_FALSE(parse_http_date("Sunday, 06 Nov 94 08:49:37 GMT", now));
  CHECK_FALSE(parse_http_date("Sun Nov 6 08:49:37 1994", now));
  CHECK_FALSE(parse_http_date("120", now));
}

TEST_CASE("a year of two digits is at most fifty years ahead") {
  const Time now = time_from_ms(1'790'000'000'000);  // in 2026
  CHECK(parse_http_date("Wednesday, 01-Jan-76 00:00:00 GMT", now) == parse_time("2076-01-01T00:00:00Z"));
  CHECK(parse_http_date("Saturday, 01-Jan-77 00:00:00 GMT", now) == parse_time("1977-01-01T00:00:00Z"));
}

TEST_CASE("a span is numbers with units, largest first") {
  CHECK(parse_duration("15s") == 15s);
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("0.25h") == 15min);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("10d") == 240h);
  CHECK(parse_duration("2w") == 336h);
  CHECK(parse_duration("1s500ms") == 1500ms);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("05s") == 5s);
}

TEST_CASE("what is not a positive span is refused") {
  for (const char* text : {"", "15", "s", "0s", "-1s", "+1s", "1 s", "1x", "1.s", ".5s", "30m1h", "1h1h", "1hour",
                           "1e3s", "9999999999999s", "99999999999999999999w", "1S", "0.0001ms", "1s "}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("a span is written so that it reads back") {
  CHECK(format_duration(240h) == "10d");
  CHECK(format_duration(90min) == "1h30m");
  CHECK(format_duration(1500ms) == "1s500ms");
  CHECK(format_duration(15s) == "15s");
  CHECK(format_duration(336h) == "14d");
  CHECK(format_duration(0s) == "0s");
  for (const Duration span : {Duration(1), Duration(61'001), Duration(90'061'000), Duration(864'000'000)}) {
    CHECK(parse_duration(format_duration(span)) == span);
  }
}

TEST_CASE("a span is refused when it is too long to be written") {
  for (const char* longest : {"1000000000d", "142857142w"}) {
    CAPTURE(longest);
    CHECK(parse_duration(format_duration(*parse_duration(longest))) == parse_duration(longest));
  }
  CHECK_FALSE(parse_duration("142857143w"));
  CHECK_FALSE(parse_duration("1000000000d1ms"));
}
