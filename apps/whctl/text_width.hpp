// How wide a text is on a terminal, by the rules of wcwidth(3): wide characters take two columns, marks that join take
// none, everything else one; and cutting to a width. From tables of our own, so that it needs no locale. Text is
// already safe (safe_text.hpp).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace webhookd::whctl {

std::size_t display_width(std::string_view text);
// At most `width` columns, ending in the ellipsis when something was cut; width >= 1.
std::string cut_to_width(std::string_view text, std::size_t width, std::string_view ellipsis = "\u2026");

}  // namespace webhookd::whctl
