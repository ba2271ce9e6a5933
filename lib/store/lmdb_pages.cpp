#include <cstring>

#include "store/lmdb_pages_impl.hpp"

namespace webhookd::store {

namespace {

// Where things stand in a page, and in a node of one.
constexpr std::size_t at_flags = 10;
constexpr std::size_t at_lower = 12;  // end of the list of nodes; of a long value: how many pages it has (4 bytes)
constexpr std::size_t at_upper = 14;  // begin of the nodes
constexpr std::size_t head_bytes = 16;
constexpr std::size_t node_head_bytes = 8;
constexpr std::size_t at_node_flags = 4;
constexpr std::size_t at_key_size = 6;
constexpr std::size_t number_bytes = 8;
constexpr std::size_t key_bytes_max = 511;
// In the page of the meta data, behind its head.
constexpr std::uint32_t magic = 0xBEEFC0DE;
constexpr std::size_t at_free_list = head_bytes + 24;
constexpr std::size_t table_record_bytes = 48;
constexpr std::size_t at_root = 40;  // in the record of a table
constexpr std::size_t at_main_table = at_free_list + table_record_bytes;
constexpr std::size_t at_transaction = at_main_table + table_record_bytes + number_bytes;

constexpr std::uint16_t branch_page = 1;
constexpr std::uint16_t leaf_page = 2;
constexpr std::uint16_t any_tree_page = branch_page | leaf_page;
constexpr std::uint16_t long_value_page = 4;
constexpr std::uint16_t long_value_node = 1;
constexpr std::uint16_t table_node = 2;
constexpr std::uint64_t no_page = ~std::uint64_t{0};  // the root of an empty tree
constexpr std::uint64_t first_page = 2;               // behind those of the meta data
constexpr int depth_max = 32;

template <class Number>
Number number_at(const unsigned char* place) {
  Number number = 0;
  std::memcpy(&number, place, sizeof number);
  return number;
}

std::uint16_t kind_of(const unsigned char* page) { return number_at<std::uint16_t>(page + at_flags); }

}  // namespace

const unsigned char* PageCheck::find_map(const void* inside, std::size_t page_bytes) {
  const auto* place = static_cast<const unsigned char*>(inside);
  const unsigned char* page = place - reinterpret_cast<std::uintptr_t>(place) % page_bytes;
  const auto number = number_at<std::uint64_t>(page);
  if (number < first_page || number > reinterpret_cast<std::uintptr_t>(page) / page_bytes) {
    return nullptr;
  }
  const unsigned char* map = page - number * page_bytes;
  return number_at<std::uint32_t>(map + head_bytes) == magic ? map : nullptr;
}

const unsigned char* PageCheck::meta() const {
  const bool is_second =
      number_at<std::uint64_t>(page(1) + at_transaction) > number_at<std::uint64_t>(page(0) + at_transaction);
  return page(is_second ? 1 : 0);
}

std::uint64_t PageCheck::root_of_free_list() const { return number_at<std::uint64_t>(meta() + at_free_list + at_root); }

std::uint64_t PageCheck::root_of_main_table() const {
  return number_at<std::uint64_t>(meta() + at_main_table + at_root);
}

std::optional<std::uint64_t> PageCheck::root_of(std::string_view table_record) {
  if (table_record.size() != table_record_bytes) {
    return std::nullopt;
  }
  return number_at<std::uint64_t>(reinterpret_cast<const unsigned char*>(table_record.data()) + at_root);
}

void PageCheck::set_end(std::uint64_t end) {
  end_ = end;
  if (known_.size() < end) {
    known_.resize(end + end / 8);
  }
}

// ---- one page -------------------------------------------------------------------------------------------------

std::size_t PageCheck::count(const unsigned char* page) const {
  return (number_at<std::uint16_t>(page + at_lower) - head_bytes) / sizeof(std::uint16_t);
}

const unsigned char* PageCheck::node(const unsigned char* page, std::size_t index) const {
  return page + number_at<std::uint16_t>(page + head_bytes + index * sizeof(std::uint16_t));
}

std::string_view PageCheck::key(const unsigned char* page, std::size_t index) const {
  const unsigned char* place = node(page, index);
  return {reinterpret_cast<const char*>(place + node_head_bytes), number_at<std::uint16_t>(place + at_key_size)};
}

std::uint64_t PageCheck::child(const unsigned char* page, std::size_t index) const {
  const unsigned char* place = node(page, index);
  return number_at<std::uint32_t>(place) | std::uint64_t{number_at<std::uint16_t>(place + at_node_flags)} << 32;
}

bool PageCheck::is_sound(std::uint64_t number, std::uint16_t kind, bool in_order, const Bounds& bounds) {
  if (number < first_page || number >= end_) {
    return false;
  }
  if (known_[number]) {
    return true;
  }
  const unsigned char* page = this->page(number);
  const auto lower = number_at<std::uint16_t>(page + at_lower);
  const auto upper = number_at<std::uint16_t>(page + at_upper);
  const std::uint16_t found = kind_of(page);
  const bool is_tree_page = (found == branch_page || found == leaf_page) && (found & kind) != 0;
  if (number_at<std::uint64_t>(page) != number || !is_tree_page || lower <= head_bytes || lower % 2 != 0 ||
      lower > upper || upper > page_bytes_ || (found == branch_page && count(page) < 2)) {
    return false;
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count(page); ++i) {
    if (!is_sound_node(page, i, bytes)) {
      return false;
    }
  }
  if (bytes > page_bytes_ - upper || (in_order && !has_sound_keys(page, bounds))) {
    return false;
  }
  known_[number] = true;
  return true;
}

// Adds what the node takes to `bytes`.
bool PageCheck::is_sound_node(const unsigned char* page, std::size_t index, std::size_t& bytes) const {
  const auto upper = number_at<std::uint16_t>(page + at_upper);
  const unsigned char* place = node(page, index);
  const auto offset = static_cast<std::size_t>(place - page);
  if (offset < upper || offset + node_head_bytes > page_bytes_) {
    return false;
  }
  const auto flags = number_at<std::uint16_t>(place + at_node_flags);
  const auto key_size = number_at<std::uint16_t>(place + at_key_size);
  std::size_t value_bytes = 0;
  if (kind_of(page) == leaf_page) {
    const std::size_t size = number_at<std::uint32_t>(place);
    const bool is_long = flags == long_value_node;
    value_bytes = is_long ? number_bytes : size;
    if ((flags != 0 && !is_long && flags != table_node) || key_size == 0) {
      return false;
    }
    const std::size_t end = offset + node_head_bytes + key_size + value_bytes;
    if (end > page_bytes_ || (is_long && !is_sound_long_value(place + node_head_bytes + key_size, size))) {
      return false;
    }
  }
  const std::size_t node_bytes = node_head_bytes + key_size + value_bytes;
  bytes += node_bytes + node_bytes % 2;
  return key_size <= key_bytes_max && offset + node_bytes <= page_bytes_;
}

bool PageCheck::is_sound_long_value(const unsigned char* value, std::size_t bytes) const {
  const auto number = number_at<std::uint64_t>(value);
  const std::uint64_t pages = (head_bytes - 1 + bytes) / page_bytes_ + 1;
  if (number < first_page || number >= end_ || pages > end_ - number) {
    return false;
  }
  const unsigned char* first = page(number);
  return number_at<std::uint64_t>(first) == number && kind_of(first) == long_value_page &&
         number_at<std::uint32_t>(first + at_lower) == pages;
}

bool PageCheck::has_sound_keys(const unsigned char* page, const Bounds& bounds) const {
  const std::size_t first = kind_of(page) == branch_page ? 1 : 0;  // the first key of a branch says nothing
  const std::size_t end = count(page);
  for (std::size_t i = first + 1; i < end; ++i) {
    if (key(page, i) <= key(page, i - 1)) {
      return false;
    }
  }
  return (bounds.low.empty() || key(page, first) >= bounds.low) &&
         (bounds.high.empty() || key(page, end - 1) < bounds.high);
}

// ---- trees ----------------------------------------------------------------------------------------------------

std::size_t PageCheck::find_child(const unsigned char* page, std::string_view key) const {
  std::size_t low = 1;
  std::size_t high = count(page);
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (this->key(page, middle) <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}

bool PageCheck::is_sound_child(const unsigned char* parent, std::size_t index, std::uint16_t kind) {
  const Bounds bounds{index > 0 ? key(parent, index) : std::string_view(),
                      index + 1 < count(parent) ? key(parent, index + 1) : std::string_view()};
  return is_sound(child(parent, index), kind, true, bounds);
}

bool PageCheck::is_sound_way(std::uint64_t root, std::string_view key) {
  if (root == no_page) {
    return true;
  }
  if (!is_sound(root, any_tree_page, true, {})) {
    return false;
  }
  const unsigned char* place = page(root);
  for (int depth = 0; depth < depth_max; ++depth) {
    if (kind_of(place) == leaf_page) {
      return true;
    }
    const std::size_t index = find_child(place, key);
    if (!is_sound_child(place, index, any_tree_page)) {
      return false;
    }
    const unsigned char* next = page(child(place, index));
    if ((index > 0 && !is_sound_child(place, index - 1, kind_of(next))) ||
        (index + 1 < count(place) && !is_sound_child(place, index + 1, kind_of(next)))) {
      return false;
    }
    place = next;
  }
  return false;
}

bool PageCheck::is_sound_tree(std::uint64_t root, int depth) {
  if (root == no_page) {
    return true;
  }
  if (depth > depth_max || !is_sound(root, any_tree_page, false, {})) {
    return false;
  }
  const unsigned char* place = page(root);
  for (std::size_t i = 0; kind_of(place) == branch_page && i < count(place); ++i) {
    if (!is_sound_tree(child(place, i), depth + 1)) {
      return false;
    }
  }
  return true;
}

}  // namespace webhookd::store
