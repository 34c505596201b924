import BSON
import CRMCore
import CRMMessaging
import CRMStore
import JSON

/// Stores rows as clients wrote them, and says of each what became of it.
protocol RowStore: Sendable {
  /// - Returns: an outcome for each row, in their order; fields of errors are relative to the row.
  /// - Throws: when the database is away; any of the rows may have been stored then, and storing them again changes
  ///   nothing further.
  func store(_ rows: [IngestRecord]) async throws -> [RowOutcome]
}

/// Rows of `ingest.leads`.
struct LeadRows: RowStore {
  let store: Store

  func store(_ rows: [IngestRecord]) async throws -> [RowOutcome] {
    try await storeValid(
      rows, decode: { LeadInput.decode($0) }, store: { try await store.upsertLeads($0, ids: $1) })
  }
}

/// Rows of `ingest.orders`.
struct OrderRows: RowStore {
  let store: Store
  let baseCurrency: String

  func store(_ rows: [IngestRecord]) async throws -> [RowOutcome] {
    try await storeValid(
      rows, decode: { OrderInput.decode($0, baseCurrency: baseCurrency) },
      store: { orders, _ in try await store.applyOrders(orders) })
  }
}

/// Rejects the rows that are not valid, stores the others together, and puts the outcomes in the order of the rows.
private func storeValid<Input: Sendable>(
  _ rows: [IngestRecord], decode: (JSONValue) -> Result<Input, ValidationError>,
  store: ([Input], [ObjectID]) async throws -> [RowOutcome]
) async throws -> [RowOutcome] {
  var outcomes = [RowOutcome](repeating: .unchanged, count: rows.count)
  var inputs: [Input] = []
  var places: [Int] = []
  for (index, row) in rows.enumerated() {
    switch decode(row.content) {
    case .success(let input):
      inputs.append(input)
      places.append(index)
    case .failure(let error): outcomes[index] = .rejected(error.errors)
    }
  }
  if !inputs.isEmpty {
    let ids = places.map { rows[$0].documentID }
    for (place, outcome) in zip(places, try await store(inputs, ids)) { outcomes[place] = outcome }
  }
  return outcomes
}
