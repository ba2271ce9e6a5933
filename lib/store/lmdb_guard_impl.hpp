// Calls into LMDB over a file that may be damaged. LMDB trusts its pages: where one is not what it must be, LMDB ends
// the process by an assertion, or follows a number to where nothing is mapped (SIGSEGV, SIGBUS; SIGBUS is also how a
// disk that cannot be read reports itself). Neither may end the daemon: of a guarded call both become a status.
//
// The call is left by siglongjmp, out of LMDB's report of the assertion or out of the signal's handler. It passes over
// frames of LMDB alone, which are C and have nothing to undo, and it needs neither memory nor unwind tables, which an
// exception would. What LMDB had begun stays as it lies. So only what is known to be safe is done with it afterwards:
// cursors and reading transactions are closed, a writing one is aborted when the call read, and abandoned when it wrote
// (WriteTransaction says why).
//
// Private to this folder. Never here: faults outside of a guarded call, which end the process as ever.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <string>

namespace webhookd::store {

// Beside LMDB's own.
inline constexpr int page_is_damaged = -29'000;        // a guarded call was left
inline constexpr int keys_are_out_of_order = -29'001;  // a walk met a key that was behind it already
inline constexpr int key_is_foreign = -29'002;         // a key that its table cannot have
inline constexpr int writer_is_lost = -29'003;         // a write was left in its midst before

// The pages of the store do not hang together: more than one record is lost.
bool is_structural_damage(int status);
// LMDB's words, or ours.
std::string status_text(int status);

// Makes LMDB's assertions of this environment, and this process's faults, ends of guarded calls.
void guard_against_damage(MDB_env* env);

// What `call` answers, or page_is_damaged. `call` calls LMDB and has nothing to destroy.
int run_guarded(int (*call)(void*), void* with);
template <class Call>
int guarded(Call call) {
  return run_guarded([](void* with) { return (*static_cast<Call*>(with))(); }, &call);
}

// Reads a byte of each page of these bytes, so that whoever reads them afterwards does not fault; or, where they may be
// many and only the first are wanted, of the first and the last. Inside a guarded call.
enum class Reach : std::uint8_t { whole, ends };
void touch(const MDB_val& bytes, Reach reach);

}  // namespace webhookd::store
