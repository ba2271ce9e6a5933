#include <doctest/doctest.h>

#include "output.hpp"
#include "safe_text.hpp"
#include "table.hpp"
#include "text_width.hpp"
#include "yaml.hpp"

using namespace webhookd::whctl;
namespace base = webhookd::base;

namespace {

const std::vector<TableColumn> columns{{"ID", false}, {"URL", true}, {"STATUS", false}};
const std::vector<Row> rows{{{"wh_1"}, {"https://orders.example/hook"}, {"active", Tone::good}},
                            {{"wh_2"}, {"http://a.example"}, {"inactive", Tone::faint}}};

}  // namespace

TEST_CASE("a table is aligned with two spaces between columns and none at the end of a line") {
  CHECK(aligned_table(columns, rows, {80, true, false}) ==
        "ID    URL                          STATUS\n"
        "wh_1  https://orders.example/hook  active\n"
        "wh_2  http://a.example             inactive\n");
}

TEST_CASE("a table that is too wide cuts the columns that may shrink, and no other") {
  CHECK(aligned_table(columns, rows, {32, true, false}) ==
        "ID    URL               STATUS\n"
        "wh_1  https://orders.…  active\n"
        "wh_2  http://a.example  inactive\n");
}

TEST_CASE("a terminal narrower than the table allows gets the narrowest table, not an endless loop") {
  CHECK(aligned_table(columns, rows, {1, false, false}) ==
        "wh_1  https:/…  active\n"
        "wh_2  http://…  inactive\n");
}

TEST_CASE("colour surrounds the text and not the padding") {
  CHECK(aligned_table({{"A", false}, {"B", false}}, {{{"up", Tone::good}, {"x"}}}, {80, false, true}) ==
        "\x1b[32mup\x1b[0m  x\n");
}

TEST_CASE("a table that is printed part by part has one header, and columns that only widen") {
  TableSoFar so_far;
  const std::vector<TableColumn> narrow{{"ID", false}, {"WHY", true}};
  const TableLayout layout{80, true, false};
  CHECK(aligned_table(narrow, {{{"a1"}, {"x"}}}, layout, &so_far) == "ID  WHY\na1  x\n");
  CHECK(aligned_table(narrow, {{{"long"}, {"x"}}}, layout, &so_far) == "long  x\n");
  CHECK(aligned_table(narrow, {{{"b"}, {"x"}}}, layout, &so_far) == "b     x\n");
}

TEST_CASE("wide characters count two columns and combining marks none") {
  CHECK(display_width("日本") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(cut_to_width("日本語", 4) == "日…");
  CHECK(cut_to_width("abc", 1) == "…");
  CHECK(cut_to_width("abcdef", 4, "...") == "a...");
  CHECK(display_width("\u0e01\u0e31") == 1);  // Thai, a vowel above
  CHECK(display_width("\U0001f600") == 2);    // an emoji
  CHECK(display_width("\u1100\u1161") == 2);  // a Hangul syllable in two parts
  CHECK(display_width("\uff21\uff71") == 3);  // full width and half width
}

TEST_CASE("tab-separated rows have no header and no padding") {
  CHECK(tab_separated(rows, false) == "wh_1\thttps://orders.example/hook\tactive\nwh_2\thttp://a.example\tinactive\n");
}

TEST_CASE("CSV quotes what needs quotes") { CHECK(csv_line({"a", "b,c", "d\"e", ""}) == "a,\"b,c\",\"d\"\"e\",\n"); }

TEST_CASE("what can steer a terminal is shown as an escape") {
  CHECK(safe_line("\x1b[31mred") == "\\x1b[31mred");
  CHECK(safe_line("a\nb\tc\rd\x7f") == "a\\nb\\tc\\rd\\x7f");
  CHECK(safe_line("\xc2\x9b"
                  "2J") == "\\u009b2J");
  CHECK(safe_line("\x9b"
                  "2J") == "\\x9b2J");
  CHECK(safe_line("a\u202e"
                  "b\u200b"
                  "c\ufeff") == "a\\u202eb\\u200bc\\ufeff");
  CHECK(safe_line("\xf3\xa0\x80\x81") == "\\U000e0001");
  CHECK(safe_line("gr\u00fc\u00df \u65e5\u672c") == "gr\u00fc\u00df \u65e5\u672c");
}

TEST_CASE("a block keeps its lines") { CHECK(safe_block("a\n\tb\x1b") == "a\n\tb\\x1b"); }

TEST_CASE("JSON keeps its value when it is made safe") {
  CHECK(safe_json("{\"a\":\"\u202e\x7f\"}") == "{\"a\":\"\\u202e\\u007f\"}");
  CHECK(safe_json("\"\xf3\xa0\x80\x81\"") == "\"\\udb40\\udc01\"");
}

TEST_CASE("relative times have one unit") {
  const auto now = base::time_from_ms(1'000'000'000);
  CHECK(relative_time(now - base::Duration{4 * 60'000 + 59'000}, now) == "4m ago");
  CHECK(relative_time(now + base::Duration{36 * 3'600'000}, now) == "in 1d");
  CHECK(relative_time(now + base::Duration{999}, now) == "now");
}

TEST_CASE("bytes are readable") {
  CHECK(bytes_for_people(512) == "512 B");
  CHECK(bytes_for_people(1536) == "1.5 KiB");
  CHECK(bytes_for_people(64.0 * 1024 * 1024) == "64.0 MiB");
}

TEST_CASE("YAML quotes only what needs quotes, and keeps order and spelling") {
  CHECK(
      yaml_of(
          R"({"z":1.50,"a":{"empty":{},"list":[1,[],{"b":"yes"}]},"s":"a b","t":"subscription.create","last":null})") ==
      "z: 1.50\n"
      "a:\n"
      "  empty: {}\n"
      "  list:\n"
      "    - 1\n"
      "    - []\n"
      "    -\n"
      "      b: \"yes\"\n"
      "s: \"a b\"\n"
      "t: subscription.create\n"
      "last: null\n");
  CHECK(yaml_of(R"("a\u001b\"\\\ud83d\ude00")") == "\"a\\x1b\\\"\\\\\U0001f600\"\n");
  CHECK(yaml_of("[]") == "[]\n");
}
