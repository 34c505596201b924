import CivilTime
import JSON
import Synchronization

/// What a process knows of its dependencies and of itself; `/health` and `/ready` read it and never wait.
public final class HealthBoard: Sendable {
  public enum Dependency: String, CaseIterable, Sendable {
    case database, kafka
  }

  private struct State {
    var connected: [Dependency: Bool] = [:]
    var problems: [Dependency: String] = [:]
    var details: [String: [String: JSONValue]] = [:]
    var takesWork = false
    var stopping = false
    var watchers: [Int: (dependency: Dependency, lost: @Sendable () -> Void)] = [:]
    var nextWatcher = 0
  }

  private let state = Mutex(State())

  public init() {}

  /// Records what the last check of a dependency found; returns whether that differs from the check before.
  @discardableResult
  public func report(_ dependency: Dependency, problem: String?) -> Bool {
    let (changed, lost) = state.withLock { state in
      let connected = problem == nil
      let changed = state.connected[dependency] != connected
      state.connected[dependency] = connected
      state.problems[dependency] = problem
      return (changed, connected ? [] : state.watchers.values.filter { $0.dependency == dependency }.map(\.lost))
    }
    for lost in lost { lost() }
    return changed
  }

  /// Calls `lost` when a dependency is found to be away, until the watcher is given back; at once when it is away already.
  ///
  /// - Returns: the watcher, for `forget`.
  public func watch(_ dependency: Dependency, lost: @escaping @Sendable () -> Void) -> Int {
    let (watcher, isAway) = state.withLock { state in
      state.nextWatcher += 1
      state.watchers[state.nextWatcher] = (dependency, lost)
      return (state.nextWatcher, state.connected[dependency] != true)
    }
    if isAway { lost() }
    return watcher
  }

  public func forget(_ watcher: Int) { state.withLock { $0.watchers[watcher] = nil } }

  public func isConnected(_ dependency: Dependency) -> Bool { state.withLock { $0.connected[dependency] ?? false } }

  /// The process has started all its parts.
  public func takeWork() { state.withLock { $0.takesWork = true } }

  /// The process is on its way out; it will not be ready again.
  public func leave() { state.withLock { $0.stopping = true } }

  /// Ready: every dependency answers, all parts run, and the process is not stopping.
  public var isReady: Bool {
    state.withLock { state in
      state.takesWork && !state.stopping && Dependency.allCases.allSatisfy { state.connected[$0] == true }
    }
  }

  /// Notes something that `/health` shows under a section of its own and that decides nothing: `vendors`, `simulator`.
  public func note(_ name: String, in section: String, _ value: JSONValue) {
    state.withLock { $0.details[section, default: [:]][name] = value }
  }

  /// The noted sections, in alphabetical order.
  public var details: [(section: String, JSONValue)] {
    state.withLock { state in
      state.details.sorted { $0.key < $1.key }.map { section, notes in
        (section, .object(JSONObject(notes.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) })))
      }
    }
  }

  /// `{"database":"connected","kafka":"disconnected"}`
  public var services: JSONValue {
    state.withLock { state in
      var object = JSONObject()
      for dependency in Dependency.allCases {
        object[dependency.rawValue] = .string(state.connected[dependency] == true ? "connected" : "disconnected")
      }
      return .object(object)
    }
  }

  /// What is wrong, by dependency; empty when all answer.
  public var problems: JSONValue {
    state.withLock { state in
      var object = JSONObject()
      for (dependency, problem) in state.problems { object[dependency.rawValue] = .string(problem) }
      if state.stopping { object["process"] = "stopping" } else if !state.takesWork { object["process"] = "starting" }
      return .object(object)
    }
  }
}
