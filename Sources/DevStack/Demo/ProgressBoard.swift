/// Draws a campaign's states as they change: a block of bars on a terminal, a line a second elsewhere.
struct ProgressBoard {
  private let terminal: Terminal
  private var drawnLines = 0
  private var seen: Set<String> = ["queued", "sending", "sent", "delivered", "failed", "skipped"]
  private var lastLine: (text: String, at: ContinuousClock.Instant)?

  init(terminal: Terminal) { self.terminal = terminal }

  mutating func show(_ progress: CampaignProgress, status: String, seconds: Double, isLast: Bool = false) {
    for (state, count) in zip(CampaignProgress.states, progress.counts) where count > 0 { seen.insert(state) }
    if terminal.isInteractive {
      redraw(progress, status: status, seconds: seconds)
    } else {
      print(progress, status: status, seconds: seconds, always: isLast)
    }
  }

  private mutating func redraw(_ progress: CampaignProgress, status: String, seconds: Double) {
    let width = max(10, min(60, terminal.columns - 30))
    var lines = [
      "  \(status.lowercased()), \(grouped(progress.audience)) leads, \(fixed(seconds, 1)) s"
    ]
    for (state, count) in zip(CampaignProgress.states, progress.counts) where seen.contains(state) {
      let share = progress.audience > 0 ? Double(count) / Double(progress.audience) : 0
      let full = count > 0 ? max(1, Int((share * Double(width)).rounded())) : 0
      let bar = String(repeating: "█", count: full) + String(repeating: "·", count: width - full)
      lines.append("  \(padded(state, 10))\(bar) \(leftPadded(grouped(count), 9))")
    }
    let up = drawnLines > 0 ? "\u{1B}[\(drawnLines)A\u{1B}[J" : ""
    terminal.write(up + lines.joined(separator: "\n") + "\n")
    drawnLines = lines.count
  }

  private mutating func print(_ progress: CampaignProgress, status: String, seconds: Double, always: Bool) {
    let states = zip(CampaignProgress.states, progress.counts).filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
    let text = "\(status) audience \(progress.audience): \(states.joined(separator: ", "))"
    let now = ContinuousClock.now
    if let last = lastLine, !always, last.text == text || last.at + .seconds(1) > now { return }
    if always, lastLine?.text == text { return }
    lastLine = (text, now)
    terminal.line("  \(fixed(seconds, 1)) s  \(text)")
  }
}

/// `6233` → `6,233`.
func grouped(_ number: Int64) -> String {
  var digits = String(number.magnitude)
  var at = digits.count - 3
  while at > 0 {
    digits.insert(",", at: digits.index(digits.startIndex, offsetBy: at))
    at -= 3
  }
  return (number < 0 ? "-" : "") + digits
}

func grouped(_ number: Int) -> String { grouped(Int64(number)) }

/// A number with so many decimals.
func fixed(_ number: Double, _ decimals: Int) -> String {
  var scale: Int64 = 1
  for _ in 0..<decimals { scale *= 10 }
  let scaled = Int64((number * Double(scale)).rounded())
  guard decimals > 0 else { return grouped(scaled) }
  let fraction = String(scaled.magnitude % UInt64(scale))
  return grouped(scaled / scale) + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
}

func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

func leftPadded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}
