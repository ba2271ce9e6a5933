// One record to systemd's journal in its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of fields, so
// that `journalctl WEBHOOK_ID=wh_…` finds what happened to one webhook. Whether standard error is the journal's already
// is the manager's word in JOURNAL_STREAM.
#pragma once

#include <string>
#include <string_view>

namespace webhookd::daemon {

// True when standard error leads into the journal.
bool is_journal_on_stderr();

// A datagram is built up field by field; names are upper case. A value may hold any bytes.
void append_journal_field(std::string& datagram, std::string_view name, std::string_view value);

class Journal {
 public:
  static constexpr const char* system_socket = "/run/systemd/journal/socket";

  explicit Journal(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Any thread; does not wait. False when nobody took it.
  bool send(std::string_view datagram) const;

 private:
  int socket_ = -1;
};

}  // namespace webhookd::daemon
