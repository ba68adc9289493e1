// The worlds: the fake, libvirt's mock driver, and QEMU under a private libvirtd.
#include "tests/contract/provisioner/hypervisor_world.hpp"

#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "services/provisioner/driver/disk_files.hpp"
#include "services/provisioner/driver/guest_files.hpp"
#include "services/provisioner/driver/libvirt_hypervisor.hpp"
#include "tests/contract/provisioner/private_libvirtd.hpp"
#include "tests/support/fake_hypervisor.hpp"

namespace nucleus::provisioner {

using test::PrivateLibvirtd;

namespace {

DomainSpec small_spec(const std::string& name, const std::string& runtime_dir) {
  return {.name = name,
          .uuid = domain_uuid(name),
          .epoch = 7,
          .cpus = 1,
          .memory_mb = 128,
          .runtime_dir = runtime_dir};
}

/// Changes a byte in the middle, and keeps the size.
void flip_byte(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto middle = file.tellg() / 2;
  file.seekg(middle);
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(middle);
  file.put(byte);
}

class FakeWorld final : public HypervisorWorld {
 public:
  Hypervisor& hypervisor() override { return fake_; }
  DomainSpec a_spec(const std::string& name) override { return small_spec(name, "/run/fake"); }
  bool kill_domain(const std::string& name) override {
    fake_.crash(name);
    return true;
  }
  std::string memory_directory() override { return "/run/memory"; }
  void damage(const std::string& path) override { fake_.damage_memory(path); }

 private:
  FakeHypervisor fake_;
};

/// Writes the description of a simulated host; returns the URI that opens it.
std::string simulated_host(const std::string& path) {
  std::ofstream(path) << "<node><cpu><nodes>1</nodes><sockets>1</sockets><cores>64</cores>"
                         "<threads>1</threads><active>64</active><mhz>2000</mhz>"
                         "<model>simulated</model></cpu><memory>268435456</memory></node>";
  return "test://" + path;
}

class SimulatedWorld final : public HypervisorWorld {
 public:
  SimulatedWorld() : libvirt_{simulated_host(directory_.file("host.xml"))} {}
  Hypervisor& hypervisor() override { return libvirt_; }
  DomainSpec a_spec(const std::string& name) override {
    return small_spec(name, directory_.path());
  }
  bool kill_domain(const std::string&) override { return false; }
  bool is_simulated() const override { return true; }
  std::string memory_directory() override { return directory_.file("memory"); }
  void damage(const std::string& path) override { flip_byte(path); }

 private:
  tests::TemporaryFolder directory_;
  LibvirtHypervisor libvirt_;
};

/// Domains without a disk: they stay in the firmware, which is enough to start and end.
class QemuWorld final : public HypervisorWorld {
 public:
  explicit QemuWorld(PrivateLibvirtd& libvirtd) : libvirtd_{libvirtd}, libvirt_{libvirtd.uri()} {
    LinkRecord{libvirt_}.await(true);
  }
  Hypervisor& hypervisor() override { return libvirt_; }
  DomainSpec a_spec(const std::string& name) override {
    auto spec = small_spec(name, directory_.path());
    spec.user = find_qemu_user("libvirt-qemu").value();
    return spec;
  }
  bool kill_domain(const std::string& name) override {
    return ::kill(libvirtd_.qemu_pid(name), SIGKILL) == 0;
  }
  std::string memory_directory() override { return directory_.file("memory"); }
  void damage(const std::string& path) override { flip_byte(path); }
  std::string a_disk_file(const std::string& name) override {
    const auto path = directory_.file(name);
    const auto user = find_qemu_user("libvirt-qemu").value();
    make_disk_file(path, 1 << 20, user).value();
    return path;
  }

 private:
  PrivateLibvirtd& libvirtd_;
  tests::TemporaryFolder directory_;
  LibvirtHypervisor libvirt_;
};

}  // namespace

std::unique_ptr<HypervisorWorld> make_qemu_world() {
  if (geteuid() != 0) return nullptr;
  static tests::TemporaryFolder
      directory;  // one libvirtd for the program, because starting one is slow
  static PrivateLibvirtd libvirtd{directory.path()};
  return std::make_unique<QemuWorld>(libvirtd);
}

std::unique_ptr<HypervisorWorld> make_fake_world() {
  return std::make_unique<FakeWorld>();
}

std::unique_ptr<HypervisorWorld> make_simulated_world() {
  return std::make_unique<SimulatedWorld>();
}

}  // namespace nucleus::provisioner
