/// A place between two durable effects at which a process can be made to die, so that a test can show what survives it.
///
/// Each step of a delivery has its points: before an effect, after it, and within a transaction that is not committed yet.
/// What each one lies between stands in the catalogue, `Failpoint+Catalogue.swift`.
public enum Failpoint: Sendable, Hashable, CaseIterable {
  case acceptBegin, acceptWritten, acceptPublished
  case receiveBegin, receivePublished
  case importBegin, importPublished
  case freezeLeased, freezeUncommitted, freezeCommitted, freezePublished
  case expandUncommitted, expandCommitted, expandPublished
  case claimUncommitted, claimCommitted
  case sendAnswered
  case tellBegin, tellPublished
  case mergeUncommitted, mergeCommitted
  case completeUncommitted
  case sweepBegin, sweepChunkTaken, sweepRetriesTaken
  case buryBegin, buryPublished
}

/// A mistake that can be put into a process on purpose, so that the tests that must find it are tested themselves.
public enum Fault: Sendable, CaseIterable {
  /// A record's offset is committed before its effect.
  case commitBeforeEffect
  /// A claim takes a send in whatever state it finds it.
  case claimWithoutCompare
  /// A chunk that was expanded before publishes nothing.
  case skipExpandedChunk
  /// The counters move after the transaction that changes the rows.
  case statisticsOutsideTransaction
  /// A claim whose lease ran out is queued again.
  case lapsedClaimQueued
  /// One send job in a hundred cannot be read: a bug that is mended later, when its dead letters are replayed.
  case oneJobInAHundredUnreadable
}

// A release build has neither the points nor the faults: both calls are empty and disappear where they are made.
#if FAILPOINTS
  /// Ends this process at once, as `kill -9` would, when the environment asks for it here.
  public func failpoint(_ point: Failpoint) { FailpointArming.current?.reached(point) }

  /// Whether this process is to make a mistake on purpose.
  public func isFaulty(_ fault: Fault) -> Bool { FailpointArming.current?.fault == fault }
#else
  @inlinable @inline(__always) public func failpoint(_ point: Failpoint) {}
  @inlinable @inline(__always) public func isFaulty(_ fault: Fault) -> Bool { false }
#endif
