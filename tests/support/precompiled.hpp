// What lib/precompiled.hpp is to the libraries, for the test programs.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "precompiled.hpp"
