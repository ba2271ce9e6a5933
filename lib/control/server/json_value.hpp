// JSON values compared by what they mean, from their text: numbers by value (1, 1.0 and 10e-1 are one number, and no
// digit is lost, however many there are), strings by what they decode to, objects whatever the order of their members.
// A schema asks this for enum, const, uniqueItems and the bounds of numbers.
//
// Two values are equal when their canonical forms are the same bytes, so a set of values is looked up in a sorted list
// and repetitions are found by sorting, never by comparing each with each. For nearly every scalar the canonical form
// is its own spelling, and nothing is copied.
//
// All work is paid from a budget, so that no text can make it endless; who overdraws it gets something that is not to
// be used.
//
// Never here: double; a tree of the value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webhookd::server {

// One unit is about a nanosecond of work.
class WorkBudget {
 public:
  explicit WorkBudget(std::int64_t units) : left_(units) {}
  bool spend(std::size_t units) {
    left_ -= static_cast<std::int64_t>(units);
    return left_ >= 0;
  }
  bool is_over() const { return left_ < 0; }
  void end() { left_ = -1; }

 private:
  std::int64_t left_;
};

// A number as 0.DIGITS times ten to the exponent; DIGITS have no zero at either end, and none at all are zero. They are
// pieces of the number's text.
struct DecimalNumber {
  bool is_negative = false;
  std::string_view head;
  std::string_view tail;
  std::int64_t exponent = 0;

  // `text` is a number of a checked text.
  static DecimalNumber of(std::string_view text);
  std::size_t digits() const { return head.size() + tail.size(); }
  char digit(std::size_t index) const { return index < head.size() ? head[index] : tail[index - head.size()]; }
  bool is_zero() const { return digits() == 0; }
  bool is_whole() const { return exponent >= static_cast<std::int64_t>(digits()); }
};

// Less than, equal to or more than 0, as `a` is to `b`.
int compare(const DecimalNumber& a, const DecimalNumber& b);

// What multipleOf divides by.
class Divisor {
 public:
  // Nothing unless it is above 0 and has at most 18 significant digits.
  static std::optional<Divisor> of(const DecimalNumber& number);
  bool divides(const DecimalNumber& number) const;

 private:
  std::uint64_t digits_ = 1;
  std::int64_t scale_ = 0;  // the divisor is digits times ten to the scale
};

// The canonical form of the value that starts at `at` of a checked text: a piece of the text, or else of `buffer`.
std::string_view canonical_form(std::string_view text, std::size_t at, std::string& buffer, WorkBudget& budget);

struct Repetition {
  std::size_t first;
  std::size_t second;
};
// Two equal ones of the elements of the array that starts at `at` of a checked text: the first that is repeated.
std::optional<Repetition> find_repetition(std::string_view text, std::size_t at, WorkBudget& budget);

}  // namespace webhookd::server
