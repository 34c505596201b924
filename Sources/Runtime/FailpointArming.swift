#if FAILPOINTS
  import Foundation
  import Synchronization

  /// Why `FAILPOINT`, `FAULT` or `CLOCK_SKEW_S` cannot be used.
  public struct FailpointError: Error, CustomStringConvertible {
    public let description: String
  }

  /// What a process was asked to die of, and to do wrong.
  ///
  /// `FAILPOINT` is a comma-separated list of points, each with conditions after colons: `claim.committed` dies the first
  /// time, `claim.committed:skip=17` the 18th, `claim.committed:p=0.02` each time with that probability.
  public final class FailpointArming: Sendable {
    struct Trigger: Sendable, Equatable {
      var skip = 0
      var probability = 1.0
    }

    /// Set once at start, before the process has a second thread that could read it.
    private static let installed = Mutex<FailpointArming?>(nil)
    static var current: FailpointArming? { installed.withLock { $0 } }

    let triggers: [Failpoint: Trigger]
    let fault: Fault?
    private let passes = Mutex<[Failpoint: Int]>([:])

    /// - Parameter process: the executable's name; a point that does not lie in it is an error.
    /// - Throws: `FailpointError` naming everything that is wrong.
    public init(_ environment: [String: String], process: String) throws(FailpointError) {
      var problems: [String] = []
      var triggers: [Failpoint: Trigger] = [:]
      for text in (environment["FAILPOINT"] ?? "").split(separator: ",") {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard let point = Failpoint.allCases.first(where: { $0.name == parts[0] }) else {
          problems.append("FAILPOINT: there is no \(parts[0])")
          continue
        }
        guard point.processes.contains(process) else {
          problems.append(
            "FAILPOINT: \(point.name) lies in \(point.processes.joined(separator: ", ")), not in \(process)")
          continue
        }
        guard let trigger = Self.trigger(parts.dropFirst()) else {
          problems.append("FAILPOINT: \(text): expected skip=COUNT or p=PROBABILITY after each colon")
          continue
        }
        triggers[point] = trigger
      }
      self.triggers = triggers
      if let name = environment["FAULT"], !name.isEmpty {
        fault = Fault.allCases.first { $0.name == name }
        if fault == nil { problems.append("FAULT: there is no \(name)") }
      } else {
        fault = nil
      }
      if let skew = environment["CLOCK_SKEW_S"], !skew.isEmpty, Int64(skew) == nil {
        problems.append("CLOCK_SKEW_S: expected an integer, got \"\(skew)\"")
      }
      guard problems.isEmpty else { throw FailpointError(description: problems.joined(separator: "; ")) }
    }

    private static func trigger(_ conditions: ArraySlice<String>) -> Trigger? {
      var trigger = Trigger()
      for condition in conditions {
        let pair = condition.split(separator: "=", maxSplits: 1).map(String.init)
        guard pair.count == 2 else { return nil }
        switch pair[0] {
        case "skip":
          guard let count = Int(pair[1]), count >= 0 else { return nil }
          trigger.skip = count
        case "p":
          guard let probability = Double(pair[1]), (0...1).contains(probability) else { return nil }
          trigger.probability = probability
        default: return nil
        }
      }
      return trigger
    }

    /// Makes it what `failpoint` and `isFaulty` ask.
    public func install() { Self.installed.withLock { $0 = self } }

    func reached(_ point: Failpoint) {
      guard let trigger = triggers[point] else { return }
      let passed = passes.withLock { passes in
        defer { passes[point, default: 0] += 1 }
        return passes[point, default: 0]
      }
      guard passed >= trigger.skip, trigger.probability >= 1 || Double.random(in: 0..<1) < trigger.probability else {
        return
      }
      // Unbuffered, so that whoever waits for the process can tell what it died of.
      FileHandle.standardError.write(Data("\(Self.lastWords)\(point.name)\n".utf8))
      kill(getpid(), SIGKILL)
      while true { pause() }
    }

    /// What a process writes before it dies at a point; the point's name follows.
    public static let lastWords = "killed at failpoint "

    /// The points of a process, a line each: name, tab, meaning.
    public static func catalogue(of process: String) -> String {
      Failpoint.allCases.filter { $0.processes.contains(process) }.map { "\($0.name)\t\($0.meaning)\n" }.joined()
    }

    /// How far the wall clock of this process is off, in milliseconds.
    static let clockSkewMS: Int64 = {
      let seconds = ProcessInfo.processInfo.environment["CLOCK_SKEW_S"].flatMap { Int64($0) } ?? 0
      return seconds.multipliedReportingOverflow(by: 1000).partialValue
    }()
  }
#endif
