// Lines to the daemon, as newline-delimited requests of bounded size on one kept-alive connection, so that neither side
// holds more than one of them. Each answer line belongs to the line of the same place.
//
// Never here: what the lines and the answers mean.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session.hpp"

namespace webhookd::whctl {

class LineSender {
 public:
  using TakeAnswer = std::function<void(Json answer, std::uint64_t line)>;

  LineSender(Session& session, std::string target, TakeAnswer take)
      : session_(session), target_(std::move(target)), take_(std::move(take)) {}

  // A request goes out when it is full.
  client::Result<void> add(std::string_view line, std::uint64_t number);
  // What is left, now.
  client::Result<void> flush();
  // The first and the last line that got no answer.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> unanswered() const;

 private:
  client::Result<void> take_answers(std::string_view answers);

  Session& session_;
  std::string target_;
  TakeAnswer take_;
  std::string body_;
  std::vector<std::uint64_t> numbers_;  // of the lines in body_
};

bool is_blank(std::string_view line);

}  // namespace webhookd::whctl
