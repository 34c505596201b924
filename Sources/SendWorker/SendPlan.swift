import CRMCore

/// A send with where its next call may go.
struct PlannedSend<Item: Sendable>: Sendable {
  let item: Item
  let route: SendRoute
  /// The vendor's place in the order of the channel's vendors.
  let position: Int
  /// It may go to that vendor only.
  let isTied: Bool
}

/// Which vendor each send of a batch goes to. Pure but for the admission that it asks for.
struct SendPlan<Item: Sendable>: Sendable {
  /// What each vendor is to send, by its position.
  var shares: [[PlannedSend<Item>]]
  /// What no vendor admits now, and how long until one might.
  var refused: [(send: PlannedSend<Item>, retryAfter: Duration)]
}

extension SendPlan {
  /// A send that is not tied to a vendor goes to the next one when a breaker refuses it: it was not called, so nothing can
  /// have been taken.
  ///
  /// - Parameter admit: how many of so many calls the vendor at a position admits, and how long the others should wait.
  static func assign(
    _ sends: [PlannedSend<Item>], vendors: Int, admit: (Int, Int) -> (admitted: Int, retryAfter: Duration)
  ) -> SendPlan {
    var plan = SendPlan(shares: Array(repeating: [], count: vendors), refused: [])
    for position in 0..<vendors {
      let here = sends.filter { $0.position == position }
      plan.assign(here.filter(\.isTied), to: [position], admit)
      plan.assign(
        here.filter { !$0.isTied }, to: (0..<vendors).map { (position + $0) % vendors }, admit)
    }
    return plan
  }

  private mutating func assign(
    _ sends: [PlannedSend<Item>], to positions: [Int], _ admit: (Int, Int) -> (admitted: Int, retryAfter: Duration)
  ) {
    var rest = sends[...]
    var shortest: Duration?
    for position in positions where !rest.isEmpty {
      let (admitted, wait) = admit(position, rest.count)
      shares[position] += rest.prefix(admitted)
      rest = rest.dropFirst(admitted)
      shortest = min(shortest ?? wait, wait)
    }
    for send in rest { refused.append((send, shortest ?? .zero)) }
  }
}
