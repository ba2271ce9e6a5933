#include "fuzz/mutator.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace webhookd::fuzz {

namespace {

using namespace std::string_view_literals;

// What parsers look at.
constexpr std::array tokens = {
    "\0"sv,
    "\r\n"sv,
    "\r\n\r\n"sv,
    "\n"sv,
    "\t"sv,
    " "sv,
    "\x7f"sv,
    "\x80"sv,
    "\xff"sv,
    "\xc2"sv,
    "%"sv,
    "%00"sv,
    "%2F"sv,
    "\\"sv,
    "\\u0000"sv,
    "\\ud800"sv,
    "\""sv,
    "{"sv,
    "}"sv,
    "["sv,
    "]"sv,
    ":"sv,
    ","sv,
    "{\"\":"sv,
    "null"sv,
    "true"sv,
    "-"sv,
    "0"sv,
    "-1"sv,
    "1e999"sv,
    "1e-999"sv,
    "0.0000000001"sv,
    "255"sv,
    "256"sv,
    "65536"sv,
    "2147483648"sv,
    "4294967296"sv,
    "9223372036854775807"sv,
    "18446744073709551616"sv,
    "99999999999999999999999999"sv,
    "."sv,
    "/"sv,
    "//"sv,
    "::"sv,
    "@"sv,
    "#"sv,
    "?"sv,
    "&"sv,
    "="sv,
    ";"sv,
    "'''"sv,
    "\"\"\""sv,
    "chunked"sv,
    "Content-Length: "sv,
    "Transfer-Encoding: "sv,
    "\xef\xbb\xbf"sv,
    "\xe2\x80\xae"sv,
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv,
};

std::size_t any_place(const std::string& text, base::Random& random) { return random.below(text.size() + 1); }

std::string any_piece(const std::string& text, base::Random& random, std::size_t bytes_max) {
  const std::size_t at = any_place(text, random);
  return text.substr(at, random.below(bytes_max) + 1);
}

void flip_bit(std::string& text, base::Random& random, const std::vector<std::string>&) {
  if (!text.empty()) {
    char& byte = text[random.below(text.size())];
    byte = static_cast<char>(byte ^ (1 << random.below(8)));
  }
}

void set_byte(std::string& text, base::Random& random, const std::vector<std::string>&) {
  if (!text.empty()) {
    text[random.below(text.size())] = static_cast<char>(random.below(256));
  }
}

void insert_token(std::string& text, base::Random& random, const std::vector<std::string>&) {
  text.insert(any_place(text, random), tokens[random.below(tokens.size())]);
}

void overwrite_with_token(std::string& text, base::Random& random, const std::vector<std::string>&) {
  const std::string_view token = tokens[random.below(tokens.size())];
  text.replace(any_place(text, random), token.size(), token);
}

void erase_piece(std::string& text, base::Random& random, const std::vector<std::string>&) {
  text.erase(any_place(text, random), random.below(16) + 1);
}

void move_piece(std::string& text, base::Random& random, const std::vector<std::string>&) {
  const std::string piece = any_piece(text, random, 64);
  text.insert(any_place(text, random), piece);
}

void take_from_a_seed(std::string& text, base::Random& random, const std::vector<std::string>& seeds) {
  const std::string piece = any_piece(seeds[random.below(seeds.size())], random, 64);
  text.insert(any_place(text, random), piece);
}

void splice_with_a_seed(std::string& text, base::Random& random, const std::vector<std::string>& seeds) {
  const std::string& other = seeds[random.below(seeds.size())];
  text.resize(any_place(text, random));
  text += other.substr(any_place(other, random));
}

// Depth, length and number: what is slow when it is quadratic.
void repeat_piece(std::string& text, base::Random& random, const std::vector<std::string>&) {
  const std::string piece = any_piece(text, random, 24);
  std::string many;
  const std::size_t count = std::size_t{1} << random.below(12);
  for (std::size_t i = 0; i < count && many.size() < input_bytes_max; ++i) {
    many += piece;
  }
  text.insert(any_place(text, random), many);
}

using Mutation = void (*)(std::string& text, base::Random& random, const std::vector<std::string>& seeds);
constexpr std::array<Mutation, 9> mutations = {flip_bit,    set_byte,   insert_token,     overwrite_with_token,
                                               erase_piece, move_piece, take_from_a_seed, splice_with_a_seed,
                                               repeat_piece};
constexpr std::uint64_t rarely = 40;  // repetition makes inputs that cost much

}  // namespace

std::string mutated(const std::vector<std::string>& seeds, base::Random& random) {
  std::string text = seeds[random.below(seeds.size())];
  for (std::uint64_t left = random.below(6) + 1; left > 0; --left) {
    const bool repeats = random.below(rarely) == 0;
    const Mutation mutation = repeats ? mutations.back() : mutations[random.below(mutations.size() - 1)];
    mutation(text, random, seeds);
  }
  text.resize(std::min(text.size(), input_bytes_max));
  return text;
}

}  // namespace webhookd::fuzz
