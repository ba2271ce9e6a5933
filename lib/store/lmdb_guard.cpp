#include <setjmp.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <mutex>

#include "store/lmdb_guard_impl.hpp"

namespace webhookd::store {

namespace {

constexpr std::size_t smallest_page = 4096;
constexpr std::array fault_signals = {SIGSEGV, SIGBUS};

struct StatusText {
  int status;
  bool is_damage;
  const char* text;
};
// What damage looks like, and words for those that LMDB has none for, or none that say what it means for us.
constexpr std::array<StatusText, 10> statuses = {{
    {page_is_damaged, true, "a page of the file is damaged"},
    {keys_are_out_of_order, true, "its keys are out of order: a page of the file is damaged"},
    {key_is_foreign, true, "it has a key of another table: a page of the file is damaged"},
    {writer_is_lost, true,
     "a page of the file is damaged, and a change that met it could not be undone: nothing is written until "
     "webhookd is started again"},
    {MDB_CORRUPTED, true, nullptr},
    {MDB_PAGE_NOTFOUND, true, nullptr},
    {MDB_CURSOR_FULL, true, nullptr},
    {MDB_BAD_VALSIZE, true, nullptr},
    {MDB_INCOMPATIBLE, true, nullptr},
    {MDB_PANIC, false,
     "the disk refused the last step of a commit, and LMDB works no more until webhookd is started again"},
}};

// Of this thread's guarded call; null outside of one. Read by the handler of a signal.
thread_local sigjmp_buf* volatile way_out = nullptr;

// What was done about these signals before.
std::array<struct sigaction, fault_signals.size()> before;

// A fault of the kernel's inside a guarded call leaves it. Any other is met again with what was done about it before.
void leave_on_fault(int signal, siginfo_t* info, void*) {
  if (way_out != nullptr && info->si_code > 0) {
    siglongjmp(*way_out, 1);
  }
  const auto at = std::find(fault_signals.begin(), fault_signals.end(), signal);
  ::sigaction(signal, &before[static_cast<std::size_t>(at - fault_signals.begin())], nullptr);
  if (info->si_code <= 0) {
    ::raise(signal);
  }
}

void leave_on_assertion(MDB_env*, const char* words) {
  if (way_out != nullptr) {
    siglongjmp(*way_out, 1);
  }
  std::fprintf(stderr, "%s\n", words);  // LMDB ends the process when this returns
}

// Again with each environment: whoever ran meanwhile may have put its own handler in the place of ours.
void watch_faults() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  struct sigaction ours {};
  ours.sa_sigaction = leave_on_fault;
  ours.sa_flags = SA_SIGINFO | SA_NODEFER;  // so that leaving the handler needs no mask to be set back
  sigemptyset(&ours.sa_mask);
  for (std::size_t i = 0; i < fault_signals.size(); ++i) {
    struct sigaction present {};
    ::sigaction(fault_signals[i], nullptr, &present);
    if ((present.sa_flags & SA_SIGINFO) == 0 || present.sa_sigaction != leave_on_fault) {
      before[i] = present;
      ::sigaction(fault_signals[i], &ours, nullptr);
    }
  }
}

const StatusText* find_status(int status) {
  const auto at = std::find_if(statuses.begin(), statuses.end(),
                               [status](const StatusText& known) { return known.status == status; });
  return at == statuses.end() ? nullptr : &*at;
}

}  // namespace

bool is_structural_damage(int status) {
  const StatusText* known = find_status(status);
  return known != nullptr && known->is_damage;
}

std::string status_text(int status) {
  const StatusText* known = find_status(status);
  return known != nullptr && known->text != nullptr ? known->text : mdb_strerror(status);
}

void guard_against_damage(MDB_env* env) {
  watch_faults();
  mdb_env_set_assert(env, leave_on_assertion);
}

int run_guarded(int (*call)(void*), void* with) {
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) {
    way_out = nullptr;
    return page_is_damaged;
  }
  way_out = &here;
  const int status = call(with);
  way_out = nullptr;
  return status;
}

void touch(const MDB_val& bytes, Reach reach) {
  const auto* first = static_cast<const volatile std::byte*>(bytes.mv_data);
  const std::size_t end = reach == Reach::whole ? bytes.mv_size : std::min(bytes.mv_size, smallest_page);
  for (std::size_t at = 0; at < end; at += smallest_page) {
    static_cast<void>(first[at]);
  }
  if (bytes.mv_size > 0) {
    static_cast<void>(first[bytes.mv_size - 1]);
  }
}

}  // namespace webhookd::store
