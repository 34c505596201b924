import CRMCore

/// What became of one row of a bulk write.
public enum RowOutcome: Sendable, Equatable {
  /// A document was made.
  case inserted
  /// The document existed, and a value in it changed.
  case modified
  /// The document existed and already said so.
  case unchanged
  /// Nothing was written. Fields are relative to the row: `emails[0]`.
  case rejected([FieldError])
}

/// Divides the rows of a bulk write into batches that can be written at the same time.
///
/// Rows that share a key, directly or through others, come into one batch in their order, so that later ones see what
/// earlier ones did. Everything else may run side by side.
struct RowBatches {
  /// Row numbers; within a batch in ascending order.
  let batches: [[Int]]
  /// Whether no two rows share a key.
  let areDistinct: Bool

  /// - Parameters:
  ///   - size: rows in a batch, unless rows that belong together are more.
  ///   - keys: for a row the keys by which it may touch the same document as another row.
  init(rows: Int, size: Int, keys: (Int) -> [String]) {
    // Hashes alone tell of nearly every request that nothing is shared.
    var hashes: Set<Int> = []
    hashes.reserveCapacity(rows)
    areDistinct = (0..<rows).allSatisfy { row in keys(row).allSatisfy { hashes.insert($0.hashValue).inserted } }
    if areDistinct {
      batches = stride(from: 0, to: rows, by: size).map { Array($0..<min($0 + size, rows)) }
    } else {
      var groups = RowGroups(rows: rows, keys: keys)
      batches = groups.pack(size: size)
    }
  }
}

/// Which rows belong together.
private struct RowGroups {
  private var parents: [Int]

  init(rows: Int, keys: (Int) -> [String]) {
    parents = Array(0..<rows)
    var firstRow: [String: Int] = [:]
    firstRow.reserveCapacity(rows)
    for row in 0..<rows {
      for key in keys(row) {
        if let other = firstRow[key] { join(row, other) } else { firstRow[key] = row }
      }
    }
  }

  private mutating func root(_ row: Int) -> Int {
    var row = row
    while parents[row] != row {
      parents[row] = parents[parents[row]]
      row = parents[row]
    }
    return row
  }

  /// The lower root wins, so that a group is named by its first row.
  private mutating func join(_ one: Int, _ other: Int) {
    let (first, second) = (root(one), root(other))
    if first < second { parents[second] = first } else { parents[first] = second }
  }

  mutating func pack(size: Int) -> [[Int]] {
    var groups: [Int: [Int]] = [:]
    var order: [Int] = []
    for row in parents.indices {
      let root = root(row)
      if root == row { order.append(row) }
      groups[root, default: []].append(row)
    }
    var batches: [[Int]] = []
    var current: [Int] = []
    for root in order {
      let group = groups[root] ?? []
      if !current.isEmpty, current.count + group.count > size {
        batches.append(current.sorted())
        current = []
      }
      current += group
    }
    if !current.isEmpty { batches.append(current.sorted()) }
    return batches
  }
}

extension Store {
  /// Runs batches a few at a time and puts their outcomes back into the order of the rows.
  ///
  /// More at once than MongoDB and this process have processors for would only make each of them wait.
  static func runBatches(
    _ batches: [[Int]], rows: Int, concurrency: Int = 4,
    _ write: @escaping @Sendable ([Int]) async throws -> [RowOutcome]
  ) async throws -> [RowOutcome] {
    var outcomes = [RowOutcome](repeating: .unchanged, count: rows)
    try await withThrowingTaskGroup(of: (batch: Int, outcomes: [RowOutcome]).self) { group in
      var next = 0
      func startOne() {
        guard next < batches.count else { return }
        let batch = next
        next += 1
        group.addTask { (batch, try await write(batches[batch])) }
      }
      for _ in 0..<concurrency { startOne() }
      while let done = try await group.next() {
        for (row, outcome) in zip(batches[done.batch], done.outcomes) { outcomes[row] = outcome }
        startOne()
      }
    }
    return outcomes
  }
}
