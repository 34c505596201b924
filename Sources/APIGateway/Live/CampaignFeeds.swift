import BSON
import CRMStore
import Runtime
import Synchronization

/// The campaigns that somebody listens to here: one feed each, however many listen.
final class CampaignFeeds: Sendable {
  private struct Entry {
    let feed: CampaignFeed
    var listeners: Int
  }

  private struct State {
    var entries: [ObjectID: Entry] = [:]
    var listeners = 0
  }

  private let store: Store
  private let log: Logger
  private let limit: Int
  private let gauge: Gauge
  private let state = Mutex(State())

  /// - Parameter limit: listeners at once, to all campaigns together.
  init(store: Store, log: Logger, limit: Int, gauge: Gauge) {
    self.store = store
    self.log = log
    self.limit = limit
    self.gauge = gauge
  }

  /// How many campaigns are read here, and for how many listeners.
  var load: (feeds: Int, listeners: Int) { state.withLock { ($0.entries.count, $0.listeners) } }

  /// Listens until the listener is released.
  ///
  /// - Throws: `Problem` (503) when there are too many listeners.
  func join(_ id: ObjectID) throws(Problem) -> CampaignListener {
    let joined: (feed: CampaignFeed, isNew: Bool)? = state.withLock { state in
      guard state.listeners < limit else { return nil }
      state.listeners += 1
      gauge.set(Double(state.listeners))
      if let entry = state.entries[id], !entry.feed.isOver {
        state.entries[id]?.listeners += 1
        return (entry.feed, false)
      }
      // One that is over ends with its listeners; who comes now begins anew.
      let feed = CampaignFeed(id, store: store, log: log)
      state.entries[id] = Entry(feed: feed, listeners: 1)
      return (feed, true)
    }
    guard let joined else {
      throw Problem(.overloaded, "\(limit) clients listen to campaigns here already (EVENT_LISTENERS).", retryAfter: 5)
    }
    if joined.isNew { joined.feed.start() }
    return CampaignListener(joined.feed) { [weak self] in self?.leave(joined.feed) }
  }

  private func leave(_ feed: CampaignFeed) {
    let isLast = state.withLock { state in
      state.listeners -= 1
      gauge.set(Double(state.listeners))
      guard let entry = state.entries[feed.id], entry.feed === feed else { return false }
      state.entries[feed.id]?.listeners -= 1
      guard entry.listeners == 1 else { return false }
      state.entries[feed.id] = nil
      return true
    }
    if isLast { feed.stop() }
  }
}

/// One client that listens to a campaign. Releasing it is leaving: whatever holds it may go away in any way.
final class CampaignListener: Sendable {
  private let feed: CampaignFeed
  private let leave: @Sendable () -> Void
  private let place = Mutex(CampaignFeed.Place())

  fileprivate init(_ feed: CampaignFeed, leave: @escaping @Sendable () -> Void) {
    self.feed = feed
    self.leave = leave
  }

  deinit { leave() }

  /// For one caller at a time.
  func next() async throws -> CampaignFeed.News {
    var place = place.withLock { $0 }
    let news = try await feed.next(after: &place)
    self.place.withLock { $0 = place }
    return news
  }

  /// The first moment, which is there as soon as the campaign has been read.
  ///
  /// - Throws: why it cannot be read: `StoreError.notFound`, `MongoError`.
  func first() async throws -> CampaignMoment {
    while true {
      switch try await next() {
      case .moment(let moment): return moment
      case .heartbeat: continue
      case .end: throw CancellationError()
      }
    }
  }
}
