/// A command of the stack cannot go on; the text is for the person who typed it.
struct StackError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
