// The pages of LMDB's file, looked at before LMDB rewrites them. LMDB copies a page that it changes and moves bytes in
// the copy by the numbers that stand in it: of a damaged page they destroy the memory of the process, which no guard
// can undo. So the way to each key that is written is walked first, in the tree as it was last committed, and each page
// on it and beside it is held against LMDB's format: once in the life of the process, as later versions of it are our
// own.
//
// The format is that of LMDB 0.9 on 64 bits (its data version 1, which LMDB itself checks at open).
//
// Private to this folder. Never here: what rows mean; pages that are only read (lmdb_guard_impl.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace webhookd::store {

class PageCheck {
 public:
  // `map`: where LMDB has mapped the file.
  PageCheck(const unsigned char* map, std::size_t page_bytes) : map_(map), page_bytes_(page_bytes) {}

  // The first page of the map, when `inside` points into a leaf page of it.
  static const unsigned char* find_map(const void* inside, std::size_t page_bytes);

  // Of the last commit.
  std::uint64_t root_of_free_list() const;
  std::uint64_t root_of_main_table() const;
  // From the record of a table in the table of tables; nothing when it is none.
  static std::optional<std::uint64_t> root_of(std::string_view table_record);

  // The pages on the way to `key` and their neighbours are sound, in a tree of the last commit. `end`: the first page
  // that was never used. All of it runs inside a guarded call.
  bool is_sound_way(std::uint64_t root, std::string_view key);
  // All pages of a tree whose keys are numbers.
  bool is_sound_tree(std::uint64_t root) { return is_sound_tree(root, 0); }
  // Before the two above, outside of a guarded call.
  void set_end(std::uint64_t end);

 private:
  struct Bounds {  // of keys: from `low`, below `high`; empty: none
    std::string_view low;
    std::string_view high;
  };

  const unsigned char* page(std::uint64_t number) const { return map_ + number * page_bytes_; }
  const unsigned char* meta() const;
  std::size_t count(const unsigned char* page) const;
  const unsigned char* node(const unsigned char* page, std::size_t index) const;
  std::string_view key(const unsigned char* page, std::size_t index) const;
  std::uint64_t child(const unsigned char* page, std::size_t index) const;
  std::size_t find_child(const unsigned char* page, std::string_view key) const;

  bool is_sound_tree(std::uint64_t root, int depth);
  bool is_sound_child(const unsigned char* parent, std::size_t index, std::uint16_t kind);
  bool is_sound(std::uint64_t number, std::uint16_t kind, bool in_order, const Bounds& bounds);
  bool is_sound_node(const unsigned char* page, std::size_t index, std::size_t& bytes) const;
  bool is_sound_long_value(const unsigned char* value, std::size_t bytes) const;
  bool has_sound_keys(const unsigned char* page, const Bounds& bounds) const;

  const unsigned char* map_;
  std::size_t page_bytes_;
  std::uint64_t end_ = 0;
  std::vector<bool> known_;  // to be sound
};

}  // namespace webhookd::store
