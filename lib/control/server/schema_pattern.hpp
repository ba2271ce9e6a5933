// A regular expression of a schema, matched in time that is linear in the text whatever the two are. That is RE2: it
// has no look-around and no back references, so a pattern that needs them cannot be used, and says so when it is put.
//
// Never here: std::regex, which backtracks, and by recursion, so that a long string ends the process.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace webhookd::server {

class SchemaPattern {
 public:
  // Errors: it is no regular expression, or a too large one (invalid_field, without a field).
  static base::Result<SchemaPattern> compile(const std::string& text);

  bool is_found_in(std::string_view text) const;
  // What looking for it costs for each byte of a text, in the units of a WorkBudget.
  std::size_t units_per_byte() const;
  const std::string& text() const;

 private:
  struct Compiled;
  explicit SchemaPattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace webhookd::server
