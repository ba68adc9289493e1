// The measurements: one row each in the tables below. A row says what is measured, in which unit,
// where, by which fixed command, and which figure of its output it is. Provisioner and overhead
// service read the same rows; a request names a tool and never contains a command.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(Direction, smaller, larger)  // which one is better
NUCLEUS_ENUM(FigureKind, latency, bandwidth, application)
NUCLEUS_ENUM(Place, node_pair, node)

/// How a tool's output is parsed. probe: the JSON of nucleus-pingpong; fio: --output-format=json;
/// osu, imb: the tables of the OSU and Intel MPI benchmarks; hpcc: hpccoutf.txt; pwx: Quantum
/// ESPRESSO.
NUCLEUS_ENUM(OutputFormat, probe, fio, osu, imb, hpcc, pwx)

/// A program that yields one or more figures. In `argv`, {program} is the probe of the image or the
/// host, {ranks} their number, {hosts} the MPI hosts, {launcher} what starts the ranks there,
/// {directory} a directory on the measured disk.
struct Tool {
  std::string_view name;
  Place place;
  OutputFormat format;
  std::span<const std::string_view> argv;
  bool is_optional = false;  // runs only if it is named: not every image and host has it
};

/// One figure of a tool's output. `field` is its name in what parse_output() returns; the value is
/// multiplied by `scale` to be in `unit`.
struct Measurement {
  std::string_view name;
  std::string_view tool;
  std::string_view unit;
  Direction direction;
  FigureKind kind;
  std::string_view field;
  double scale = 1;
  std::string_view what;
};

namespace detail {

/// One rank on each node; the same transport and sizes in the cluster and on its hosts. Idle ranks
/// yield the processor: on a node of one CPU, one that spins keeps the network from being served.
inline constexpr auto mpi_launch = std::to_array<std::string_view>({"mpirun",
                                                                    "--allow-run-as-root",
                                                                    "-np",
                                                                    "{ranks}",
                                                                    "--host",
                                                                    "{hosts}",
                                                                    "--map-by",
                                                                    "node",
                                                                    "--oversubscribe",
                                                                    "--bind-to",
                                                                    "none",
                                                                    "--mca",
                                                                    "btl",
                                                                    "tcp,self",
                                                                    "--mca",
                                                                    "pml",
                                                                    "ob1",
                                                                    "--mca",
                                                                    "mpi_yield_when_idle",
                                                                    "1",
                                                                    "--mca",
                                                                    "plm_rsh_agent",
                                                                    "{launcher}",
                                                                    "--mca",
                                                                    "orte_tmpdir_base",
                                                                    "/dev/shm"});

template <std::size_t first, std::size_t second>
constexpr std::array<std::string_view, first + second> joined(
    const std::array<std::string_view, first>& words,
    const std::array<std::string_view, second>& more) {
  std::array<std::string_view, first + second> all{};
  std::ranges::copy(more, std::ranges::copy(words, all.begin()).out);
  return all;
}

inline constexpr auto mpi_argv = joined(mpi_launch, std::to_array<std::string_view>({"{program}"}));

/// What each rank runs, with the cutoff in Ry and the grid of k points. Quantum ESPRESSO computes
/// the ground state of a silicon crystal of two atoms, half of the k points on each rank. Debian's
/// package `quantum-espresso` has all that it
/// needs: ld1.x, outside of the MPI job, makes the pseudopotential (Troullier and Martins, from the
/// atom's LDA states). The files are in a file system of this process alone, so they end with it.
inline constexpr std::string_view silicon_script = R"sh(
mount -t tmpfs none /mnt && cd /mnt || exit
cat >atom.in <<'END'
&input title='Si', zed=14.0, config='[Ne] 3s2 3p2 3d-1', iswitch=3, dft='PZ' /
&inputp lloc=2, pseudotype=1, tm=.true., file_pseudopw='Si.UPF' /
3
3S 1 0 2.00 0.00 2.20 2.20
3P 2 1 2.00 0.00 2.20 2.20
3D 3 2 0.00 -0.10 2.20 2.20
END
env -i PATH="$PATH" ld1.x <atom.in >atom.out || exit
cat >silicon.in <<END
&control calculation='scf', outdir='.', pseudo_dir='.', disk_io='none' /
&system ibrav=2, celldm(1)=10.2, nat=2, ntyp=1, ecutwfc=$1 /
&electrons conv_thr=1e-8 /
ATOMIC_SPECIES
Si 28.086 Si.UPF
ATOMIC_POSITIONS alat
Si 0 0 0
Si 0.25 0.25 0.25
K_POINTS automatic
$2 $2 $2 1 1 1
END
boot_id=$(cat /proc/sys/kernel/random/boot_id)
echo "rank $OMPI_COMM_WORLD_RANK $(uname -n) $boot_id $(stat -L -c %i /proc/self/ns/net)"
exec pw.x -nk 2 -in silicon.in
)sh";

inline constexpr auto silicon_launch = joined(
    mpi_launch,
    std::to_array<std::string_view>({"unshare", "--mount", "sh", "-c", silicon_script, "sh"}));
inline constexpr auto silicon_argv =
    joined(silicon_launch, std::to_array<std::string_view>({"30", "8"}));
inline constexpr auto silicon_small_argv =
    joined(silicon_launch, std::to_array<std::string_view>({"12", "2"}));

inline constexpr auto memory_argv = std::to_array<std::string_view>({"{program}", "memory"});

/// The file has no name while it is measured, so that it ends with its last process, whatever ends
/// that. It is written in full first: blocks that were never written are read without any disk.
inline constexpr auto storage_argv = std::to_array<std::string_view>(
    {"sh",
     "-c",
     "f=$(mktemp \"$1/.nucleus-XXXXXX\") && exec 3<>\"$f\" && rm \"$f\" && "
     "head -c 67108864 /dev/urandom >&3 && shift && exec \"$@\"",
     "sh",
     "{directory}",
     "fio",
     "--output-format=json",
     "--name=global",
     "--filename=/proc/self/fd/3",
     "--size=64M",
     "--direct=1",
     "--ioengine=psync",
     "--runtime=1",
     "--time_based",
     "--stonewall",
     "--name=sequential_read",
     "--rw=read",
     "--bs=1M",
     "--name=sequential_write",
     "--rw=write",
     "--bs=1M",
     "--name=random_read",
     "--rw=randread",
     "--bs=4k",
     "--name=random_write",
     "--rw=randwrite",
     "--bs=4k",
     "--name=sync_write",
     "--rw=randwrite",
     "--bs=4k",
     "--sync=1"});

}  // namespace detail

inline constexpr auto tools = std::to_array<Tool>({
    {.name = "mpi",
     .place = Place::node_pair,
     .format = OutputFormat::probe,
     .argv = detail::mpi_argv},
    {.name = "memory",
     .place = Place::node,
     .format = OutputFormat::probe,
     .argv = detail::memory_argv},
    {.name = "storage",
     .place = Place::node,
     .format = OutputFormat::fio,
     .argv = detail::storage_argv},
    {.name = "silicon",
     .place = Place::node_pair,
     .format = OutputFormat::pwx,
     .argv = detail::silicon_argv,
     .is_optional = true},
    {.name = "silicon_small",
     .place = Place::node_pair,
     .format = OutputFormat::pwx,
     .argv = detail::silicon_small_argv,
     .is_optional = true},
});

/// Measures the links between all nodes: not a tool of a campaign, because hosts have no such run.
inline constexpr auto links_argv =
    detail::joined(detail::mpi_argv, std::to_array<std::string_view>({"links"}));

inline constexpr double megabyte = 1e-6;     // bytes -> MB
inline constexpr double microsecond = 1e-3;  // ns -> us

inline constexpr auto measurements = std::to_array<Measurement>({
    {"mpi_latency", "mpi", "us", Direction::smaller, FigureKind::latency, "latency_8_us", 1,
     "half a round trip of 8 bytes"},
    {"mpi_bandwidth", "mpi", "MB/s", Direction::larger, FigureKind::bandwidth, "bandwidth_mb_s", 1,
     "messages of 1 MiB"},
    {"mpi_allreduce", "mpi", "us", Direction::smaller, FigureKind::latency, "allreduce_us", 1,
     "the sum of one double"},
    {"mpi_barrier", "mpi", "us", Direction::smaller, FigureKind::latency, "barrier_us", 1,
     "a barrier"},
    {"mpi_alltoall", "mpi", "us", Direction::smaller, FigureKind::latency, "alltoall_us", 1,
     "each rank sends 64 KiB to each rank"},
    {"memory_triad", "memory", "MB/s", Direction::larger, FigureKind::bandwidth, "triad_mb_s", 1,
     "a[i] = b[i] + s * c[i] on one core"},
    {"sequential_read", "storage", "MB/s", Direction::larger, FigureKind::bandwidth,
     "sequential_read/read/bw_bytes", megabyte, "reads of 1 MiB"},
    {"sequential_write", "storage", "MB/s", Direction::larger, FigureKind::bandwidth,
     "sequential_write/write/bw_bytes", megabyte, "writes of 1 MiB"},
    {"random_read", "storage", "1/s", Direction::larger, FigureKind::bandwidth,
     "random_read/read/iops", 1, "random reads of 4 KiB"},
    {"random_write", "storage", "1/s", Direction::larger, FigureKind::bandwidth,
     "random_write/write/iops", 1, "random writes of 4 KiB"},
    {"sync_write", "storage", "us", Direction::smaller, FigureKind::latency,
     "sync_write/write/clat_ns/percentile/50.000000", microsecond,
     "median time of a synchronous write of 4 KiB"},
    {"silicon_time", "silicon", "s", Direction::smaller, FigureKind::application, "PWSCF/wall", 1,
     "Quantum ESPRESSO: the ground state of silicon, on two nodes"},
    {"silicon_small_time", "silicon_small", "s", Direction::smaller, FigureKind::application,
     "PWSCF/wall", 1, "the same with few plane waves and k points"},
});

inline const Tool* find_tool(std::string_view name) {
  const auto found = std::ranges::find(tools, name, &Tool::name);
  return found == tools.end() ? nullptr : &*found;
}

inline const Measurement* find_measurement(std::string_view name) {
  const auto found = std::ranges::find(measurements, name, &Measurement::name);
  return found == measurements.end() ? nullptr : &*found;
}

constexpr double sample_max = 1e12;  // what no hardware exceeds, in any unit
constexpr std::size_t samples_max = 32;
constexpr std::size_t ranks_max = 64;
constexpr std::size_t condition_bytes_max = 128;

/// One figure of one run.
struct Sample {
  std::string measurement = {};
  double value = 0;  // above 0, up to 1e12, in the measurement's unit
  NUCLEUS_FIELDS(measurement, value);
};

/// Where a rank ran, as the rank itself reports it. Equal boot ids: one machine. Equal networks too
/// (the network namespace): one host.
struct Rank {
  std::string host = {};
  std::string boot_id = {};
  std::string network = {};
  NUCLEUS_FIELDS(host, boot_id, network);
};

/// How a figure was made. Only runs under the same conditions are compared.
struct Conditions {
  std::string accelerator = {};  // kvm or tcg (software emulation); native on a host
  std::string network = {};      // virtio, vf or native
  std::uint32_t cpus = 0;
  std::string kernel = {};   // release
  std::string program = {};  // the tool and its version, as it reports them
  NUCLEUS_FIELDS(accelerator, network, cpus, kernel, program);
};

/// The result of one run of a tool. All of it but the accelerator may come from a guest.
struct MeasurementRun {
  std::vector<Sample> samples = {};  // 1..32
  std::vector<Rank> ranks = {};      // 0..64
  Conditions conditions = {};
  std::string boot_id = {};  // of the machine that ran the tool
  NUCLEUS_FIELDS(samples, ranks, conditions, boot_id);
};

/// Printable ASCII of at most `condition_bytes_max` bytes, as signed texts are.
inline bool is_condition(std::string_view text) {
  return text.size() <= condition_bytes_max &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

inline bool is_sample(double value) {
  return value > 0 && value <= sample_max;  // false for what is not a number
}

inline std::optional<Error> check_run(const Conditions& made, const std::string& boot_id,
                                      const std::vector<Rank>& ranks) {
  for (const auto* text : {&made.accelerator, &made.network, &made.kernel, &made.program, &boot_id})
    if (!is_condition(*text)) return invalid("conditions", "conditions are printable ASCII");
  if (ranks.size() > ranks_max) return invalid("ranks", "a run has at most 64 ranks");
  for (const auto& rank : ranks)
    for (const auto* text : {&rank.host, &rank.boot_id, &rank.network})
      if (!is_condition(*text)) return invalid("ranks", "ranks are printable ASCII");
  return std::nullopt;
}

inline std::optional<Error> check(const MeasurementRun& run) {
  if (run.samples.empty() || run.samples.size() > samples_max)
    return invalid("samples", "a run has 1 to 32 samples");
  for (const auto& sample : run.samples) {
    if (!find_measurement(sample.measurement))
      return invalid("samples", "no such measurement: " + shown(sample.measurement));
    if (!is_sample(sample.value))
      return invalid("samples", sample.measurement + " must be above 0, up to 1e12");
  }
  return check_run(run.conditions, run.boot_id, run.ranks);
}

/// The number of links between as many nodes.
constexpr std::size_t links_of(std::size_t nodes) {
  return nodes < 2 ? 0 : nodes * (nodes - 1) / 2;
}

/// The result of one run over all links between the ranks, in the order (0, 1), (0, 2) … (1, 2) ….
/// All of it but the accelerator may come from a guest.
struct LinksRun {
  std::vector<Rank> ranks = {};              // 2..64
  std::vector<double> latencies_us = {};     // half a round trip of 8 bytes
  std::vector<double> bandwidths_mb_s = {};  // of messages of 1 MiB
  Conditions conditions = {};
  std::string boot_id = {};  // of the machine that ran the tool
  NUCLEUS_FIELDS(ranks, latencies_us, bandwidths_mb_s, conditions, boot_id);
};

inline std::optional<Error> check(const LinksRun& run) {
  if (run.ranks.size() < 2 || run.ranks.size() > ranks_max)
    return invalid("ranks", "a run over links has 2 to 64 ranks");
  for (const auto& [field, values] : {std::pair{"latencies_us", &run.latencies_us},
                                      std::pair{"bandwidths_mb_s", &run.bandwidths_mb_s}}) {
    if (values->size() != links_of(run.ranks.size()))
      return invalid(field, std::string(field) + " must have one value for each pair of ranks");
    if (!std::ranges::all_of(*values, is_sample))
      return invalid(field, std::string(field) + " must be above 0, up to 1e12");
  }
  return check_run(run.conditions, run.boot_id, run.ranks);
}

}  // namespace nucleus::msg
