// ./dev bench [NAME...]: measures the rows against their ceilings, interleaved in rounds, and prints one table and one
// JSON file beside the programs' build. A ratio is the median over the rounds; absolute numbers are of this machine.
// BENCH_ROUNDS, BENCH_SECONDS, BENCH_QUEUE and BENCH_GROWTH make it shorter, for trying the bench itself.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/rows.hpp"

namespace {

using namespace bench;

// All rounds of one line.
struct Result {
  Line last;
  std::vector<Line> rounds;

  double median_of(double (*value)(const Line&)) const {
    std::vector<double> values;
    std::transform(rounds.begin(), rounds.end(), std::back_inserter(values), value);
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  double ceiling() const {
    return median_of([](const Line& line) { return line.ceiling; });
  }
  double ours() const {
    return median_of([](const Line& line) { return line.ours; });
  }
  double ratio() const {
    return median_of([](const Line& line) { return line.ratio(); });
  }
  double cpu_each() const {
    return median_of([](const Line& line) { return line.cpu_each; });
  }
  bool is_met() const { return last.is_limit ? ratio() <= last.goal : ratio() >= last.goal; }
};

double number_from(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::max(0.0, std::atof(text));
}

std::vector<const Row*> selected_rows(int argc, char** argv) {
  std::vector<const Row*> selected;
  for (const Row& row : rows()) {
    const bool is_named = std::any_of(argv + 1, argv + argc, [&](const char* name) { return row.name == name; });
    if (argc == 1 || is_named) {
      selected.push_back(&row);
    }
  }
  return selected;
}

bool names_unknown_row(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](const std::string& name) {
    return std::none_of(rows().begin(), rows().end(), [&](const Row& row) { return row.name == name; });
  });
}

void add(std::vector<Result>& results, const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    auto found =
        std::find_if(results.begin(), results.end(), [&](const Result& r) { return r.last.name == line.name; });
    if (found == results.end()) {
      found = results.insert(results.end(), Result{});
    }
    found->last = line;
    found->rounds.push_back(line);
  }
}

void print_table(const std::vector<Result>& results) {
  std::printf("\n%-34s %-20s %12s %12s %-13s %7s %8s %9s\n", "ROW", "CEILING", "CEILING", "OURS", "UNIT", "RATIO",
              "GOAL", "CPU us");
  for (const Result& result : results) {
    const Line& line = result.last;
    std::printf("%-34s %-20s %12.0f %12.0f %-13s %7.2f %s%6.2f %9.1f  %s\n", line.name.c_str(), line.reference.c_str(),
                result.ceiling(), result.ours(), line.unit.c_str(), result.ratio(),
                line.is_limit ? "<=" : ">=", line.goal, result.cpu_each(), result.is_met() ? "met" : "short");
  }
}

void write_json(const std::vector<Result>& results, unsigned rounds, const std::string& path) {
  nlohmann::json list = nlohmann::json::array();
  for (const Result& result : results) {
    const Line& line = result.last;
    std::vector<double> ratios;
    std::transform(result.rounds.begin(), result.rounds.end(), std::back_inserter(ratios),
                   [](const Line& round) { return round.ratio(); });
    list.push_back({{"row", line.name},
                    {"ceiling_is", line.reference},
                    {"ceiling", result.ceiling()},
                    {"ours", result.ours()},
                    {"unit", line.unit},
                    {"ratio", result.ratio()},
                    {"ratios", ratios},
                    {"goal", line.goal},
                    {"goal_is", line.is_limit ? "at most" : "at least"},
                    {"met", result.is_met()},
                    {"cpu_us_each", result.cpu_each()}});
  }
  std::ofstream(path) << nlohmann::json{{"rounds", rounds}, {"rows", list}}.dump(2) << "\n";
}

std::vector<Result> run(const Bench& bench, const std::vector<const Row*>& selected, unsigned rounds) {
  std::vector<Result> results;
  for (unsigned round = 1; round <= rounds; ++round) {
    for (const Row* row : selected) {
      if (!row->is_once || round == rounds) {
        std::fprintf(stderr, "round %u of %u: %s (%s)\n", round, rounds, std::string(row->name).c_str(),
                     std::string(row->about).c_str());
        add(results, row->measure(bench));
      }
    }
  }
  return results;
}

int measure(const std::vector<const Row*>& selected) {
  Bench bench;
  bench.directory = std::filesystem::absolute("build/bench").string();
  std::filesystem::create_directories(bench.directory);
  bench.programs = BENCH_PROGRAMS;
  bench.seconds = number_from("BENCH_SECONDS", bench.seconds);
  bench.queue = static_cast<unsigned>(number_from("BENCH_QUEUE", bench.queue));
  bench.growth = static_cast<unsigned>(number_from("BENCH_GROWTH", bench.growth));
  const auto rounds = std::max(1U, static_cast<unsigned>(number_from("BENCH_ROUNDS", 5)));
  const std::string board = bench.directory + "/board";
  bench.board = map_board(board);
  Process receiver({bench.programs + "/bench_receiver", board});
  bench.receiver_port = static_cast<unsigned>(std::stoul(receiver.read_line()));
  bench.receiver_url = "http://127.0.0.1:" + std::to_string(bench.receiver_port);
  const std::vector<Result> results = run(bench, selected, rounds);
  print_table(results);
  const std::string path = bench.directory + "/result.json";
  write_json(results, rounds, path);
  std::printf("\nwritten to build/bench/result.json\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (names_unknown_row(argc, argv)) {
    std::fputs("usage: bench [accept|delivery|end-to-end|growth|tool]...\n", stderr);
    return 2;
  }
  try {
    return measure(selected_rows(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
