// The headers of the standard library that most units read, read once for a whole build: they are half of what a unit
// costs. It is given to the compiler by CMake alone and included by nobody, and every file still includes what it uses:
// the preset `clang` and clang-tidy read without it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
