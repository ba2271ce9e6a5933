// A move-only callable, because std::function copies and std::move_only_function is C++23. It exists so that
// completions can own what they carry (payloads, promises) and travel between threads by move.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "base/result.hpp"

namespace webhookd::base {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> && std::is_invocable_r_v<R, F&, Args...>)
      UniqueFunction(F f)  // NOLINT(google-explicit-constructor): a callable is a UniqueFunction
      : held_(std::make_unique<Holder<F>>(std::move(f))) {}

  explicit operator bool() const { return held_ != nullptr; }
  R operator()(Args... args) { return held_->call(std::forward<Args>(args)...); }

 private:
  struct Callable {
    virtual ~Callable() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Holder final : Callable {
    explicit Holder(F f) : function(std::move(f)) {}
    R call(Args... args) override { return function(std::forward<Args>(args)...); }
    F function;
  };
  std::unique_ptr<Callable> held_;
};

using Task = UniqueFunction<void()>;

// Called exactly once with the value or the error of an asynchronous call.
template <class T>
using Completion = UniqueFunction<void(Result<T>)>;

}  // namespace webhookd::base
