/* The MPI and memory probe. As an MPI program with one rank on each node, rank 0 prints one line of
 * JSON: who the ranks are, and the median times of point-to-point messages and collectives, so that
 * a single slow round has no effect. `nucleus-pingpong memory` runs without MPI and prints the
 * bandwidth of the triad a[i] = b[i] + s * c[i] on one core.
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

enum { version = 2 };
enum { warm_rounds = 10, rounds_min = 10, rounds_max = 1000, large_bytes = 1 << 20 };
enum { ranks_max = 64, text_bytes = 64 };
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
enum kind { round_trip, allreduce, barrier };

static void run_round(enum kind kind, int rank, char* buffer, int bytes) {
  double one = 1, sum = 0;
  if (kind == barrier) {
    MPI_Barrier(MPI_COMM_WORLD);
  } else if (kind == allreduce) {
    MPI_Allreduce(&one, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
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

static void print(const struct identity* ranks, int size, const double* figures) {
  char library[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(library, &length);
  library[strcspn(library, ",\"\\\n")] = 0; /* "Open MPI v4.1.4" */
  printf("{\"hosts\":[");
  for (int i = 0; i < size; ++i) printf("%s\"%s\"", i ? "," : "", ranks[i].host);
  printf("],\"latency_us\":%.2f,\"bandwidth_mb_s\":%.1f", figures[0], figures[1]);
  printf(",\"program\":\"nucleus-pingpong %d, %s\",\"ranks\":[", version, library);
  for (int i = 0; i < size; ++i)
    printf("%s{\"host\":\"%s\",\"boot_id\":\"%s\",\"network\":\"%s\"}", i ? "," : "", ranks[i].host,
           ranks[i].boot_id, ranks[i].network);
  printf("],\"latency_8_us\":%.3f,\"allreduce_us\":%.3f,\"barrier_us\":%.3f}\n", figures[2],
         figures[3], figures[4]);
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
  char* buffer = calloc(large_bytes, 1);
  double figures[5];
  figures[0] = time_of(round_trip, rank, buffer, 1) / 2 * 1e6;
  figures[1] = large_bytes / (time_of(round_trip, rank, buffer, large_bytes) / 2) / 1e6;
  figures[2] = time_of(round_trip, rank, buffer, 8) / 2 * 1e6;
  figures[3] = time_of(allreduce, rank, buffer, 0) * 1e6;
  figures[4] = time_of(barrier, rank, buffer, 0) * 1e6;
  if (rank == 0) print(ranks, size, figures);
  free(buffer);
  MPI_Finalize();
  return 0;
}
