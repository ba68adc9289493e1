/* The MPI and memory probe. As an MPI program with one rank on each node, rank 0 prints one line of
 * JSON: who the ranks are, and the median times of point-to-point messages and collectives, so that
 * a single slow round has no effect. `nucleus-pingpong links` measures the link between each pair
 * of ranks, one pair at a time. `nucleus-pingpong memory` runs without MPI and prints the bandwidth
 * of the triad a[i] = b[i] + s * c[i] on one core.
 *
 * Two ranks share a machine if their boot ids are equal, and a host if their network namespaces are
 * equal as well. */
#define _GNU_SOURCE
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { version = 3 };
enum { warm_rounds = 10, rounds_min = 10, rounds_max = 1000, large_bytes = 1 << 20 };
enum { alltoall_bytes = 64 << 10 }; /* from each rank to each rank */
enum { ranks_max = 64, text_bytes = 64 };
enum { pairs_max = ranks_max * (ranks_max - 1) / 2 };
enum { small_bytes = 8, pair_rounds_min = 3, pair_rounds_max = 200 };
enum { tag_pair = 1, tag_rounds, tag_message, tag_result };
enum { triad_doubles = 4 << 20, triad_rounds = 9 }; /* three arrays of 32 MiB: more than a cache */

struct identity {
  char host[text_bytes];
  char boot_id[text_bytes];
  char network[text_bytes];
};

static int by_size(const void* a, const void* b) {
  const double left = *(const double*)a, right = *(const double*)b;
  return (left > right) - (left < right);
}

static double median(double* times, int rounds) {
  qsort(times, (size_t)rounds, sizeof times[0], by_size);
  return times[rounds / 2];
}

static struct identity own_identity(void) {
  struct identity own;
  struct stat network;
  memset(&own, 0, sizeof own);
  gethostname(own.host, sizeof own.host - 1);
  FILE* file = fopen("/proc/sys/kernel/random/boot_id", "r");
  if (file && fscanf(file, "%63s", own.boot_id) != 1) own.boot_id[0] = 0;
  if (file) fclose(file);
  if (stat("/proc/self/ns/net", &network) == 0)
    snprintf(own.network, sizeof own.network, "%lu", (unsigned long)network.st_ino);
  return own;
}

/* What is timed: a round trip of `bytes`, or a collective. */
enum kind { round_trip, allreduce, barrier, alltoall };

/* Of alltoall, `buffer` holds what is sent, then as much room for what is received. */
static void run_round(enum kind kind, int rank, char* buffer, int bytes) {
  double one = 1, sum = 0;
  if (kind == barrier) {
    MPI_Barrier(MPI_COMM_WORLD);
  } else if (kind == allreduce) {
    MPI_Allreduce(&one, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  } else if (kind == alltoall) {
    char* received = buffer + (size_t)ranks_max * alltoall_bytes;
    MPI_Alltoall(buffer, bytes, MPI_CHAR, received, bytes, MPI_CHAR, MPI_COMM_WORLD);
  } else if (rank == 0) {
    MPI_Send(buffer, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
    MPI_Recv(buffer, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  } else if (rank == 1) {
    MPI_Recv(buffer, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Send(buffer, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
  }
}

/* The median time of a round, in seconds. The rounds take about `about_s`, on slow machines too. */
static double time_of(enum kind kind, int rank, char* buffer, int bytes) {
  static double times[rounds_max];
  const double about_s = 0.3;
  double start = MPI_Wtime();
  for (int i = 0; i < warm_rounds; ++i) run_round(kind, rank, buffer, bytes);
  const double fit = about_s / ((MPI_Wtime() - start) / warm_rounds);
  int rounds = fit < rounds_min ? rounds_min : fit > rounds_max ? rounds_max : (int)fit;
  MPI_Bcast(&rounds, 1, MPI_INT, 0, MPI_COMM_WORLD); /* rank 0 decides */
  for (int i = 0; i < rounds; ++i) {
    start = MPI_Wtime();
    run_round(kind, rank, buffer, bytes);
    times[i] = MPI_Wtime() - start;
  }
  return median(times, rounds);
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int measure_memory(void) {
  double* a = malloc(triad_doubles * sizeof *a);
  double* b = malloc(triad_doubles * sizeof *b);
  double* c = malloc(triad_doubles * sizeof *c);
  static double times[triad_rounds];
  if (!a || !b || !c) return 1;
  for (int i = 0; i < triad_doubles; ++i) a[i] = 0, b[i] = i, c[i] = 2;
  for (int round = -1; round < triad_rounds; ++round) {
    const double start = seconds_now();
    for (int i = 0; i < triad_doubles; ++i) a[i] = b[i] + 3 * c[i];
    if (round >= 0) times[round] = seconds_now() - start;
  }
  /* The result is used, so that no loop can be left out. */
  if (a[triad_doubles - 1] != triad_doubles - 1 + 6.0) return 1;
  const struct identity own = own_identity();
  printf(
      "{\"program\":\"nucleus-pingpong %d\",\"ranks\":[{\"host\":\"%s\",\"boot_id\":\"%s\","
      "\"network\":\"%s\"}],\"triad_mb_s\":%.1f}\n",
      version, own.host, own.boot_id, own.network,
      3.0 * sizeof *a * triad_doubles / median(times, triad_rounds) / 1e6);
  free(a), free(b), free(c);
  return 0;
}

/* Waits for a message without using the processor, which the measured ranks may need. */
static void wait_quietly(int source, int tag) {
  const struct timespec pause = {.tv_nsec = 500000};
  int is_there = 0;
  for (;;) {
    MPI_Iprobe(source, tag, MPI_COMM_WORLD, &is_there, MPI_STATUS_IGNORE);
    if (is_there) return;
    nanosleep(&pause, NULL);
  }
}

static void bounce(int is_first, int peer, char* buffer, int bytes) {
  if (is_first) MPI_Send(buffer, bytes, MPI_CHAR, peer, tag_message, MPI_COMM_WORLD);
  MPI_Recv(buffer, bytes, MPI_CHAR, peer, tag_message, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  if (!is_first) MPI_Send(buffer, bytes, MPI_CHAR, peer, tag_message, MPI_COMM_WORLD);
}

/* The median time of a round trip between two ranks, in seconds. The rounds take about 10 ms, but
 * there are at least three; the first rank of the pair decides. */
static double time_of_link(int is_first, int peer, char* buffer, int bytes) {
  static double times[pair_rounds_max];
  const double about_s = 0.01;
  int rounds = 0;
  bounce(is_first, peer, buffer, bytes); /* connects */
  double start = MPI_Wtime();
  bounce(is_first, peer, buffer, bytes);
  if (is_first) {
    const double fit = about_s / (MPI_Wtime() - start + 1e-9);
    rounds = fit < pair_rounds_min   ? pair_rounds_min
             : fit > pair_rounds_max ? pair_rounds_max
                                     : (int)fit;
    MPI_Send(&rounds, 1, MPI_INT, peer, tag_rounds, MPI_COMM_WORLD);
  } else {
    MPI_Recv(&rounds, 1, MPI_INT, peer, tag_rounds, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  for (int i = 0; i < rounds; ++i) {
    start = MPI_Wtime();
    bounce(is_first, peer, buffer, bytes);
    times[i] = MPI_Wtime() - start;
  }
  return median(times, rounds);
}

struct link {
  double latency_us;
  double bandwidth_mb_s;
};

static struct link measure_link(int is_first, int peer, char* buffer) {
  struct link link;
  link.latency_us = time_of_link(is_first, peer, buffer, small_bytes) / 2 * 1e6;
  link.bandwidth_mb_s = large_bytes / (time_of_link(is_first, peer, buffer, large_bytes) / 2) / 1e6;
  return link;
}

/* Rank 0 tells the pairs when it is their turn; the first rank of a pair reports to it. */
static void lead_links(int size, char* buffer, struct link* links) {
  int count = 0;
  for (int first = 0; first < size; ++first)
    for (int second = first + 1; second < size; ++second, ++count) {
      const int pair[2] = {first, second};
      if (first != 0) MPI_Send(pair, 2, MPI_INT, first, tag_pair, MPI_COMM_WORLD);
      MPI_Send(pair, 2, MPI_INT, second, tag_pair, MPI_COMM_WORLD);
      if (first == 0) {
        links[count] = measure_link(1, second, buffer);
        continue;
      }
      wait_quietly(first, tag_result);
      MPI_Recv(&links[count], sizeof links[count], MPI_CHAR, first, tag_result, MPI_COMM_WORLD,
               MPI_STATUS_IGNORE);
    }
  const int end[2] = {-1, -1};
  for (int rank = 1; rank < size; ++rank) MPI_Send(end, 2, MPI_INT, rank, tag_pair, MPI_COMM_WORLD);
}

static void follow_links(int rank, char* buffer) {
  for (;;) {
    int pair[2];
    wait_quietly(0, tag_pair);
    MPI_Recv(pair, 2, MPI_INT, 0, tag_pair, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (pair[0] < 0) return;
    const int is_first = rank == pair[0];
    const struct link link = measure_link(is_first, is_first ? pair[1] : pair[0], buffer);
    if (is_first && rank != 0)
      MPI_Send(&link, sizeof link, MPI_CHAR, 0, tag_result, MPI_COMM_WORLD);
  }
}

/* "program":…,"ranks":[…] */
static void print_identities(const struct identity* ranks, int size) {
  char library[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(library, &length);
  library[strcspn(library, ",\"\\\n")] = 0; /* "Open MPI v4.1.4" */
  printf("\"program\":\"nucleus-pingpong %d, %s\",\"ranks\":[", version, library);
  for (int i = 0; i < size; ++i)
    printf("%s{\"host\":\"%s\",\"boot_id\":\"%s\",\"network\":\"%s\"}", i ? "," : "", ranks[i].host,
           ranks[i].boot_id, ranks[i].network);
  printf("]");
}

static void print(const struct identity* ranks, int size, const double* figures) {
  printf("{\"hosts\":[");
  for (int i = 0; i < size; ++i) printf("%s\"%s\"", i ? "," : "", ranks[i].host);
  printf("],\"latency_us\":%.2f,\"bandwidth_mb_s\":%.1f,", figures[0], figures[1]);
  print_identities(ranks, size);
  printf(",\"latency_8_us\":%.3f,\"allreduce_us\":%.3f,\"barrier_us\":%.3f,\"alltoall_us\":%.3f}\n",
         figures[2], figures[3], figures[4], figures[5]);
}

/* The lists are in the order (0, 1), (0, 2) … (1, 2) …. */
static void print_links(const struct identity* ranks, int size, const struct link* links) {
  const int count = size * (size - 1) / 2;
  printf("{");
  print_identities(ranks, size);
  printf(",\"link_latency_us\":[");
  for (int i = 0; i < count; ++i) printf("%s%.3f", i ? "," : "", links[i].latency_us);
  printf("],\"link_bandwidth_mb_s\":[");
  for (int i = 0; i < count; ++i) printf("%s%.3f", i ? "," : "", links[i].bandwidth_mb_s);
  printf("]}\n");
}

static void measure_links(const struct identity* ranks, int rank, int size, char* buffer) {
  static struct link links[pairs_max];
  if (rank != 0) return follow_links(rank, buffer);
  lead_links(size, buffer, links);
  print_links(ranks, size, links);
}

static void measure_mpi(const struct identity* ranks, int rank, int size, char* buffer) {
  double figures[6];
  figures[0] = time_of(round_trip, rank, buffer, 1) / 2 * 1e6;
  figures[1] = large_bytes / (time_of(round_trip, rank, buffer, large_bytes) / 2) / 1e6;
  figures[2] = time_of(round_trip, rank, buffer, small_bytes) / 2 * 1e6;
  figures[3] = time_of(allreduce, rank, buffer, 0) * 1e6;
  figures[4] = time_of(barrier, rank, buffer, 0) * 1e6;
  figures[5] = time_of(alltoall, rank, buffer, alltoall_bytes) * 1e6;
  if (rank == 0) print(ranks, size, figures);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "memory") == 0) return measure_memory();
  MPI_Init(&argc, &argv);
  int rank = 0, size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (size < 2 || size > ranks_max) {
    fprintf(stderr, "nucleus-pingpong: needs 2 to %d ranks\n", ranks_max);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  static struct identity ranks[ranks_max];
  struct identity own = own_identity();
  MPI_Gather(&own, sizeof own, MPI_CHAR, ranks, sizeof own, MPI_CHAR, 0, MPI_COMM_WORLD);
  char* buffer = calloc(2 * ranks_max, alltoall_bytes);
  if (!buffer) MPI_Abort(MPI_COMM_WORLD, 1);
  const int is_links = argc == 2 && strcmp(argv[1], "links") == 0;
  (is_links ? measure_links : measure_mpi)(ranks, rank, size, buffer);
  free(buffer);
  MPI_Finalize();
  return 0;
}
