import BSON
import CRMStore
import Runtime
import Synchronization

/// What one campaign is like now, read for all who listen to it here by one reader.
///
/// It keeps the newest moment and nothing else: whoever is slow finds the newest when it comes back, and no queue grows.
final class CampaignFeed: Sendable {
  /// What a listener hears next.
  enum News: Sendable {
    case moment(CampaignMoment)
    /// Nothing has changed for a while.
    case heartbeat
    /// The campaign has ended, or is gone.
    case end
  }

  /// What a listener has heard.
  struct Place: Sendable {
    var momentID: String?
    var beats = 0
  }

  /// Time between two reads while the campaign changes, and at most, while it does not.
  private static let shortestWait = Duration.milliseconds(250)
  private static let longestWait = Duration.seconds(2)
  static let heartbeat = Duration.seconds(15)

  private struct State {
    var newest: CampaignMoment?
    /// Why there never was a moment.
    var failure: (any Error)?
    var beats = 0
    var isOver = false
    /// Opened by the next change of the above; then another one takes its place.
    var changed = Latch<Bool>()
    var tasks: [Task<Void, Never>] = []
  }

  let id: ObjectID
  private let store: Store
  private let log: Logger
  private let state = Mutex(State())

  init(_ id: ObjectID, store: Store, log: Logger) {
    self.id = id
    self.store = store
    self.log = log
  }

  var isOver: Bool { state.withLock { $0.isOver } }

  func start() {
    let tasks = [Task { await follow() }, Task { await beat() }]
    let isOver = state.withLock { state in
      state.tasks = tasks
      return state.isOver
    }
    // It may have ended before it was known what is to be stopped.
    if isOver { stop() }
  }

  /// Ends the reading; whoever still listens hears that it is over.
  func stop() {
    let tasks = state.withLock { state in
      defer { state.tasks = [] }
      return state.tasks
    }
    for task in tasks { task.cancel() }
    change { $0.isOver = true }
  }

  // MARK: Reading

  private func follow() async {
    var wait = CampaignFeed.shortestWait
    while !Task.isCancelled {
      do {
        let found = CampaignMoment(try await store.runStats(ofCampaign: id, run: nil))
        wait = publish(found) ? CampaignFeed.shortestWait : min(wait * 2, CampaignFeed.longestWait)
        if found.isFinal { return stop() }
      } catch {
        if Task.isCancelled { return }
        let isFirst = state.withLock { $0.newest == nil }
        if case StoreError.notFound = error { return fail(error) }
        if isFirst { return fail(error) }
        log.debug("a campaign's state could not be read", [LogKey.error: .string("\(error)")])
        wait = CampaignFeed.longestWait
      }
      try? await Task.sleep(for: wait)
    }
  }

  private func beat() async {
    while true {
      do { try await Task.sleep(for: CampaignFeed.heartbeat) } catch { return }
      change { $0.beats += 1 }
    }
  }

  /// - Returns: whether it is another moment than before.
  private func publish(_ moment: CampaignMoment) -> Bool {
    guard state.withLock({ $0.newest?.id != moment.id }) else { return false }
    change { $0.newest = moment }
    return true
  }

  private func fail(_ error: any Error) {
    change { if $0.newest == nil { $0.failure = error } }
    stop()
  }

  private func change(_ body: (inout State) -> Void) {
    let changed = state.withLock { state in
      body(&state)
      defer { state.changed = Latch() }
      return state.changed
    }
    changed.set(true)
  }

  // MARK: Listening

  /// What comes after a place, as soon as there is something. A moment goes before a heartbeat, and both before the end.
  ///
  /// - Throws: why the campaign could not be read at all; `CancellationError`.
  func next(after place: inout Place) async throws -> News {
    while true {
      try Task.checkCancellation()
      let (news, changed) = try state.withLock { state throws -> (News?, Latch<Bool>) in
        (try CampaignFeed.news(in: state, after: &place), state.changed)
      }
      if let news { return news }
      _ = await changed.wait()
    }
  }

  private static func news(in state: State, after place: inout Place) throws -> News? {
    if let newest = state.newest, newest.id != place.momentID {
      place.momentID = newest.id
      place.beats = state.beats
      return .moment(newest)
    }
    if let failure = state.failure { throw failure }
    if state.isOver { return .end }
    guard state.beats != place.beats else { return nil }
    place.beats = state.beats
    return .heartbeat
  }
}
