#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.hpp"

namespace webhookd::base {

namespace {

constexpr std::int64_t last_ms = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

// Reads a text from the left; once something did not fit, everything after fails too.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take(std::string_view expected) {
    fits_ = fits_ && rest_.starts_with(expected);
    if (fits_) {
      rest_.remove_prefix(expected.size());
    }
    return fits_;
  }

  // Exactly `count` digits.
  unsigned digits(std::size_t count) {
    unsigned value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      fits_ = fits_ && !rest_.empty() && is_digit(rest_[0]);
      if (!fits_) {
        return 0;
      }
      value = value * 10 + static_cast<unsigned>(rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }

  // The index of the name that comes next.
  template <std::size_t N>
  unsigned name(const std::array<std::string_view, N>& names) {
    for (std::size_t i = 0; i < N; ++i) {
      if (fits_ && rest_.starts_with(names[i])) {
        rest_.remove_prefix(names[i].size());
        return static_cast<unsigned>(i);
      }
    }
    fits_ = false;
    return 0;
  }

  bool next_is(char c) const { return fits_ && !rest_.empty() && rest_[0] == c; }
  bool next_is_digit() const { return fits_ && !rest_.empty() && is_digit(rest_[0]); }
  bool ended() const { return fits_ && rest_.empty(); }
  bool fits() const { return fits_; }

 private:
  std::string_view rest_;
  bool fits_ = true;
};

struct CivilTime {
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void read_clock(Reader& reader, CivilTime& civil) {
  civil.hour = reader.digits(2);
  reader.take(":");
  civil.minute = reader.digits(2);
  reader.take(":");
  civil.second = reader.digits(2);
}

// Leap seconds are refused: the clock that deadlines are kept by does not know them.
std::optional<std::int64_t> to_epoch_seconds(const CivilTime& civil) {
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(civil.year)),
                                         std::chrono::month(civil.month), std::chrono::day(civil.day)};
  if (!date.ok() || civil.hour > 23 || civil.minute > 59 || civil.second > 59) {
    return std::nullopt;
  }
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86'400 + civil.hour * 3600 + civil.minute * 60 + civil.second;
}

std::optional<Time> in_range(std::int64_t ms) {
  return ms >= 0 && ms <= last_ms ? std::optional(time_from_ms(ms)) : std::nullopt;
}

// Any number of digits, cut to milliseconds.
unsigned read_fraction_ms(Reader& reader) {
  unsigned ms = reader.digits(1) * 100;
  for (unsigned weight = 10; reader.next_is_digit(); weight /= 10) {
    ms += reader.digits(1) * weight;
  }
  return ms;
}

// Minutes east of Greenwich.
std::optional<int> read_offset(Reader& reader) {
  if (reader.next_is('Z') || reader.next_is('z')) {
    reader.take(reader.next_is('Z') ? "Z" : "z");
    return 0;
  }
  const bool west = reader.next_is('-');
  reader.take(west ? "-" : "+");
  const unsigned hours = reader.digits(2);
  reader.take(":");
  const unsigned minutes = reader.digits(2);
  if (!reader.fits() || hours > 23 || minutes > 59) {
    return std::nullopt;
  }
  const int offset = static_cast<int>(hours * 60 + minutes);
  return west ? -offset : offset;
}

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
// Largest first, as a span is written.
constexpr Unit units[] = {{"w", 604'800'000}, {"d", 86'400'000}, {"h", 3'600'000},
                          {"m", 60'000},      {"s", 1000},       {"ms", 1}};
constexpr unsigned long long largest_number = 1'000'000'000;      // of any unit: fits 63 bits in milliseconds
constexpr std::int64_t longest_ms = 1'000'000'000 * units[1].ms;  // in days, the largest unit that is written

std::size_t count_while_digit(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) {
    ++count;
  }
  return count;
}

// A number as written before a unit; of the fraction nine digits count.
struct Decimal {
  std::int64_t whole = 0;
  std::int64_t billionths = 0;
};

std::optional<Decimal> take_decimal(std::string_view& text) {
  const std::size_t whole_digits = count_while_digit(text);
  if (whole_digits == 0) {
    return std::nullopt;
  }
  std::string_view whole_text = text.substr(0, whole_digits);
  whole_text.remove_prefix(std::min(whole_text.find_first_not_of('0'), whole_digits - 1));
  const auto whole = parse_whole_number(whole_text, largest_number);
  if (!whole) {
    return std::nullopt;
  }
  Decimal number{static_cast<std::int64_t>(*whole), 0};
  text.remove_prefix(whole_digits);
  if (!text.starts_with('.')) {
    return number;
  }
  text.remove_prefix(1);
  const std::size_t digits = count_while_digit(text);
  if (digits == 0) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < 9; ++i) {
    number.billionths = number.billionths * 10 + (i < digits ? text[i] - '0' : 0);
  }
  text.remove_prefix(digits);
  return number;
}

const Unit* take_unit(std::string_view& text) {
  std::size_t letters = 0;
  while (letters < text.size() && is_letter(text[letters])) {
    ++letters;
  }
  for (const Unit& unit : units) {
    if (text.substr(0, letters) == unit.name) {
      text.remove_prefix(letters);
      return &unit;
    }
  }
  return nullptr;
}

constexpr std::array<std::string_view, 7> weekdays = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> long_weekdays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                           "Friday", "Saturday", "Sunday"};

// What would be more than fifty years ahead is of the century before.
unsigned whole_year(unsigned last_two_digits, Time now) {
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const auto this_year = static_cast<unsigned>(static_cast<int>(today.year()));
  const unsigned year = this_year / 100 * 100 + last_two_digits;
  return year > this_year + 50 ? year - 100 : year;
}

// The two forms that differ in the spelling of their days, in what stands between the parts, and in the digits of the
// year.
CivilTime read_gmt_date(Reader& reader, const std::array<std::string_view, 7>& days, std::string_view separator,
                        std::size_t year_digits) {
  CivilTime civil;
  reader.name(days);
  reader.take(", ");
  civil.day = reader.digits(2);
  reader.take(separator);
  civil.month = reader.name(months) + 1;
  reader.take(separator);
  civil.year = reader.digits(year_digits);
  reader.take(" ");
  read_clock(reader, civil);
  reader.take(" GMT");
  return civil;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
CivilTime read_fixdate(Reader& reader, Time) { return read_gmt_date(reader, weekdays, " ", 4); }

// "Sunday, 06-Nov-94 08:49:37 GMT"
CivilTime read_rfc850_date(Reader& reader, Time now) {
  CivilTime civil = read_gmt_date(reader, long_weekdays, "-", 2);
  civil.year = whole_year(civil.year, now);
  return civil;
}

// "Sun Nov  6 08:49:37 1994"
CivilTime read_asctime_date(Reader& reader, Time) {
  CivilTime civil;
  reader.name(weekdays);
  reader.take(" ");
  civil.month = reader.name(months) + 1;
  reader.take(" ");
  const bool is_short = reader.next_is(' ');
  reader.take(is_short ? " " : "");
  civil.day = reader.digits(is_short ? 1 : 2);
  reader.take(" ");
  read_clock(reader, civil);
  reader.take(" ");
  civil.year = reader.digits(4);
  return civil;
}

}  // namespace

std::string format_time(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<Duration> clock(time - day);
  char text[48];
  const int length =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return {text, static_cast<std::size_t>(length)};
}

std::optional<Time> parse_time(std::string_view text) {
  Reader reader(text);
  CivilTime civil;
  civil.year = reader.digits(4);
  reader.take("-");
  civil.month = reader.digits(2);
  reader.take("-");
  civil.day = reader.digits(2);
  reader.take(reader.next_is('t') ? "t" : "T");
  read_clock(reader, civil);
  unsigned ms = 0;
  if (reader.next_is('.')) {
    reader.take(".");
    ms = read_fraction_ms(reader);
  }
  const auto offset = read_offset(reader);
  const auto seconds = to_epoch_seconds(civil);
  if (!offset || !seconds || !reader.ended()) {
    return std::nullopt;
  }
  return in_range((*seconds - std::int64_t{*offset} * 60) * 1000 + ms);
}

std::optional<Time> parse_http_date(std::string_view text, Time now) {
  for (const auto form : {read_fixdate, read_rfc850_date, read_asctime_date}) {
    Reader reader(text);
    const CivilTime civil = form(reader, now);
    const auto seconds = to_epoch_seconds(civil);
    if (seconds && reader.ended()) {
      return in_range(*seconds * 1000);
    }
  }
  return std::nullopt;
}

std::string duration_units() {
  std::string names;
  for (auto unit = std::rbegin(units); unit != std::rend(units); ++unit) {
    names.append(names.empty() ? "" : ", ").append(unit->name);
  }
  return names;
}

std::optional<Duration> parse_duration(std::string_view text) {
  std::int64_t total = 0;
  std::int64_t smallest_so_far = 0;
  while (!text.empty()) {
    const auto number = take_decimal(text);
    const Unit* unit = number ? take_unit(text) : nullptr;
    if (unit == nullptr || (smallest_so_far != 0 && unit->ms >= smallest_so_far)) {
      return std::nullopt;
    }
    smallest_so_far = unit->ms;
    total += number->whole * unit->ms + number->billionths * unit->ms / 1'000'000'000;
  }
  return total > 0 && total <= longest_ms ? std::optional(Duration(total)) : std::nullopt;
}

std::string format_duration(Duration duration) {
  std::int64_t rest = duration.count();
  std::string text = rest < 0 ? "-" : "";
  rest = rest < 0 ? -rest : rest;
  for (const Unit& unit : units) {
    if (unit.name != "w" && rest >= unit.ms) {  // weeks are read but not written: "10d" is what people say
      text += std::to_string(rest / unit.ms) + std::string(unit.name);
      rest %= unit.ms;
    }
  }
  return text.empty() ? "0s" : text;
}

}  // namespace webhookd::base
