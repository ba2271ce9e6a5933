#include "control/server/schema_pattern.hpp"

#include <re2/re2.h>

namespace webhookd::server {

namespace {

constexpr std::size_t pattern_bytes_max = 4096;
constexpr std::int64_t pattern_memory = 1 << 20;  // of its automaton, which is built as it is needed
constexpr int instructions_max = 2000;

RE2::Options pattern_options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(pattern_memory);
  return options;
}

base::Error unusable(const std::string& why) {
  return {base::ErrorCode::invalid_field, "cannot be used as a pattern: " + why, {}};
}

}  // namespace

struct SchemaPattern::Compiled {
  explicit Compiled(const std::string& text) : expression(text, pattern_options()) {}
  RE2 expression;
};

base::Result<SchemaPattern> SchemaPattern::compile(const std::string& text) {
  if (text.size() > pattern_bytes_max) {
    return unusable("it has more than " + std::to_string(pattern_bytes_max) + " bytes");
  }
  auto compiled = std::make_shared<const Compiled>(text);
  if (!compiled->expression.ok()) {
    return unusable(compiled->expression.error() + " (RE2: no look-around, no back references)");
  }
  if (compiled->expression.ProgramSize() > instructions_max) {
    return unusable("it repeats too much");
  }
  return SchemaPattern(std::move(compiled));
}

bool SchemaPattern::is_found_in(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->expression);
}

std::size_t SchemaPattern::units_per_byte() const {
  return 1 + static_cast<std::size_t>(compiled_->expression.ProgramSize()) / 8;
}

const std::string& SchemaPattern::text() const { return compiled_->expression.pattern(); }

}  // namespace webhookd::server
