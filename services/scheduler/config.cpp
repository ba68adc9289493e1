#include "services/scheduler/config.hpp"

#include "messages/common.hpp"

namespace nucleus::scheduler {

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  const auto read = [&](const char* key, std::int64_t& value, std::int64_t least,
                        std::int64_t most) { value = settings.number(key, value, least, most); };
  read("scheduler.host_lease_ms", config.host_lease_ms, 1'000, 86'400'000);
  read("scheduler.host_lease_margin_ms", config.host_lease_margin_ms, 100, 3'600'000);
  read("scheduler.host_silence_ms", config.host_silence_ms, 100, 600'000);
  read("scheduler.ownership_ms", config.ownership_ms, 100, 60'000);
  read("scheduler.sweep_ms", config.sweep_ms, 10, 60'000);
  read("scheduler.shutdown_ms", config.shutdown_ms, 100, 3'600'000);
  read("scheduler.save_memory_ms", config.save_memory_ms, 1'000, 86'400'000);
  read("scheduler.grant_call_ms", config.grant_call_ms, 100, 60'000);
  read("scheduler.start_attempts_max", config.start_attempts_max, 1, 100);
  read("scheduler.reservation_horizon_s", config.reservation_horizon_s, 0, 31'536'000);
  read("scheduler.reservation_keep_s", config.reservation_keep_s, 0, 31'536'000);
  read("scheduler.walltime_notice_s", config.walltime_notice_s, 0, 31'536'000);
  read("scheduler.idle_notice_s", config.idle_notice_s, 0, 31'536'000);
  read("scheduler.priority_age_weight", config.priority_age_weight, 0, 1'000'000);
  read("scheduler.priority_fair_share_weight", config.priority_fair_share_weight, 0, 1'000'000);
  read("scheduler.priority_age_max_s", config.priority_age_max_s, 1, 31'536'000);
  read("scheduler.usage_half_life_s", config.usage_half_life_s, 1, 315'360'000);
  config.cpu_overcommit = static_cast<std::uint32_t>(
      settings.number("scheduler.cpu_overcommit", config.cpu_overcommit, 1, 64));
  auto& slurm = config.slurm;
  slurm.partition = settings.text("scheduler.slurm_partition", slurm.partition);
  slurm.name = settings.text("scheduler.slurm_name", slurm.name);
  slurm.conf = settings.text("scheduler.slurm_conf", slurm.conf);
  slurm.has_accounts = settings.flag("scheduler.slurm_accounts", slurm.has_accounts);
  read("scheduler.slurm_poll_ms", slurm.poll_ms, 100, 600'000);
  read("scheduler.slurm_grace_mins", slurm.grace_mins, 1, 1'440);
  read("scheduler.slurm_jobs_max", slurm.jobs_max, 1, 100);
  if (auto broken = msg::check_name("scheduler.slurm_name", slurm.name))
    return std::unexpected(*broken);
  if (!slurm.partition.empty())
    if (auto broken = msg::check_name("scheduler.slurm_partition", slurm.partition))
      return std::unexpected(*broken);
  return config;
}

}  // namespace nucleus::scheduler
