/// A dictionary that never grows beyond twice its capacity, and forgets what has not been used for longest, roughly.
///
/// When the young generation is full it becomes the old one, and what was old and has not been asked for since is gone.
/// Every operation takes constant time, however many keys an attacker invents.
struct TwoGenerations<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  /// Of each generation.
  private let capacity: Int
  private var young: [Key: Value] = [:]
  private var old: [Key: Value] = [:]

  init(capacity: Int) { self.capacity = max(1, capacity) }

  var count: Int { young.count + old.count }

  /// The value of a key, which counts as used.
  mutating func value(_ key: Key) -> Value? {
    if let value = young[key] { return value }
    guard let value = old.removeValue(forKey: key) else { return nil }
    set(key, value)
    return value
  }

  mutating func set(_ key: Key, _ value: Value) {
    old.removeValue(forKey: key)
    if young.count >= capacity, young[key] == nil {
      old = young
      young = [:]
    }
    young[key] = value
  }

  mutating func remove(_ key: Key) {
    young.removeValue(forKey: key)
    old.removeValue(forKey: key)
  }

  mutating func removeAll() {
    young = [:]
    old = [:]
  }
}
