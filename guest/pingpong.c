/* The MPI probe: two ranks exchange messages. Rank 0 prints one line of JSON: the ranks' host
 * names, half a round trip of 1 byte in microseconds, and the bandwidth of 1 MiB messages in MB/s.
 * Each is the median of many rounds, so that a single slow one has no effect. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { warm_rounds = 20, small_rounds = 400, large_rounds = 20, large_bytes = 1 << 20 };

static int by_size(const void* a, const void* b) {
  const double left = *(const double*)a, right = *(const double*)b;
  return (left > right) - (left < right);
}

/* The median half round trip, in seconds. */
static double half_round_trip(int rank, char* buffer, int bytes, int rounds) {
  static double times[small_rounds];
  for (int i = -warm_rounds; i < rounds; ++i) {
    const double start = MPI_Wtime();
    if (rank == 0) {
      MPI_Send(buffer, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
      MPI_Recv(buffer, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else {
      MPI_Recv(buffer, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Send(buffer, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
    }
    if (i >= 0) times[i] = (MPI_Wtime() - start) / 2;
  }
  qsort(times, (size_t)rounds, sizeof times[0], by_size);
  return times[rounds / 2];
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, size = 0, length = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (size != 2) {
    fprintf(stderr, "nucleus-pingpong: needs two ranks\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  char names[2][MPI_MAX_PROCESSOR_NAME];
  char name[MPI_MAX_PROCESSOR_NAME] = "";
  MPI_Get_processor_name(name, &length);
  MPI_Gather(name, sizeof name, MPI_CHAR, names, sizeof name, MPI_CHAR, 0, MPI_COMM_WORLD);
  char* buffer = calloc(large_bytes, 1);
  const double latency = half_round_trip(rank, buffer, 1, small_rounds);
  const double transfer = half_round_trip(rank, buffer, large_bytes, large_rounds);
  if (rank == 0)
    printf("{\"hosts\":[\"%s\",\"%s\"],\"latency_us\":%.2f,\"bandwidth_mb_s\":%.1f}\n", names[0],
           names[1], latency * 1e6, large_bytes / transfer / 1e6);
  free(buffer);
  MPI_Finalize();
  return 0;
}
