// The mirror's protocol (src/mirror/protocol.ts) in C++: what it costs where nothing stands between it and the processor.
//
//     g++ -O2 -std=c++20 -pthread floor.cpp -o floor && ./floor MILLISECONDS SIZE...
//
// Writes one JSON object a line: { "what": …, "bytes": …, "value": nanoseconds }. No checksum: it would be a measure of zlib, not of the protocol.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using Clock = std::chrono::steady_clock;
using Word = std::atomic<int32_t>;

constexpr int SLOTS = 2;
constexpr int32_t BEING_WRITTEN = -1;
constexpr int TRIES = 4;

// As in src/mirror/layout.ts: VERSION alone in its line, a sequence word in front of each slot.
struct alignas(128) Line {
  Word word{0};
};
struct alignas(64) Slot {
  Word seq{BEING_WRITTEN};
  Word length{0};
};
struct Ring {
  Line version;
  Slot slots[SLOTS];
  uint8_t *data[SLOTS];
};

static void publish(Ring &ring, const uint8_t *bytes, size_t length) {
  const int32_t previous = ring.version.word.load();
  const int32_t version = (previous + 1) & 0x7fffffff;
  Slot &slot = ring.slots[version & (SLOTS - 1)];
  slot.seq.exchange(BEING_WRITTEN);
  slot.length.store(static_cast<int32_t>(length));
  std::memcpy(ring.data[version & (SLOTS - 1)], bytes, length);
  slot.seq.store(version);
  int32_t expected = previous;
  if (!ring.version.word.compare_exchange_strong(expected, version)) std::abort();
  ring.version.word.notify_all();
}

static bool take(Ring &ring, uint8_t *into, size_t &length) {
  for (int attempt = 0; attempt < TRIES; attempt++) {
    const int32_t version = ring.version.word.load();
    Slot &slot = ring.slots[version & (SLOTS - 1)];
    if (slot.seq.load() != version) continue;
    length = static_cast<size_t>(slot.length.load());
    std::memcpy(into, ring.data[version & (SLOTS - 1)], length);
    if (slot.seq.fetch_or(0) == version) return true;
  }
  return false;
}

static double since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

static double median(std::vector<double> samples) {
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  return samples[samples.size() / 2];
}

static void tell(const char *what, size_t bytes, double value) {
  std::printf("{\"what\":\"%s\",\"bytes\":%zu,\"value\":%.3f}\n", what, bytes, value);
}

// The median over blocks of what one call of `work(n)` costs for each of its n rounds.
template <typename Work> static double cost(double milliseconds, long rounds, Work work) {
  std::vector<double> samples;
  const auto begin = Clock::now();
  while (samples.size() < 3 || since(begin) < milliseconds * 1e6) {
    const auto start = Clock::now();
    work(rounds);
    samples.push_back(since(start) / static_cast<double>(rounds));
  }
  return median(samples);
}

// Keeps a value from being optimized away, and a loop from being turned into one step.
static inline void keep(const void *value) { asm volatile("" : : "r"(value) : "memory"); }

// A read: is the version still the one whose object we have?
static void reads(Ring &ring, double milliseconds) {
  const int32_t seen = ring.version.word.load();
  int object = 1;
  const int *current = &object;
  const long rounds = 200'000;
  tell("read, inlined check", 0, cost(milliseconds, rounds, [&](long n) {
         for (long i = 0; i < n; i++) keep(ring.version.word.load(std::memory_order_relaxed) == seen ? current : nullptr);
       }));
  tell("read, acquiring check", 0, cost(milliseconds, rounds, [&](long n) {
         for (long i = 0; i < n; i++) keep(ring.version.word.load(std::memory_order_acquire) == seen ? current : nullptr);
       }));
  tell("read, no check", 0, cost(milliseconds, rounds, [&](long n) {
         for (long i = 0; i < n; i++) keep(current);
       }));
}

static uint8_t *pages(size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  std::memset(memory, 1, bytes);
  return static_cast<uint8_t *>(memory);
}

static void copies(double milliseconds, size_t bytes) {
  auto ring = std::make_unique<Ring>();
  for (auto &data : ring->data) data = pages(bytes);
  uint8_t *source = pages(bytes);
  uint8_t *target = pages(bytes);
  const long rounds = std::max<long>(1, static_cast<long>(2'000'000 / bytes));
  tell("copy", bytes, cost(milliseconds, rounds, [&](long n) {
         for (long i = 0; i < n; i++) {
           std::memcpy(target, source, bytes);
           keep(target);
         }
       }));
  tell("publish", bytes, cost(milliseconds, rounds, [&](long n) {
         for (long i = 0; i < n; i++) publish(*ring, source, bytes);
       }));
  size_t length = 0;
  tell("take", bytes, cost(milliseconds, rounds, [&](long n) {
         for (long i = 0; i < n; i++)
           if (!take(*ring, target, length)) std::abort();
       }));
  // Ours decodes from memory of its own, which the system gives page by page, each one zeroed.
  tell("take into fresh memory", bytes, cost(milliseconds, rounds, [&](long n) {
         for (long i = 0; i < n; i++) {
           void *fresh = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
           if (fresh == MAP_FAILED || !take(*ring, static_cast<uint8_t *>(fresh), length)) std::abort();
           munmap(fresh, bytes);
         }
       }));
  for (auto &data : ring->data) munmap(data, bytes);
  munmap(source, bytes);
  munmap(target, bytes);
}

// Of a change of a word, and the answer to it, half: the other side looks at the word without a pause.
static void answerSpinning(Line *lines) {
  for (int32_t seen = 0;; seen++) {
    while (lines[0].word.load() == seen) {
    }
    if (lines[0].word.load() < 0) return;
    lines[1].word.store(seen + 1);
  }
}

static double spinning(Line *lines, double milliseconds) {
  int32_t sent = 0;
  const double trip = cost(milliseconds, 5, [&](long n) {
    for (long i = 0; i < n; i++) {
      lines[0].word.store(++sent);
      while (lines[1].word.load() != sent) {
      }
    }
  });
  lines[0].word.store(-1);
  return trip / 2;
}

// The same, where the other side sleeps in the kernel until a byte of a pipe wakes it.
static void answerWoken(int in, int out) {
  char byte = 0;
  while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1) {
  }
}

static double woken(int out, int in, double milliseconds) {
  char byte = 1;
  return cost(milliseconds, 20, [&](long n) {
           for (long i = 0; i < n; i++)
             if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1) std::abort();
         }) /
         2;
}

static void visibility(double milliseconds) {
  {
    auto lines = std::make_unique<Line[]>(2);
    std::thread other(answerSpinning, lines.get());
    tell("visible in another thread, spinning", 0, spinning(lines.get(), milliseconds));
    other.join();
  }
  int there[2], back[2];
  if (pipe(there) != 0 || pipe(back) != 0) std::abort();
  {
    std::thread other(answerWoken, there[0], back[1]);
    tell("visible in another thread, woken", 0, woken(there[1], back[0], milliseconds));
    close(there[1]);
    other.join();
  }
  auto *lines = new (pages(2 * sizeof(Line))) Line[2];
  std::fflush(stdout);
  if (fork() == 0) {
    answerSpinning(lines);
    _exit(0);
  }
  tell("visible in another process, spinning", 0, spinning(lines, milliseconds));
  wait(nullptr);
}

int main(int count, char **words) {
  if (count < 2) return 2;
  const double milliseconds = std::atof(words[1]);
  auto ring = std::make_unique<Ring>();
  for (auto &data : ring->data) data = pages(4096);
  uint8_t bytes[8] = {1};
  publish(*ring, bytes, sizeof bytes);
  reads(*ring, milliseconds);
  for (int i = 2; i < count; i++) copies(milliseconds, static_cast<size_t>(std::atoll(words[i])));
  visibility(milliseconds);
}
