import Foundation

/// What this process has used so far, as the operating system counts it.
public enum ProcessUsage {
  /// CPU time of all threads, user and system.
  public static var cpuSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Resident memory in bytes; 0 where `/proc` cannot be read.
  public static var residentBytes: Int { pages(field: 1) * Int(sysconf(Int32(_SC_PAGESIZE))) }

  /// Open file descriptors; 0 where `/proc` cannot be read.
  public static var openDescriptors: Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
  }

  private static func pages(field: Int) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let fields = text.split(separator: " ")
    return fields.count > field ? Int(fields[field]) ?? 0 : 0
  }

  /// Adds the process metrics that Prometheus' client libraries agree on.
  public static func register(in registry: MetricsRegistry) {
    let started = Date().timeIntervalSince1970
    registry.counter("process_cpu_seconds_total", help: "CPU time used, user and system.") { cpuSeconds }
    registry.gauge("process_resident_memory_bytes", help: "Resident memory.") { Double(residentBytes) }
    registry.gauge("process_open_fds", help: "Open file descriptors.") { Double(openDescriptors) }
    registry.gauge("process_start_time_seconds", help: "Start of the process since the Unix epoch.") { started }
  }
}
