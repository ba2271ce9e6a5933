// Programs under a sanitizer take several times the memory and time: bounds of either are not held against them, and
// what is repeated for its numbers is repeated less.
#pragma once

namespace webhookd::support {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

// ThreadSanitizer looks up each address in a table of its own before it is used, and dies of those that lie nowhere.
#ifdef __SANITIZE_THREAD__
inline constexpr bool is_thread_sanitized = true;
#else
inline constexpr bool is_thread_sanitized = false;
#endif

}  // namespace webhookd::support
