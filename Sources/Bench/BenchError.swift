/// The benchmark cannot go on; the text is for the person who started it.
struct BenchError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
