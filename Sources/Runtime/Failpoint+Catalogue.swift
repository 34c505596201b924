#if FAILPOINTS
  extension Failpoint {
    /// What the environment calls it: the step, and how far it has come.
    public var name: String { entry.name }

    /// The executables in which it lies.
    public var processes: [String] { entry.processes }

    /// What has happened when it is reached, and what has not.
    public var meaning: String { entry.meaning }

    private static let gateway = ["api-gateway"]
    private static let expander = ["job-expander"]
    private static let sender = ["send-worker"]
    private static let aggregator = ["receipt-aggregator"]
    private static let consumers = ["job-expander", "send-worker", "receipt-aggregator", "ingest-worker"]

    private var entry: (name: String, processes: [String], meaning: String) {
      switch self {
      case .acceptBegin: ("accept.begin", Self.gateway, "a launch was asked for, nothing is written")
      case .acceptWritten: ("accept.written", Self.gateway, "the run is written, its launch is not published")
      case .acceptPublished: ("accept.published", Self.gateway, "the launch is published, the client has no answer")
      case .receiveBegin: ("receive.begin", Self.gateway, "receipts are verified, not published")
      case .receivePublished: ("receive.published", Self.gateway, "receipts are published, the vendor has no answer")
      case .importBegin: ("import.begin", Self.gateway, "a batch of a file is written down, none of it is published")
      case .importPublished:
        ("import.published", Self.gateway, "a batch of a file is published, not written down as such")
      case .freezeLeased: ("freeze.leased", Self.expander, "the right to freeze is taken, nothing is walked")
      case .freezeUncommitted: ("freeze.uncommitted", Self.expander, "a chunk is written, its transaction is open")
      case .freezeCommitted: ("freeze.committed", Self.expander, "a chunk is written, its job is not published")
      case .freezePublished: ("freeze.published", Self.expander, "a chunk's job is published, the walk is not over")
      case .expandUncommitted: ("expand.uncommitted", Self.expander, "rows are written, their transaction is open")
      case .expandCommitted: ("expand.committed", Self.expander, "rows are written, no send is published")
      case .expandPublished:
        ("expand.published", Self.expander, "sends are published, the chunk's offset has not moved")
      case .claimUncommitted: ("claim.uncommitted", Self.sender, "sends are claimed, the transaction is open")
      case .claimCommitted: ("claim.committed", Self.sender, "sends are claimed, no vendor was called")
      case .sendAnswered:
        ("send.answered", Self.sender, "a vendor has answered, others are being called, nothing is told")
      case .tellBegin: ("tell.begin", Self.sender, "vendors have answered, nothing is told")
      case .tellPublished: ("tell.published", Self.sender, "outcomes are told, retries not stored, no offset has moved")
      case .mergeUncommitted: ("merge.uncommitted", Self.aggregator, "rows and counters moved, the transaction is open")
      case .mergeCommitted: ("merge.committed", Self.aggregator, "rows and counters moved, no offset has")
      case .completeUncommitted:
        ("complete.uncommitted", Self.aggregator + Self.expander, "a run is completed, the transaction is open")
      case .sweepBegin: ("sweep.begin", Self.expander, "the right to sweep is taken, nothing is swept")
      case .sweepChunkTaken:
        ("sweep.chunk-taken", Self.expander, "an idle chunk is marked as swept, nothing is published")
      case .sweepRetriesTaken:
        ("sweep.retries-taken", Self.expander, "due retries are put off, their jobs not published")
      case .buryBegin: ("bury.begin", Self.consumers, "a record is given up, its dead letter is not published")
      case .buryPublished:
        ("bury.published", Self.consumers, "a dead letter is published, its record's offset is not moved")
      }
    }
  }

  extension Fault {
    /// What the environment calls it.
    public var name: String {
      switch self {
      case .commitBeforeEffect: "commit-before-effect"
      case .claimWithoutCompare: "claim-without-compare"
      case .skipExpandedChunk: "skip-expanded-chunk"
      case .statisticsOutsideTransaction: "statistics-outside-transaction"
      case .lapsedClaimQueued: "lapsed-claim-queued"
      case .oneJobInAHundredUnreadable: "one-job-in-a-hundred-unreadable"
      }
    }
  }
#endif
