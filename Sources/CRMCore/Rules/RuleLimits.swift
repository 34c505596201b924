/// The bounds within which a rule is understood; beyond them it is an error, never cut.
public enum RuleLimits {
  /// Groups within each other. MongoDB refuses filters of 100 levels, and a group may become several of them.
  public static let depth = 20
  /// Conditions in one rule, those about orders and campaigns and their inner ones included.
  public static let conditions = 200
  /// The same two for a rule together with the segments that it refers to.
  public static let depthWithSegments = 40
  public static let conditionsWithSegments = 2_000
  /// Values of one `IN`, `NOT_IN`, `HAS_ANY`, `HAS_ALL`, `HAS_NONE`.
  public static let listValues = 10_000
  /// Bytes of UTF-8 of one string.
  public static let stringBytes = 1_024
  /// Problems listed for one rule; the last one then says that there are more.
  public static let problems = 1_000
  /// Bytes of a translated filter. The server takes messages of 16 MiB, and the filter is not alone in them.
  public static let filterBytes = 12 << 20
}
