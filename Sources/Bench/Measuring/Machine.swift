import Foundation
import ServiceHost

/// What the figures were measured on.
struct Machine: Sendable {
  let cores: Int
  let model: String
  let memoryGB: Int
  let kernel: String
  /// Of the sources, with `+` when they are changed; nil outside a repository.
  let commit: String?

  static func current() async -> Machine {
    let model = line("/proc/cpuinfo", "model name")?.split(separator: ":", maxSplits: 1).last
    var commit = await Command.output(of: "git", ["rev-parse", "--short", "HEAD"])
    if let known = commit, await Command.output(of: "git", ["status", "--porcelain", "-uno"]) != "" {
      commit = known + "+"
    }
    return Machine(
      cores: ProcessInfo.processInfo.activeProcessorCount,
      model: model?.trimmingCharacters(in: .whitespaces) ?? "unknown processor",
      memoryGB: Int((Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30)).rounded()),
      kernel: await Command.output(of: "uname", ["-sr"]) ?? "unknown", commit: commit)
  }

  private static func line(_ file: String, _ prefix: String) -> Substring? {
    (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n").first { $0.hasPrefix(prefix) }
  }
}

/// Which versions were measured.
struct Versions: Sendable {
  let product: String
  let mongodb: String
  /// Nil where the broker does not say.
  let kafka: String?

  static func of(_ running: RunningStack, _ database: BenchDatabase, environment: [String: String]) async -> Versions {
    let home = environment["KAFKA_HOME"] ?? ""
    let isOurs = running.broker.contains("started here")
    let jars = (try? FileManager.default.contentsOfDirectory(atPath: home + "/libs")) ?? []
    let jar = jars.first { $0.hasPrefix("kafka-clients-") && $0.hasSuffix(".jar") }
    return Versions(
      product: ProductVersion.current, mongodb: (try? await database.serverVersion()) ?? "unknown",
      kafka: isOurs ? jar.map { String($0.dropFirst("kafka-clients-".count).dropLast(4)) } : nil)
  }
}
