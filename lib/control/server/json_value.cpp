#include "control/server/json_value.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "control/protocol/json_text.hpp"

namespace webhookd::server {

namespace {

// g++ and clang have it on every machine that Debian runs on with 64 bits.
__extension__ typedef unsigned __int128 WideNumber;

constexpr std::size_t divisor_digits_max = 18;
constexpr std::size_t plain_digits_max = 20;              // of a whole number whose canonical form has no exponent
constexpr std::int64_t exponent_max = 1'000'000'000'000;  // what is beyond stays beyond every other number
constexpr std::size_t compare_units = 40;

std::int64_t bounded_exponent(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  text.remove_prefix(is_negative || text.starts_with('+') ? 1 : 0);
  std::int64_t value = 0;
  const auto fault = std::from_chars(text.data(), text.data() + text.size(), value).ec;
  value = fault == std::errc{} ? std::min(value, exponent_max) : exponent_max;
  return is_negative ? -value : value;
}

void strip_trailing_zeros(std::string_view& digits) {
  while (digits.ends_with('0')) {
    digits.remove_suffix(1);
  }
}

int sign_of(const DecimalNumber& number) {
  if (number.is_zero()) {
    return 0;
  }
  return number.is_negative ? -1 : 1;
}

int compare_magnitudes(const DecimalNumber& a, const DecimalNumber& b) {
  if (a.exponent != b.exponent) {
    return a.exponent < b.exponent ? -1 : 1;
  }
  const std::size_t shared = std::min(a.digits(), b.digits());
  for (std::size_t i = 0; i < shared; ++i) {
    if (a.digit(i) != b.digit(i)) {
      return a.digit(i) < b.digit(i) ? -1 : 1;
    }
  }
  return a.digits() == b.digits() ? 0 : (a.digits() < b.digits() ? -1 : 1);
}

std::uint64_t multiplied(std::uint64_t a, std::uint64_t b, std::uint64_t modulus) {
  return static_cast<std::uint64_t>(static_cast<WideNumber>(a) * b % modulus);
}

std::uint64_t power_of_ten(std::int64_t exponent, std::uint64_t modulus) {
  std::uint64_t power = 1 % modulus;
  for (std::uint64_t factor = 10 % modulus; exponent > 0; exponent /= 2) {
    power = exponent % 2 != 0 ? multiplied(power, factor, modulus) : power;
    factor = multiplied(factor, factor, modulus);
  }
  return power;
}

// ---- canonical forms ------------------------------------------------------------------------------------------

bool is_canonical_string(std::string_view raw) { return raw.find('\\') == std::string_view::npos; }

// A whole number as most people spell it: then that is its form.
bool is_canonical_number(std::string_view raw) {
  const std::string_view digits = raw.substr(raw.starts_with('-') ? 1 : 0);
  return digits.size() <= plain_digits_max && (digits.front() != '0' || raw == "0") &&
         std::all_of(digits.begin(), digits.end(), base::is_digit);
}

void append_number(std::string& out, std::string_view raw) {
  const DecimalNumber number = DecimalNumber::of(raw);
  if (number.is_zero()) {
    out += '0';
    return;
  }
  out.append(number.is_negative ? "-" : "").append(number.head).append(number.tail);
  if (number.is_whole() && number.exponent <= static_cast<std::int64_t>(plain_digits_max)) {
    out.append(static_cast<std::size_t>(number.exponent) - number.digits(), '0');
  } else {
    out.append("e").append(std::to_string(number.exponent));
  }
}

// Quotes and backslashes stay escaped, so that a string cannot look like two.
void append_string(std::string& out, std::string_view raw) {
  out += '"';
  for (const char c : protocol::decode_any_string(raw)) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  out += '"';
}

class CanonicalWriter {
 public:
  CanonicalWriter(std::string_view text, std::string& out, WorkBudget& budget)
      : text_(text), out_(out), budget_(budget) {}

  // Both give the end of the value that starts at `at`.
  std::size_t value(std::size_t at) {
    if (budget_.is_over()) {
      return at;
    }
    switch (text_[at]) {
      case '{':
        return object(at);
      case '[':
        return array(at);
      default:
        return scalar(at);
    }
  }

 private:
  struct Member {
    std::string name;
    std::size_t value;
  };

  std::size_t after(std::size_t at) {
    const std::size_t next = protocol::next_token(text_, at);
    budget_.spend(next - at);
    return next;
  }

  std::size_t scalar(std::size_t at) {
    const std::size_t end = protocol::value_end(text_, at);
    const std::string_view raw = text_.substr(at, end - at);
    budget_.spend(raw.size() + 4);
    if (raw.front() == '"' && !is_canonical_string(raw)) {
      append_string(out_, raw);
    } else if (protocol::kind_of(raw) == protocol::JsonKind::number && !is_canonical_number(raw)) {
      append_number(out_, raw);
    } else {
      out_ += raw;
    }
    return end;
  }

  std::size_t array(std::size_t at) {
    out_ += '[';
    for (at = after(at + 1); text_[at] != ']'; at = after(at)) {
      at = value(at);
      out_ += ',';
      if (budget_.is_over()) {
        return at;
      }
    }
    out_ += ']';
    return at + 1;
  }

  std::size_t object(std::size_t at) {
    std::vector<Member> members;
    for (at = after(at + 1); text_[at] != '}'; at = after(at)) {
      const std::size_t name_end = protocol::string_end(text_, at);
      Member member{protocol::decode_any_string(text_.substr(at, name_end - at)),
                    protocol::next_token(text_, name_end)};
      const std::size_t end = protocol::value_end(text_, member.value);
      if (!budget_.spend(end - at + compare_units)) {
        return at;
      }
      members.push_back(std::move(member));
      at = end;
    }
    budget_.spend(members.size() * compare_units);
    std::stable_sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.name < b.name; });
    out_ += '{';
    for (const Member& member : members) {
      out_.append(std::to_string(member.name.size())).append(":").append(member.name);
      value(member.value);
      out_ += ',';
    }
    out_ += '}';
    return at + 1;
  }

  std::string_view text_;
  std::string& out_;
  WorkBudget& budget_;
};

}  // namespace

DecimalNumber DecimalNumber::of(std::string_view text) {
  DecimalNumber number;
  number.is_negative = text.starts_with('-');
  text.remove_prefix(number.is_negative ? 1 : 0);
  const std::size_t mark = text.find_first_of("eE");
  const std::string_view mantissa = text.substr(0, mark);
  const std::size_t point = mantissa.find('.');
  number.head = mantissa.substr(0, point);
  number.tail = point == std::string_view::npos ? std::string_view() : mantissa.substr(point + 1);
  number.exponent = static_cast<std::int64_t>(number.head.size()) +
                    (mark == std::string_view::npos ? 0 : bounded_exponent(text.substr(mark + 1)));
  while (number.head.starts_with('0') || (number.head.empty() && number.tail.starts_with('0'))) {
    (number.head.empty() ? number.tail : number.head).remove_prefix(1);
    --number.exponent;
  }
  strip_trailing_zeros(number.tail);
  if (number.tail.empty()) {
    strip_trailing_zeros(number.head);
  }
  if (number.is_zero()) {
    return {};
  }
  return number;
}

int compare(const DecimalNumber& a, const DecimalNumber& b) {
  const int sign = sign_of(a);
  if (sign != sign_of(b)) {
    return sign - sign_of(b);
  }
  return sign * compare_magnitudes(a, b);
}

std::optional<Divisor> Divisor::of(const DecimalNumber& number) {
  if (number.is_zero() || number.is_negative || number.digits() > divisor_digits_max) {
    return std::nullopt;
  }
  Divisor divisor;
  divisor.digits_ = 0;
  for (std::size_t i = 0; i < number.digits(); ++i) {
    divisor.digits_ = divisor.digits_ * 10 + static_cast<std::uint64_t>(number.digit(i) - '0');
  }
  divisor.scale_ = number.exponent - static_cast<std::int64_t>(number.digits());
  return divisor;
}

bool Divisor::divides(const DecimalNumber& number) const {
  if (number.is_zero()) {
    return true;
  }
  const std::int64_t scale = number.exponent - static_cast<std::int64_t>(number.digits()) - scale_;
  if (scale < 0) {
    return false;  // it would have to end in a zero, and has none
  }
  std::uint64_t remainder = 0;
  for (std::size_t i = 0; i < number.digits(); ++i) {
    remainder = multiplied(remainder, 10, digits_) + static_cast<std::uint64_t>(number.digit(i) - '0');
    remainder %= digits_;
  }
  return multiplied(remainder, power_of_ten(scale, digits_), digits_) == 0;
}

std::string_view canonical_form(std::string_view text, std::size_t at, std::string& buffer, WorkBudget& budget) {
  const protocol::JsonKind kind = protocol::kind_of(text.substr(at));
  if (kind != protocol::JsonKind::object && kind != protocol::JsonKind::array) {
    const std::string_view raw = text.substr(at, protocol::value_end(text, at) - at);
    budget.spend(raw.size() + 4);
    const bool is_as_spelled = kind == protocol::JsonKind::string   ? is_canonical_string(raw)
                               : kind == protocol::JsonKind::number ? is_canonical_number(raw)
                                                                    : true;
    if (is_as_spelled) {
      return raw;
    }
  }
  buffer.clear();
  CanonicalWriter(text, buffer, budget).value(at);
  return buffer;
}

std::optional<Repetition> find_repetition(std::string_view text, std::size_t at, WorkBudget& budget) {
  struct Element {
    std::size_t begin;
    std::size_t end;
    std::size_t index;
  };
  std::string forms;
  std::vector<Element> elements;
  CanonicalWriter writer(text, forms, budget);
  for (at = protocol::next_token(text, at + 1); text[at] != ']'; at = protocol::next_token(text, at)) {
    const std::size_t begin = forms.size();
    at = writer.value(at);
    elements.push_back({begin, forms.size(), elements.size()});
    if (!budget.spend(compare_units)) {
      return std::nullopt;
    }
  }
  const auto form = [&forms](const Element& e) { return std::string_view(forms).substr(e.begin, e.end - e.begin); };
  std::sort(elements.begin(), elements.end(), [&](const Element& a, const Element& b) {
    const int order = form(a).compare(form(b));
    return order != 0 ? order < 0 : a.index < b.index;
  });
  std::optional<Repetition> found;
  for (std::size_t i = 1; i < elements.size(); ++i) {
    const bool is_earlier = !found || elements[i].index < found->second;
    if (is_earlier && form(elements[i - 1]) == form(elements[i])) {
      found = Repetition{elements[i - 1].index, elements[i].index};
    }
  }
  return found;
}

}  // namespace webhookd::server
